"""What the data of a night must be like: the expectations, their severities and how each is put into words.

Every ``between`` has both bounds: Postgres sorts NaN above all numbers, so a lower bound alone would let it pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from include.db.tables import EVENT_TYPES, LANDING_TABLES
from include.quality.rules import MANY_STOP, RULES, Rule
from include.settings import QualitySettings

Severity = Literal["critical", "warning", "info"]

LARGEST_AMOUNT = 1_000_000_000
LARGEST_NUMBER = 2**63 - 1
"""Of what is only counted."""
FEWEST_REFUSED_THAT_STOP = 20
"""Refused rows of a folder. A single slip in a tiny file is a large share and no reason to stop a night."""
STOPPING_TABLES = ("customers", "items", "events")
"""Those that are learned from; refused rows of the other landing tables are a warning."""
EMAIL = r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)*$"
VALUES = "ExpectColumnValuesToBeInSet"
BETWEEN = "ExpectColumnValuesToBeBetween"
NOT_NULL = "ExpectColumnValuesToNotBeNull"
MAXIMUM = "ExpectColumnMaxToBeBetween"
ROW_COUNT = "ExpectTableRowCountToBeBetween"


@dataclass(frozen=True)
class Check:
    """One expectation of Great Expectations, by the name of its class, or as settings name it."""

    table_name: str
    expectation: str
    severity: Severity
    says: str
    """The finding, good or bad. Fields: rows (values looked at), count and share of the unexpected, observed."""
    column: str | None = None
    """Of the suite's query."""
    arguments: dict[str, Any] = field(default_factory=dict)
    label: str | None = None
    """Column named in quality_results, where it is not the query's."""

    rule: str | None = None
    """Of rules.py, whose failing rows it counts."""

    @property
    def column_name(self) -> str:
        return self.label or self.column or ""


@dataclass(frozen=True)
class Suite:
    """Checks over the rows of one query, the file in ``sql/`` of the same name."""

    name: str
    checks: tuple[Check, ...]
    query: str | None = None
    """The query itself, where it is no file."""


def suites(settings: QualitySettings) -> tuple[Suite, ...]:
    return (
        Suite("customers", _customers()),
        Suite("items", _items()),
        Suite("events", _events(settings)),
        Suite("earlier_events", _earlier_events(settings)),
        Suite("event_facts", _event_facts(settings)),
        Suite("event_mix", _event_mix(settings)),
        Suite("failure_facts", _failure_facts(settings)),
        Suite("landing_facts", _landing_facts(settings)),
    )


def _customers() -> tuple[Check, ...]:
    table = "customers"
    return (
        _row_count(table, 1, "customers are known"),
        _given(table, "customer_id", "customers have no id"),
        Check(
            table,
            "ExpectColumnValuesToMatchRegex",
            "warning",
            "{share} of {rows} emails are not addresses (limit 1%)",
            "email",
            {"regex": EMAIL, "mostly": 0.99},
        ),
        Check(
            table,
            "ExpectColumnValuesToBeUnique",
            "warning",
            "{count} of {rows} email addresses belong to several customers",
            "address",
            label="email",
        ),
        _true(table, "time_zone_known", "warning", 0, "time zones are unknown to the database", label="time_zone"),
        _true(table, "is_reachable", "info", 0.5, "customers have neither email nor push token"),
    )


def _items() -> tuple[Check, ...]:
    table = "items"
    return (
        _row_count(table, 1, "items are known"),
        _given(table, "item_id", "items have no id"),
        _given(table, "title", "items have no title", "warning", 0.05),
        _given(table, "category", "items have no category", "warning", 0.05),
        _between(table, "price", "warning", LARGEST_AMOUNT, "prices are not between 0 and a billion"),
        _between(table, "margin_rate", "warning", 1, "margin rates are not between 0 and 1"),
    )


