"""How the text of a landed column is read: its kinds, as SQL expressions that never raise, whatever the text.

A kind says ``valid`` or not, and only a valid text is ever cast. What is ``certain`` to be valid needs no SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import ColumnElement, Numeric, and_, case, cast, false, func, literal, not_, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Text, TypeEngine

from include.landing import certain
from include.landing.certain import Certain
from include.settings import CHANNELS

Expression = ColumnElement[Any]

_INSTANT_SHAPES = [
    f"--{separator}{time}{zone}"
    for separator in ("T", " ")
    for time in (":", "::", "::.")
    for zone in ("Z", "z", "+", "-", "+:", "-:")
]
"""What is left of an ISO 8601 instant with an offset when its digits are taken out."""
_ALL_TIME = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")
"""What Python can hold; an offset may lead beyond."""
_DIGITS = "0123456789"
_DATE = r"^\d{4}-\d\d-\d\d([T ]00:00(:00(\.0+)?)?)?$"
_WHOLE_NUMBER = r"^[+-]?\d+(\.0+)?$"

LONGEST_ID_BYTES = 500
"""Of an id in UTF-8. An entry of a Postgres index holds 2,704 bytes, and keys here have up to two ids in them."""

_ACCEPTED_AMOUNT = Numeric(12, 4)
_ACCEPTED_QUANTITY = Numeric(9, 4)
"""Below a hundred million and a hundred thousand: their product in ten-thousandths, as reports count, fits a bigint."""


@dataclass(frozen=True)
class Kind:
    """How a column's text is read."""

    reason: str
    """Completes "price 'abc' ..."."""
    valid: Callable[[Expression, TypeEngine[Any]], Expression]
    """Whether a text that is not null can be read as the column's type."""
    read: Callable[[Expression, TypeEngine[Any]], Expression] = cast
    """The value of a valid text."""
    certain: Certain = certain.NOTHING
    """Which texts arrow reads by itself."""


def _castable(text: Expression, type_: TypeEngine[Any]) -> Expression:
    return func.pg_input_is_valid(text, type_.compile(postgresql.dialect()))


def _written(pattern: str, text: Expression, type_: TypeEngine[Any]) -> Expression:
    return and_(text.op("~")(pattern), _castable(text, type_))


def _valid_instant(text: Expression, type_: TypeEngine[Any]) -> Expression:
    # Shape and cast together are as strict as a regular expression, at a third of its time.
    shape = func.translate(text, _DIGITS, "")
    written = and_(text.like("____-__-__%"), shape.in_(_INSTANT_SHAPES), _castable(text, type_))
    first, last = (cast(literal(end), type_) for end in _ALL_TIME)
    return case((written, cast(text, type_).between(first, last)), else_=false())


def _valid_number(text: Expression, type_: TypeEngine[Any]) -> Expression:
    # The alphabet shuts out NaN, Infinity, 0x1F and 1_000, which Postgres would take.
    return and_(func.translate(text, _DIGITS + ".eE+-", "") == "", _castable(text, type_))


def _valid_id(text: Expression, type_: TypeEngine[Any]) -> Expression:
    return func.octet_length(text) <= LONGEST_ID_BYTES


def _valid_quantity(text: Expression, type_: TypeEngine[Any]) -> Expression:
    return and_(_valid_number(text, type_), _castable(text, _ACCEPTED_QUANTITY))


def _is_negative(number: Expression) -> Expression:
    """Of a valid number's text: the sign can be read off, which spares a second cast."""
    return and_(number.like("-%"), func.left(func.ltrim(number, "-0."), 1).not_in(("", "e", "E")))


def is_positive(number: Expression) -> Expression:
    return func.left(func.ltrim(number, "+0."), 1).not_in(("", "-", "e", "E"))


def _valid_amount(text: Expression, type_: TypeEngine[Any]) -> Expression:
    return and_(_valid_number(text, _ACCEPTED_AMOUNT), not_(_is_negative(text)))


def _valid_share(text: Expression, type_: TypeEngine[Any]) -> Expression:
    # CASE fixes the order: Postgres may evaluate the sides of AND in any.
    return case((_valid_number(text, type_), cast(text, type_).between(0, 1)), else_=false())


