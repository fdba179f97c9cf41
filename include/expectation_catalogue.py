"""What a settings file may expect of the data: expectations of Great Expectations by name, with their arguments.

A list, since importing Great Expectations takes seconds and settings are read by every process; a test holds it to
what is installed. Left out are those that Great Expectations does not compute in Postgres, and those that ask for the
type of a column, which the tables fix.
"""

from __future__ import annotations

ROWS_WHERE = "rows_where"
"""Not Great Expectations' name: no row may meet a condition in SQL."""
RANGE = ("min_value?", "max_value?", "strict_min?", "strict_max?")

ARGUMENTS: dict[str, tuple[str, ...]] = {
    ROWS_WHERE: ("condition",),
    "expect_column_distinct_values_to_be_in_set": ("column", "value_set"),
    "expect_column_distinct_values_to_contain_set": ("column", "value_set"),
    "expect_column_distinct_values_to_equal_set": ("column", "value_set"),
    "expect_column_max_to_be_between": ("column", *RANGE),
    "expect_column_mean_to_be_between": ("column", *RANGE),
    "expect_column_median_to_be_between": ("column", *RANGE),
    "expect_column_min_to_be_between": ("column", *RANGE),
    "expect_column_most_common_value_to_be_in_set": ("column", "value_set", "ties_okay?"),
    "expect_column_pair_values_a_to_be_greater_than_b": (
        "column_A",
        "column_B",
        "mostly?",
        "or_equal?",
        "ignore_row_if?",
    ),
    "expect_column_pair_values_to_be_equal": ("column_A", "column_B", "mostly?", "ignore_row_if?"),
    "expect_column_pair_values_to_be_in_set": ("column_A", "column_B", "value_pairs_set", "mostly?", "ignore_row_if?"),
    "expect_column_proportion_of_non_null_values_to_be_between": ("column", *RANGE),
    "expect_column_proportion_of_unique_values_to_be_between": ("column", *RANGE),
    "expect_column_stdev_to_be_between": ("column", *RANGE),
    "expect_column_sum_to_be_between": ("column", *RANGE),
    "expect_column_to_exist": ("column",),
    "expect_column_unique_value_count_to_be_between": ("column", *RANGE),
    "expect_column_value_lengths_to_be_between": ("column", "mostly?", *RANGE),
    "expect_column_value_lengths_to_equal": ("column", "value", "mostly?"),
    "expect_column_value_z_scores_to_be_less_than": ("column", "threshold", "double_sided", "mostly?"),
    "expect_column_values_to_be_between": ("column", "mostly?", *RANGE),
    "expect_column_values_to_be_in_set": ("column", "value_set", "mostly?"),
    "expect_column_values_to_be_null": ("column", "mostly?"),
    "expect_column_values_to_be_unique": ("column", "mostly?"),
    "expect_column_values_to_match_like_pattern": ("column", "like_pattern", "mostly?", "escape?"),
    "expect_column_values_to_match_like_pattern_list": (
        "column",
        "like_pattern_list",
        "mostly?",
        "match_on?",
        "escape?",
    ),
    "expect_column_values_to_match_regex": ("column", "mostly?", "regex?"),
    "expect_column_values_to_match_regex_list": ("column", "regex_list", "mostly?", "match_on?"),
    "expect_column_values_to_not_be_in_set": ("column", "value_set", "mostly?"),
    "expect_column_values_to_not_be_null": ("column", "mostly?"),
    "expect_column_values_to_not_be_outliers": ("column", "mostly?", "method?", "multiplier?"),
    "expect_column_values_to_not_match_like_pattern": ("column", "like_pattern", "mostly?", "escape?"),
    "expect_column_values_to_not_match_like_pattern_list": ("column", "like_pattern_list", "mostly?", "escape?"),
    "expect_column_values_to_not_match_regex": ("column", "regex", "mostly?"),
    "expect_column_values_to_not_match_regex_list": ("column", "regex_list", "mostly?"),
    "expect_compound_columns_to_be_unique": ("column_list", "mostly?", "ignore_row_if?"),
    "expect_multicolumn_sum_to_equal": ("column_list", "sum_total", "mostly?", "ignore_row_if?"),
    "expect_multicolumn_values_to_be_equal": ("column_list", "mostly?", "ignore_row_if?"),
    "expect_select_column_values_to_be_unique_within_record": ("column_list", "mostly?", "ignore_row_if?"),
    "expect_table_column_count_to_be_between": ("min_value?", "max_value?"),
    "expect_table_column_count_to_equal": ("value",),
    "expect_table_columns_to_match_ordered_list": ("column_list?",),
    "expect_table_columns_to_match_set": ("column_set?", "exact_match?"),
    "expect_table_row_count_to_be_between": (*RANGE,),
    "expect_table_row_count_to_equal": ("value",),
}
"""By expectation; a question mark says that the argument may be left out."""

COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")
"""Those that name columns of the table."""


def required_arguments(expectation: str) -> set[str]:
    return {name for name in ARGUMENTS[expectation] if not name.endswith("?")}


def known_arguments(expectation: str) -> tuple[str, ...]:
    return tuple(name.removesuffix("?") for name in ARGUMENTS[expectation])


def judges_rows(expectation: str) -> bool:
    """It holds or not for each row, so that failing rows are counted."""
    return expectation == ROWS_WHERE or "mostly" in known_arguments(expectation)