def _events(settings: QualitySettings) -> tuple[Check, ...]:
    table = "events"
    return (
        _given(table, "event_id", "events have no id"),
        _given(table, "customer_id", "events name no customer"),
        _given(table, "occurred_at", "events have no instant"),
        Check(
            table,
            VALUES,
            "critical",
            "{share} of {rows} events are of an unknown type",
            "event_type",
            {"value_set": list(EVENT_TYPES)},
        ),
        _true(
            table,
            "customer_known",
            "critical",
            settings.maximum_unknown_customer_share,
            "events name an unknown customer",
        ),
        _true(table, "item_known", "critical", settings.maximum_unknown_item_share, "events name an unknown item"),
        _between(
            table,
            "purchase_quantity",
            "critical",
            LARGEST_AMOUNT,
            "purchases have a quantity that is not above 0",
            strict_min=True,
        ),
        _between(table, "unit_price", "critical", LARGEST_AMOUNT, "unit prices are not between 0 and a billion"),
        _true(table, "purchase_names_item", "warning", 0.05, "purchases name no item"),
        _true(table, "purchase_has_price", "warning", 0.05, "purchases have no unit price"),
    )


def _earlier_events(settings: QualitySettings) -> tuple[Check, ...]:
    return tuple(
        Check(
            "events",
            MAXIMUM,
            "critical",
            f"{{observed_share}} of the earlier events of a folder name an unknown {what} (limit {percent(limit)})",
            f"unknown_{what}_share",
            {"min_value": 0, "max_value": limit},
        )
        for what, limit in (
            ("customer", settings.maximum_unknown_customer_share),
            ("item", settings.maximum_unknown_item_share),
        )
    )


def _event_facts(settings: QualitySettings) -> tuple[Check, ...]:
    table, tolerance = "events", settings.volume_tolerance
    return (
        Check(
            table,
            MAXIMUM,
            "critical",
            f"{{observed}} events on the date (at least {settings.minimum_events:,})",
            "events_on_date",
            {"min_value": settings.minimum_events, "max_value": LARGEST_NUMBER},
        ),
        Check(
            table,
            MAXIMUM,
            "warning",
            f"{{observed}} times as many events as the median of this weekday (from 1/{tolerance:g} to {tolerance:g})",
            "volume_ratio",
            {"min_value": 1 / tolerance, "max_value": tolerance},
        ),
        Check(
            table,
            MAXIMUM,
            "warning",
            "the newest event is {observed} hours older than the end of the date (limit 24)",
            "hours_since_newest",
            {"min_value": 0, "max_value": 24},
        ),
        Check(
            table,
            MAXIMUM,
            "warning",
            "{observed} events in the date's files lie after its end (limit 0)",
            "future_events",
            {"min_value": 0, "max_value": 0},
        ),
    )


def _event_mix(settings: QualitySettings) -> tuple[Check, ...]:
    low, high = settings.minimum_volume_share, settings.maximum_volume_rise
    distance = settings.maximum_type_distance
    return (
        _fact(
            "volume_against_usual",
            "critical",
            low,
            high,
            f"{{observed}} times the usual events of this weekday (from {low:g} to {high:g})",
        ),
        _fact(
            "type_distance",
            "critical",
            0,
            distance,
            f"the mix of event_type lies {{observed}} from its usual one (limit {distance:g})",
        ),
        _fact(
            "type_distance",
            "warning",
            0,
            distance / 2,
            f"the mix of event_type lies {{observed}} from its usual one (limit {distance / 2:g})",
            "type_distance_half",
        ),
        _fact(
            "purchases_against_usual",
            "critical",
            0.05,
            LARGEST_NUMBER,
            "{observed} times the usual share of purchases in event_type (at least 0.05)",
        ),
        _fact(
            "vanished_types", "warning", 0, 0, "{observed} values of event_type that were usual are missing (limit 0)"
        ),
        _fact(
            "more_missing_items",
            "critical",
            0,
            MANY_STOP,
            "{observed_share} more of a type's events than usual have no item_id (limit 50%)",
        ),
        _fact(
            "more_missing_prices",
            "critical",
            0,
            MANY_STOP,
            "{observed_share} more of the purchases than usual have no unit_price, or a price of 0 (limit 50%)",
        ),
    )