def _valid_whole_number(text: Expression, type_: TypeEngine[Any]) -> Expression:
    return and_(text.op("~")(_WHOLE_NUMBER), _castable(func.split_part(text, ".", 1), type_))


def _whole(flag: Expression) -> Expression:
    """1.0 and 0.0, which is how columns of 1 and 0 with gaps are often written, as 1 and 0."""
    return case((flag == "1.0", "1"), (flag == "0.0", "0"), else_=flag)


def _as_list(text: Expression, type_: TypeEngine[Any]) -> Expression:
    elements = func.jsonb_array_elements_text(cast(text, JSONB)).column_valued("element")
    from_json = func.array(select(elements).scalar_subquery())
    return case(
        (func.left(text, 1) == "[", from_json),
        else_=func.regexp_split_to_array(func.btrim(text), r"\s*[|,]\s*"),
    )


def _valid_list(text: Expression, type_: TypeEngine[Any]) -> Expression:
    # A JSON array without nested ones, or words between bars or commas.
    json_list = case(
        (func.pg_input_is_valid(text, "jsonb"), func.jsonb_typeof(cast(text, JSONB)) == "array"), else_=false()
    )
    return case((func.left(text, 1) == "[", json_list), else_=func.btrim(text, " |,") != "")


def _valid_channels(text: Expression, type_: TypeEngine[Any]) -> Expression:
    channels = _as_list(text, type_)
    allowed = cast(list(CHANNELS), ARRAY(Text))
    return case(
        (_valid_list(text, type_), and_(channels.op("<@")(allowed), func.cardinality(channels) > 0)), else_=false()
    )


def _valid_object(text: Expression, type_: TypeEngine[Any]) -> Expression:
    return case(
        (func.pg_input_is_valid(text, "jsonb"), func.jsonb_typeof(cast(text, JSONB)) == "object"), else_=false()
    )


def one_of(allowed: tuple[str, ...]) -> Kind:
    return Kind(
        f"is none of {', '.join(allowed)}", lambda text, type_: text.in_(allowed), certain=certain.among(allowed)
    )


_ZONES = sorted(available_timezones())

TEXT = Kind("", lambda text, type_: literal(True), certain=certain.TEXT)
ID = Kind(f"is longer than {LONGEST_ID_BYTES} bytes", _valid_id, certain=certain.up_to_bytes(LONGEST_ID_BYTES))
INSTANT = Kind(
    "is not an instant with an offset, such as 2017-11-30T18:05:00-05:00",
    _valid_instant,
    certain=certain.INSTANT,
)
DATE = Kind("is not a date, such as 2017-11-30", lambda text, type_: _written(_DATE, text, type_))
QUANTITY = Kind("is not a finite number between -100,000 and 100,000", _valid_quantity, certain=certain.QUANTITY)
AMOUNT = Kind("is not an amount of 0 or more and below 100,000,000", _valid_amount, certain=certain.AMOUNT)
SHARE = Kind("is not a share between 0 and 1", _valid_share, certain=certain.SHARE)
WHOLE_NUMBER = Kind(
    "is not a whole number in range",
    _valid_whole_number,
    lambda text, type_: cast(cast(text, Numeric), type_),
)
FLAG = Kind(
    "is neither true nor false",
    lambda text, type_: _castable(_whole(text), type_),
    lambda text, type_: cast(_whole(text), type_),
    certain=certain.FLAG,
)
ZONE = Kind(
    "is not an IANA time zone, such as America/New_York",
    lambda text, type_: text.in_(_ZONES),
    certain=certain.among(_ZONES),
)
WORDS = Kind('is not a list, such as loyal|regular or ["loyal", "regular"]', _valid_list, _as_list)
CHANNEL_LIST = Kind(f"is not a list of {' and '.join(CHANNELS)}, such as email|app_push", _valid_channels, _as_list)
OBJECT = Kind("is not a JSON object", _valid_object)
CHANNEL = one_of(CHANNELS)
