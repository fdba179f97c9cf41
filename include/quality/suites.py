"""What the data of a night must be like: the expectations, their severities and how each is put into words.

Every ``between`` has both bounds: Postgres sorts NaN above all numbers, so a lower bound alone would let it pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from include.db.tables import LANDING_TABLES
from include.quality.rules import MANY_STOP, RULES
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
MAXIMUM = "ExpectColumnMaxToBeBetween"
"""Of the one row of facts, so simply its value."""


@dataclass(frozen=True)
class Check:
    """One expectation of Great Expectations, by class name, about a fact (see ``facts``), or as settings name it."""

    table_name: str
    expectation: str
    severity: Severity
    says: str
    """The finding, good or bad. Fields: observed; of a share also count, rows and share; of a schema its detail."""
    column: str
    """The fact's name, and column_name in quality_results."""
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def is_own(self) -> bool:
        """One of the settings, which name expectations in small letters."""
        return self.expectation.islower()


@dataclass(frozen=True)
class Suite:
    """The checks of a table."""

    name: str
    checks: tuple[Check, ...]
    query: str | None = None
    """Of the rows it looks at, where these are not the facts: of an expectation of the settings."""


def suites(settings: QualitySettings) -> tuple[Suite, ...]:
    """One per table."""
    checks = (
        *_schema(),
        *_customers(),
        *_items(),
        *_events(settings),
        *_earlier_events(settings),
        *_event_facts(settings),
        *_event_mix(settings),
        *_rules(settings.maximum_share_set_aside),
        *_landing(settings),
    )
    tables = dict.fromkeys(check.table_name for check in checks)
    return tuple(Suite(table, tuple(check for check in checks if check.table_name == table)) for table in tables)


def schema_suites() -> tuple[Suite, ...]:
    """Of the schema alone: over other columns than expected nothing else can be counted."""
    return tuple(Suite(check.table_name, (check,)) for check in _schema())


def _schema() -> Iterator[Check]:
    says = "{count} of {rows} columns are not as the migrations made them{detail}"
    return (_between(table, "schema", "critical", 0, 0, says) for table in LANDING_TABLES)


def _customers() -> tuple[Check, ...]:
    table = "customers"
    return (
        _at_least(table, "rows", 1, "customers are known"),
        _share(table, "email", "warning", 0.01, "emails are not addresses", "email"),
        _share(table, "shared_email", "warning", 0, "email addresses belong to several customers", "email"),
        _share(table, "time_zone", "warning", 0, "time zones are unknown to the database", "time_zone"),
        _share(table, "is_reachable", "info", 0.5, "customers have neither", "email nor push_token"),
    )


def _items() -> tuple[Check, ...]:
    table = "items"
    return (
        _at_least(table, "rows", 1, "items are known"),
        _share(table, "title", "warning", 0.05, "items have no", "title"),
        _share(table, "category", "warning", 0.05, "items have no", "category"),
        _share(table, "price", "warning", 0, "prices are not between 0 and a billion", "price"),
        _share(table, "margin_rate", "warning", 0, "margins are not between 0 and 1", "margin_rate"),
    )


def _events(settings: QualitySettings) -> tuple[Check, ...]:
    table = "events"
    return (
        _share(table, "event_type", "critical", 0, "events are of an unknown type", "event_type"),
        _share(
            table,
            "customer_known",
            "critical",
            settings.maximum_unknown_customer_share,
            "events name an unknown customer",
            "customer_id",
        ),
        _share(
            table,
            "item_known",
            "critical",
            settings.maximum_unknown_item_share,
            "events name an unknown item",
            "item_id",
        ),
        _share(table, "purchase_quantity", "critical", 0, "purchases have a quantity that is not above 0", "quantity"),
        _share(table, "unit_price", "critical", 0, "unit prices are not between 0 and a billion", "unit_price"),
        _share(table, "purchase_names_item", "warning", 0.05, "purchases name no item", "item_id"),
        _share(table, "purchase_has_price", "warning", 0.05, "purchases have no unit price", "unit_price"),
    )