def _fact(
    column: str, severity: Severity, minimum: float, maximum: float, says: str, label: str | None = None
) -> Check:
    return Check("events", MAXIMUM, severity, says, column, {"min_value": minimum, "max_value": maximum}, label)


def _failure_facts(settings: QualitySettings) -> tuple[Check, ...]:
    return tuple(check for rule in RULES for check in _rule_checks(rule, settings.maximum_share_set_aside))


def _rule_checks(rule: Rule, limit_set_aside: float) -> tuple[Check, ...]:
    """Any failing row is a warning; many of what is set aside, or of customers and items, stop the run."""
    what = f"{{count}} {rule.says} ({rule.column})"
    fate = "set aside" if rule.sets_aside else "reported only"
    few = Check(
        rule.table_name,
        MAXIMUM,
        "warning",
        f"{what}, {fate}",
        rule.name.replace(".", "_"),
        {"min_value": 0, "max_value": 0},
        rule.rule,
        rule.name,
    )
    warnings = (few,) if rule.warns else ()
    if not (rule.sets_aside or rule.stops_when_many):
        return warnings
    limit = limit_set_aside if rule.sets_aside else MANY_STOP
    whole = "a folder's events" if rule.table_name == "events" else f"all {rule.table_name}"
    says = f"{what}, {{observed_share}} of {whole} (limit {percent(limit)})"
    label = f"{rule.rule}_share"
    arguments = {"min_value": 0, "max_value": limit}
    return (
        *warnings,
        Check(
            rule.table_name,
            MAXIMUM,
            "critical",
            says,
            f"{rule.name.replace('.', '_')}_share",
            arguments,
            label,
            rule.name,
        ),
    )


def _landing_facts(settings: QualitySettings) -> tuple[Check, ...]:
    few = f", though fewer than {FEWEST_REFUSED_THAT_STOP}"
    return (
        *(_quarantined(settings, table, "critical", table) for table in STOPPING_TABLES),
        *(_quarantined(settings, table, "warning", f"{table}_few", few) for table in STOPPING_TABLES),
        *(_quarantined(settings, table, "warning", table) for table in LANDING_TABLES if table not in STOPPING_TABLES),
        Check(
            "landing_files",
            MAXIMUM,
            "info",
            "file {observed} is the newest of those judged",
            "newest_file",
            {"min_value": 0, "max_value": LARGEST_NUMBER},
        ),
    )


def _quarantined(settings: QualitySettings, table: str, severity: Severity, column: str, few: str = "") -> Check:
    limit = settings.maximum_quarantined_share
    return Check(
        table,
        MAXIMUM,
        severity,
        f"{{observed_share}} of the rows landed in a folder are in quarantined_rows{few} (limit {percent(limit)})",
        column,
        {"min_value": 0, "max_value": limit},
        label="quarantined_share_of_few" if few else "quarantined_share",
    )


def _row_count(table: str, minimum: int, what: str) -> Check:
    return Check(
        table, ROW_COUNT, "critical", f"{{observed}} {what} (at least {minimum:,})", arguments={"min_value": minimum}
    )


def _given(table: str, column: str, what: str, severity: Severity = "critical", limit: float = 0) -> Check:
    return Check(
        table,
        NOT_NULL,
        severity,
        f"{{share}} of {{rows}} {what} (limit {percent(limit)})",
        column,
        {"mostly": 1 - limit},
    )


def _true(table: str, column: str, severity: Severity, limit: float, what: str, label: str | None = None) -> Check:
    says = f"{{share}} of {{rows}} {what} (limit {percent(limit)})"
    return Check(table, VALUES, severity, says, column, {"value_set": [True], "mostly": 1 - limit}, label)


def _between(table: str, column: str, severity: Severity, maximum: float, what: str, strict_min: bool = False) -> Check:
    arguments = {"min_value": 0, "max_value": maximum, "strict_min": strict_min}
    return Check(table, BETWEEN, severity, f"{{share}} of {{rows}} {what}", column, arguments)


def percent(share: float) -> str:
    """Three figures, so that a tiny share is not shown as none."""
    return f"{100 * share:.3g}%"
