"""What a single row must be like beside others: every row that breaks a rule is written to quality_failures, in full.

One principle decides what becomes of it. An event that no later file can put right (a repeat, an impossible time, price
or quantity) is **set aside**: it stays in its table, but the view ``marketing.excluded_events`` names it, and what
learns from events must leave it out. A row that may still be put right (its customer, item or purchase may land later),
and any row of the other tables, is **only reported**. Of rows that repeat each other that of the earliest folder, and
there of the first file by path, is kept: an order that no reload changes. A file that replaces the row ends its being
set aside, and of a repeat also one that replaces what it repeated. Rows that cannot be read at all are landing's, and
in quarantined_rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, text

from include.audience_filter import AudienceError, parse_filter
from include.db.sql import source, statement
from include.db.tables import SEGMENTS, campaigns, quality_failures

MANY_STOP = 0.5
"""Of customers or items; and of events, where the rule does not set aside."""
_QUERIES = ("failing_events", "failing_returns", "failing_duplicates", "failing_other_rows")


@dataclass(frozen=True)
class Rule:
    """``name`` is table and rule, joined by a dot, as failing_rules.sql gives them."""

    name: str
    column: str
    says: str
    sets_aside: bool = False
    stops_when_many: bool = False
    warns: bool = True
    """Any failing row is a warning; false where a check of the table's own suite has a limit for it."""

    @property
    def table_name(self) -> str:
        return self.name.split(".")[0]

    @property
    def rule(self) -> str:
        return self.name.split(".")[1]


RULES = (
    Rule("events.duplicate", "event_id", "events repeat others under another id", True),
    Rule("events.ancient", "occurred_at", "events occurred more than 20 years before", True),
    Rule("events.far_future", "occurred_at", "events occurred more than a day after the date they came with", True),
    Rule("events.price_outlier", "unit_price", "purchases have a price far from their category's", True),
    Rule("events.quantity_outlier", "quantity", "purchases have a quantity far from their category's", True),
    Rule("events.bad_price", "unit_price", "events have an impossible price", True),
    Rule("events.bad_quantity", "quantity", "purchases have an impossible quantity", True),
    Rule("events.return_without_purchase", "event_type", "returns are of items their customers had not bought"),
    Rule("events.before_customer", "occurred_at", "purchases came before their customer was created"),
    Rule("customers.bad_email", "email", "emails are not addresses", stops_when_many=True, warns=False),
    Rule(
        "customers.unknown_zone",
        "time_zone",
        "time zones are unknown to the database",
        stops_when_many=True,
        warns=False,
    ),
    Rule("customers.created_later", "created_at", "customers were created after the date", stops_when_many=True),
    Rule("items.missing_title", "title", "items have no title", stops_when_many=True, warns=False),
    Rule("items.bad_price", "price", "items have a price of zero or an impossible one", stops_when_many=True),
    Rule("items.foreign_currency", "currency", "items have another currency than the shop's"),
    Rule("consents.unknown_customer", "customer_id", "consents name an unknown customer"),
    Rule("consents.in_future", "occurred_at", "consents were given after the date"),
    Rule("campaigns.unknown_segment", "audience", "campaigns name a segment that does not exist"),
    Rule("campaigns.unclear_filter", "audience_filter", "campaigns have a filter that cannot be understood"),
    Rule("campaigns.no_items", "items_per_message", "campaigns show less than one item"),
    Rule("message_history.unknown_customer", "customer_id", "sends name an unknown customer"),
    Rule("engagements.unknown_message", "message_id", "reactions name a message that was never planned"),
    Rule("engagements.unknown_customer", "customer_id", "reactions name an unknown customer"),
    Rule("engagements.in_future", "occurred_at", "reactions occurred after the date"),
    Rule("engagements.before_message", "occurred_at", "reactions occurred before their message was sent"),
)


def write_failures(connection: Connection, values: dict[str, Any]) -> None:
    """Replace the business date's rows of quality_failures.

    Earlier dates' rows stay; those that repeat nothing any more are no longer set aside. The temporary table
    ``repeated_events`` must be there; ``values``: what the queries bind.
    """
    connection.execute(delete(quality_failures).where(quality_failures.c.business_date == values["business_date"]))
    bound = values | {"segments": list(SEGMENTS)} | _unclear_filters(connection)
    for name in _QUERIES:
        make_table(connection, "failing_rows", source(__file__, name), bound)
        connection.execute(statement(__file__, "keep_failing_rows"), values)
        connection.execute(text("drop table failing_rows"))
    connection.execute(statement(__file__, "readmit_events"))


def _unclear_filters(connection: Connection) -> dict[str, list[str]]:
    """The campaigns whose filter cannot be understood, and beside them why."""
    unclear = {}
    for campaign_id, audience_filter in connection.execute(
        select(campaigns.c.campaign_id, campaigns.c.audience_filter).where(
            campaigns.c.audience_filter.regexp_match(r"\S")
        )
    ):
        try:
            parse_filter(audience_filter)
        except AudienceError as error:
            unclear[campaign_id] = f"has a filter that cannot be understood: {error}"
    return {"unclear_campaigns": list(unclear), "unclear_reasons": list(unclear.values())}


def make_table(connection: Connection, name: str, query: str, values: dict[str, Any]) -> None:
    """The rows of a query as a temporary table: unlike an INSERT, several processes may fill it."""
    connection.execute(text(f"create temporary table {name} on commit drop as\n{query}"), values)
    connection.execute(text(f"analyze {name}"))
