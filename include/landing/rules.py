"""What a landed row must be like, table by table, as SQL expressions over its text.

A rule never raises in SQL, whatever the text: it says ``valid`` or not, and only a valid text is ever cast. A table
that refuses rows here is described in the landing contract; this is the contract's one place in code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow
import pyarrow.compute
from sqlalchemy import Column, Numeric, Table, and_, case, cast, false, func, literal, not_, or_

from include.db import tables
from include.landing.certain import NOTHING, Mask
from include.landing.kinds import (
    AMOUNT,
    CHANNEL,
    CHANNEL_LIST,
    DATE,
    FLAG,
    ID,
    INSTANT,
    OBJECT,
    QUANTITY,
    SHARE,
    TEXT,
    WHOLE_NUMBER,
    WORDS,
    ZONE,
    Expression,
    Kind,
    is_positive,
    one_of,
)

ARMS = ("treated", "control")
_SHOWN_CHARACTERS = 80

LARGEST_WORTH = 1_000_000_000
"""Of an event, and below it: the tables that sum money hold ten times as much, so no single slip can overflow them."""


@dataclass(frozen=True)
class Field:
    """A column of the landing contract."""

    name: str
    kind: Kind
    required: bool = False


@dataclass(frozen=True)
class RowRule:
    """What columns must be like together. ``broken`` is null or false for a good row, and safe on any text."""

    broken: Callable[[Table], Expression]
    reason: Callable[[Table], Expression]


@dataclass(frozen=True)
class Rules:
    """The contract of one table."""

    table: Table
    fields: tuple[Field, ...]
    row_rules: tuple[RowRule, ...] = ()
    derived: tuple[tuple[str, Callable[[Table], Expression]], ...] = ()
    """Columns that the file does not carry, computed from those it does."""
    certain_together: Callable[[pyarrow.Table], Mask] | None = None
    """Which rows, certain column by column and typed, break none of ``row_rules`` for certain."""

    @property
    def certain_possible(self) -> bool:
        """Whether rows can be told good without SQL: every column has a way, the row rules too."""
        columns = all(field.kind.certain is not NOTHING for field in self.fields if field.name != self.object_column)
        return columns and not self.derived and (not self.row_rules or self.certain_together is not None)

    @property
    def object_column(self) -> str:
        """Where columns without a place of their own go."""
        return "properties" if "properties" in self.table.c else "attributes"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields if field.required)

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)

    def value(self, staging: Table, name: str) -> Expression:
        """The value of a column of this table for a staged row that broke no rule."""
        for column, derive in self.derived:
            if column == name:
                return derive(staging)
        return self.field(name).kind.read(staging.c[name], self.table.c[name].type)


# --- rules over several columns ----------------------------------------------------------------------------------


def _purchase_without_quantity(staging: Table) -> Expression:
    quantity = staging.c.quantity
    return and_(staging.c.event_type == "purchase", or_(quantity.is_(None), not_(is_positive(quantity))))


def _is_worth_too_much(staging: Table) -> Expression:
    quantity, price = staging.c.quantity, staging.c.unit_price
    both = and_(
        QUANTITY.valid(quantity, tables.events.c.quantity.type), AMOUNT.valid(price, tables.events.c.unit_price.type)
    )
    worth = func.abs(cast(quantity, Numeric) * cast(price, Numeric))
    return case((both, worth >= LARGEST_WORTH), else_=false())


def _is_certain_event(typed: pyarrow.Table) -> Mask:
    """Neither a purchase without a quantity nor, with room for rounding, worth too much."""
    names = typed.column_names
    quantity = typed.column("quantity") if "quantity" in names else pyarrow.nulls(typed.num_rows, pyarrow.float64())
    is_bought = pyarrow.compute.fill_null(pyarrow.compute.greater(quantity, 0), fill_value=False)
    good = pyarrow.compute.or_(pyarrow.compute.not_equal(typed.column("event_type"), "purchase"), is_bought)
    if "quantity" in names and "unit_price" in names:
        price = typed.column("unit_price").cast(pyarrow.float64())
        worth = pyarrow.compute.abs(pyarrow.compute.multiply(quantity, price))
        low = pyarrow.compute.fill_null(pyarrow.compute.less(worth, LARGEST_WORTH * 0.99), fill_value=True)
        good = pyarrow.compute.and_(good, low)
    return good


def _is_certain_campaign_id(typed: pyarrow.Table) -> Mask:
    return pyarrow.compute.not_equal(typed.column("campaign_id"), tables.EVERY_CAMPAIGN)


def _ends_before_it_starts(staging: Table) -> Expression:
    start, end = staging.c.starts_on, staging.c.ends_on
    type_ = tables.campaigns.c.starts_on.type
    return case(
        (and_(DATE.valid(start, type_), DATE.valid(end, type_)), cast(start, type_) > cast(end, type_)), else_=false()
    )


def _is_every_campaign(staging: Table) -> Expression:
    return staging.c.campaign_id == tables.EVERY_CAMPAIGN


def _names_nobody(staging: Table) -> Expression:
    row = staging.c
    return and_(row.message_id.is_(None), or_(row.campaign_id.is_(None), row.customer_id.is_(None)))


NOT_EVERY_CAMPAIGN = RowRule(
    _is_every_campaign,
    lambda staging: literal(
        f"campaign_id '{tables.EVERY_CAMPAIGN}' is what reports call all campaigns together; give it another id"
    ),
)


def engagement_id(row: Table) -> Expression:
    """sha256 hex of ``message_id|campaign_id|customer_id|engagement_type|occurred_at|url``, missing parts empty and
    occurred_at in UTC with microseconds (``2017-11-30T23:05:00.000000Z``): a reaction reported twice counts once.
    """
    instant = func.to_char(
        func.timezone("UTC", cast(row.c.occurred_at, tables.engagements.c.occurred_at.type)),
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"',
    )
    parts: list[Expression] = [row.c.message_id, row.c.campaign_id, row.c.customer_id, row.c.engagement_type]
    joined = func.concat_ws("|", *(func.coalesce(part, "") for part in (*parts, instant, row.c.url)))
    return func.encode(func.sha256(func.convert_to(joined, "UTF8")), "hex")


# --- the contract ------------------------------------------------------------------------------------------------


def _rules(
    table: Table,
    fields: list[Field],
    row_rules: tuple[RowRule, ...] = (),
    derived: tuple[tuple[str, Callable[[Table], Expression]], ...] = (),
    certain_together: Callable[[pyarrow.Table], Mask] | None = None,
) -> Rules:
    object_column: Column[Any] = table.c.properties if "properties" in table.c else table.c.attributes
    return Rules(table, (*fields, Field(object_column.name, OBJECT)), row_rules, derived, certain_together)


RULES: dict[str, Rules] = {
    rules.table.name: rules
    for rules in (
        _rules(
            tables.customers,
            [
                Field("customer_id", ID, required=True),
                Field("email", TEXT),
                Field("push_token", TEXT),
                Field("time_zone", ZONE),
                Field("locale", TEXT),
                Field("country", TEXT),
                Field("created_at", INSTANT),
            ],
        ),
        _rules(
            tables.items,
            [
                Field("item_id", ID, required=True),
                Field("title", TEXT),
                Field("category", TEXT),
                Field("brand", TEXT),
                Field("price", AMOUNT),
                Field("margin_rate", SHARE),
                Field("currency", TEXT),
                Field("url", TEXT),
                Field("image_url", TEXT),
                Field("in_stock", FLAG),
            ],
        ),
        _rules(
            tables.events,
            [
                Field("event_id", ID, required=True),
                Field("event_type", one_of(tables.EVENT_TYPES), required=True),
                Field("customer_id", ID, required=True),
                Field("occurred_at", INSTANT, required=True),
                Field("item_id", ID),
                Field("quantity", QUANTITY),
                Field("unit_price", AMOUNT),
                Field("query", TEXT),
                Field("order_id", ID),
                Field("message_id", ID),
            ],
            row_rules=(
                RowRule(
                    _purchase_without_quantity,
                    lambda staging: func.concat(
                        "a purchase needs a quantity above 0, not ", func.coalesce(staging.c.quantity, "none")
                    ),
                ),
                RowRule(
                    _is_worth_too_much,
                    lambda staging: func.concat(
                        "quantity ",
                        staging.c.quantity,
                        " times unit_price ",
                        staging.c.unit_price,
                        " is a billion or more",
                    ),
                ),
            ),
            certain_together=_is_certain_event,
        ),
        _rules(
            tables.consents,
            [
                Field("customer_id", ID, required=True),
                Field("channel", CHANNEL, required=True),
                Field("granted", FLAG, required=True),
                Field("occurred_at", INSTANT, required=True),
                Field("source", TEXT),
            ],
        ),
        _rules(
            tables.campaigns,
            [
                Field("campaign_id", ID, required=True),
                Field("name", TEXT, required=True),
                Field("channels", CHANNEL_LIST, required=True),
                Field("starts_on", DATE, required=True),
                Field("ends_on", DATE, required=True),
                Field("audience", WORDS),
                Field("audience_filter", TEXT),
                Field("trigger", one_of(tables.TRIGGERS)),
                Field("template", TEXT),
                Field("purpose", one_of(tables.PURPOSES)),
                Field("items_per_message", WHOLE_NUMBER),
                Field("priority", WHOLE_NUMBER),
                Field("cost_per_message", AMOUNT),
                Field("cost_per_order", AMOUNT),
                Field("daily_budget", AMOUNT),
                Field("control_share", SHARE),
                Field("requires_approval", FLAG),
            ],
            row_rules=(
                NOT_EVERY_CAMPAIGN,
                RowRule(
                    _ends_before_it_starts,
                    lambda staging: func.concat(
                        "ends_on ", staging.c.ends_on, " lies before starts_on ", staging.c.starts_on
                    ),
                ),
            ),
        ),
        _rules(
            tables.message_history,
            [
                Field("campaign_id", ID, required=True),
                Field("customer_id", ID, required=True),
                Field("channel", CHANNEL, required=True),
                Field("arm", one_of(ARMS), required=True),
                Field("sent_at", INSTANT, required=True),
                Field("cost", AMOUNT),
            ],
            row_rules=(NOT_EVERY_CAMPAIGN,),
            certain_together=_is_certain_campaign_id,
        ),
        _rules(
            tables.engagements,
            [
                Field("message_id", ID),
                Field("campaign_id", ID),
                Field("customer_id", ID),
                Field("engagement_type", one_of(tables.ENGAGEMENT_TYPES), required=True),
                Field("occurred_at", INSTANT, required=True),
                Field("user_agent", TEXT),
                Field("url", TEXT),
            ],
            row_rules=(
                RowRule(
                    _names_nobody,
                    lambda staging: literal("names neither a message_id nor a campaign_id with a customer_id"),
                ),
            ),
            derived=(("engagement_id", engagement_id),),
        ),
    )
}
"""By table name. A customer whose time_zone is not an IANA zone is refused, not kept without it: a message at a
guessed hour may come at night. A purchase without a positive quantity is refused: it says nothing was bought."""


def refusal(rules: Rules, staging: Table) -> Expression:
    """All reasons against a staged row, joined by "; "; an empty text for a good row."""
    reasons = [reason for field in rules.fields for reason in _field_reasons(field, rules.table.c[field.name], staging)]
    reasons += [case((rule.broken(staging), rule.reason(staging))) for rule in rules.row_rules]
    return func.concat_ws("; ", *reasons)


def _field_reasons(field: Field, column: Column[Any], staging: Table) -> list[Expression]:
    text = staging.c[field.name]
    reasons: list[Expression] = []
    if field.required:
        reasons.append(case((or_(text.is_(None), func.btrim(text) == ""), f"{field.name} is missing")))
    if field.kind is not TEXT:
        said = func.concat(f"{field.name} '", func.left(text, _SHOWN_CHARACTERS), f"' {field.kind.reason}")
        reasons.append(case((and_(text.is_not(None), not_(field.kind.valid(text, column.type))), said)))
    return reasons
