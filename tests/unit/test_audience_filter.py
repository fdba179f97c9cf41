"""What a filter may say, and how it is told what it may not: at which character, what is wrong, what is known."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects.postgresql import psycopg2

from include.audience_filter import COLUMNS, LONGEST_FILTER, AudienceError, parse_filter


def sql(text: str) -> str:
    compiled = parse_filter(text).expression.compile(dialect=psycopg2.dialect())
    return str(compiled).replace("marketing.customer_features.", "").replace("marketing.customers.", "")


def fault(text: str) -> str:
    with pytest.raises(AudienceError) as error:
        parse_filter(text)
    return str(error.value)


def test_constants_are_bound_never_written() -> None:
    expression = parse_filter("""recency >= 31415 and country == "it's; --" """).expression
    compiled = expression.compile(dialect=psycopg2.dialect())
    assert "31415" not in str(compiled)
    assert "it" not in str(compiled).replace("marketing.", "")
    assert list(compiled.params.values()) == [31415, "it's; --"]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("10 < recency <= 30", "%(param_1)s < recency AND recency <= %(param_2)s"),
        ("not (recency > 3 or frequency == 1)", "NOT (recency > %(param_1)s OR frequency = %(param_2)s)"),
        ('"Coffee" in preferred_categories', "%(param_1)s = ANY (preferred_categories)"),
        ('segment in ["loyal", "new"]', "segment IN (%(param_1)s, %(param_2)s)"),
        ("recency is None", "recency IS NULL"),
        ("devices is not None", "cardinality(devices) != %(cardinality_1)s"),
        ("expected_value > monetary_value", "expected_value > monetary_value"),
    ],
)
def test_what_a_filter_says_in_sql(text: str, condition: str) -> None:
    assert sql(text) == f"coalesce({condition}, false)"


def test_it_names_the_columns_it_asks() -> None:
    assert parse_filter('recency > 1 and "a" in devices or country == "DE"').columns == {
        "recency",
        "devices",
        "country",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("recencyy > 3", "at character 1: there is no column recencyy; did you mean recency?; a text stands in quotes"),
        ('"é" in devices and recencyy > 3', "at character 20: there is no column recencyy"),
        ("\n  recencyy > 3", "at character 4: there is no column recencyy"),
        ("recency == 'x'", "at character 12: recency is a number of days; 'x' is a text"),
        ("'x' < recency", "at character 1: recency is a number of days; 'x' is a text"),
        ("recency in [1, 'x']", "at character 16: recency is a number of days; 'x' is a text"),
        ("country == 3", "at character 12: country is a text; 3 is a number"),
        ("recency == country", "recency is a number of days; country is a text"),
        ("segment == 'loyl'", "at character 12: segment is never 'loyl'; did you mean loyal? (known: new, loyal"),
        ("segment in ['new', 'old']", "at character 20: segment is never 'old'"),
        ("country > 'DE'", "country is a text; texts are compared by ==, !=, in and not in"),
        ("preferred_categories == 'Coffee'", "preferred_categories is a list of texts; ask with in and not in"),
        ("preferred_categories in ['Coffee']", 'ask for one text in it, as in "Coffee" in preferred_categories'),
        ("3 in devices", "devices is a list of texts; 3 is a number"),
        ("recency in 3", "3 is a number; in asks for a list, as in [1, 2]"),
        ("recency in []", "at character 12: the list is empty"),
        ("recency in [frequency]", "a list is of numbers or of texts"),
        ("recency == None", "None is compared by is and is not"),
        ("recency is 3", "is and is not stand between a column and None"),
        ("recency", "recency is a number of days, not a condition"),
        ("1 < 2", "this compares two constants; name a column"),
        ("True", "True is neither a number nor a text in quotes"),
        ("recency > null", "write None instead of null"),
        ("recency = 3", "at character 9: it cannot be read (invalid syntax); write == for equal"),
        ("recency > 3 AND frequency > 1", "write and, or, not, in and is in small letters"),
        ("recency <> 3", "write != for not equal"),
        ("recency > 3 && frequency > 1", "write and, or and not as words"),
        ("recency > 3 # and more", "at character 13: a filter has no comments"),
        ("recency > 3\n# and frequency > 1", "at character 13: a filter has no comments"),
        ("recency > 3 + 4", "there is no arithmetic"),
        ("len(devices) > 1", "functions cannot be called"),
        ("recency.real > 1", "a dot means nothing here"),
        ("devices[0] == 'a'", "square brackets only enclose a list of constants"),
        ("f'{recency}' == country", "a text with values put in is not allowed"),
        ("lambda: 1", "this is not part of a filter"),
        ("recency > 1e999", "the number is beyond 1,000,000,000,000,000"),
        ("recency > " + "9" * 1900, "the number is beyond 1,000,000,000,000,000"),
        (r"country == '\x00'", "the text holds a character that no table can hold"),
        (r"country == '\ud800'", "the text holds a character that no table can hold"),
        ("recency > 3\0", "it cannot be read"),
        ("not " * 21 + "recency > 1", "more than 20 levels deep"),
        ("(" * 900 + "recency > 1" + ")" * 900, "it cannot be read"),
        ("x" * (LONGEST_FILTER + 1), "it has 2,001 characters; at most 2,000 are read"),
        (" ", "it is empty; leave it out to mean everyone"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, words: str) -> None:
    assert words in fault(text)


def test_an_unknown_column_is_told_all_that_are_known() -> None:
    assert f"(known: {', '.join(COLUMNS)})" in fault("age > 30")