def _earlier_events(settings: QualitySettings) -> tuple[Check, ...]:
    return tuple(
        _fact(
            f"unknown_{what}_share",
            "critical",
            0,
            limit,
            f"{{share}} of the earlier events of a folder name an unknown {what} "
            f"({{count}} of {{rows}}, {what}_id, limit {percent(limit)})",
        )
        for what, limit in (
            ("customer", settings.maximum_unknown_customer_share),
            ("item", settings.maximum_unknown_item_share),
        )
    )


def _event_facts(settings: QualitySettings) -> tuple[Check, ...]:
    tolerance = settings.volume_tolerance
    return (
        _at_least("events", "events_on_date", settings.minimum_events, "events on the date (occurred_at)"),
        _fact(
            "volume_ratio",
            "warning",
            1 / tolerance,
            tolerance,
            f"{{observed}} times as many events as the median of this weekday (from 1/{tolerance:g} to {tolerance:g})",
        ),
        _fact(
            "hours_since_newest",
            "warning",
            0,
            24,
            "the newest event is {observed} hours older than the end of the date (limit 24)",
        ),
        _fact("future_events", "warning", 0, 0, "{observed} events in the date's files lie after its end (limit 0)"),
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
            "type_distance_half",
            "warning",
            0,
            distance / 2,
            f"the mix of event_type lies {{observed}} from its usual one (limit {distance / 2:g})",
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
            "{share} more of a type's events than usual have no item_id (limit 50%)",
        ),
        _fact(
            "more_missing_prices",
            "critical",
            0,
            MANY_STOP,
            "{share} more of the purchases than usual have no unit_price, or a price of 0 (limit 50%)",
        ),
    )


def _rules(limit_set_aside: float) -> Iterator[Check]:
    """Any failing row is a warning; many of what is set aside, or of customers and items, stop the run."""
    for rule in RULES:
        what = f"{{count}} {rule.says} ({rule.column})"
        if rule.warns:
            fate = "set aside" if rule.sets_aside else "reported only"
            yield _between(rule.table_name, rule.rule, "warning", 0, 0, f"{what}, {fate}")
        if rule.sets_aside or rule.stops_when_many:
            limit = limit_set_aside if rule.sets_aside else MANY_STOP
            whole = "a folder's events" if rule.table_name == "events" else f"all {rule.table_name}"
            says = f"{what}, {{share}} of {whole} (limit {percent(limit)})"
            yield _between(rule.table_name, f"{rule.rule}_share", "critical", 0, limit, says)


def _landing(settings: QualitySettings) -> Iterator[Check]:
    limit = settings.maximum_quarantined_share
    says = "{share} of the rows landed in a folder are in quarantined_rows<few>"
    says += f" ({{count}} of {{rows}}, limit {percent(limit)})"
    for table in LANDING_TABLES:
        stops = table in STOPPING_TABLES
        severity: Severity = "critical" if stops else "warning"
        few = f", though fewer than {FEWEST_REFUSED_THAT_STOP}"
        yield _between(table, "quarantined_share", severity, 0, limit, says.replace("<few>", ""))
        yield _between(table, "quarantined_share_of_few", "warning", 0, limit, says.replace("<few>", few))
    yield _at_least("landing_files", "newest_file", 0, "is the newest file judged", "info")


def _share(table: str, column: str, severity: Severity, limit: float, what: str, about: str) -> Check:
    says = f"{{share}} of {{rows}} {what} ({{count}}, {about}, limit {percent(limit)})"
    return _between(table, column, severity, 0, limit, says)


def _at_least(table: str, column: str, minimum: int, what: str, severity: Severity = "critical") -> Check:
    says = f"{{observed}} {what} (at least {minimum:,})"
    return _between(table, column, severity, minimum, LARGEST_NUMBER, says)


def _fact(column: str, severity: Severity, minimum: float, maximum: float, says: str) -> Check:
    return _between("events", column, severity, minimum, maximum, says)


def _between(table: str, column: str, severity: Severity, minimum: float, maximum: float, says: str) -> Check:
    return Check(table, MAXIMUM, severity, says, column, {"min_value": minimum, "max_value": maximum})


def percent(share: float) -> str:
    """Three figures, so that a tiny share is not shown as none."""
    return f"{100 * share:.3g}%"
