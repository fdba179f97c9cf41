"""What a landed row must be like, table by table, as SQL expressions over its text.

A rule never raises in SQL, whatever the text: it says ``valid`` or not, and only a valid text is ever cast. A table
that refuses rows here is described in the landing contract; this is the contract's one place in code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import Column, ColumnElement, Numeric, Table, and_, case, cast, false, func, literal, not_, or_, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Text, TypeEngine

from include.db import tables
from include.settings import CHANNELS

Expression = ColumnElement[Any]

PURPOSES = ("next_purchase", "discovery")
ARMS = ("treated", "control")

_INSTANT_SHAPES = [
    f"--{separator}{time}{zone}"
    for separator in ("T", " ")
    for time in (":", "::", "::.")
    for zone in ("Z", "z", "+", "-", "+:", "-:")
]
"""What is left of an ISO 8601 instant with an offset when its digits are taken out."""
_DIGITS = "0123456789"
_DATE = r"^\d{4}-\d\d-\d\d([T ]00:00(:00(\.0+)?)?)?$"
_WHOLE_NUMBER = r"^[+-]?\d+(\.0+)?$"
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class Kind:
    """How a column's text is read."""

    reason: str
    """Completes "price 'abc' ..."."""
    valid: Callable[[Expression, TypeEngine[Any]], Expression]
    """Whether a text that is not null can be read as the column's type."""
    read: Callable[[Expression, TypeEngine[Any]], Expression] = cast
    """The value of a valid text."""


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


# --- kinds -------------------------------------------------------------------------------------------------------


def _castable(text: Expression, type_: TypeEngine[Any]) -> Expression:
    return func.pg_input_is_valid(text, type_.compile(postgresql.dialect()))


def _written(pattern: str, text: Expression, type_: TypeEngine[Any]) -> Expression:
    return and_(text.op("~")(pattern), _castable(text, type_))


def _valid_instant(text: Expression, type_: TypeEngine[Any]) -> Expression:
    # Shape and cast together are as strict as a regular expression, at a third of its time.
    shape = func.translate(text, _DIGITS, "")
    return and_(text.like("____-__-__%"), shape.in_(_INSTANT_SHAPES), _castable(text, type_))


def _valid_number(text: Expression, type_: TypeEngine[Any]) -> Expression:
    # The alphabet shuts out NaN, Infinity, 0x1F and 1_000, which Postgres would take.
    return and_(func.translate(text, _DIGITS + ".eE+-", "") == "", _castable(text, type_))


def _is_negative(number: Expression) -> Expression:
    """Of a valid number's text: the sign can be read off, which spares a second cast."""
    return and_(number.like("-%"), func.left(func.ltrim(number, "-0."), 1).not_in(("", "e", "E")))


def _is_positive(number: Expression) -> Expression:
    return func.left(func.ltrim(number, "+0."), 1).not_in(("", "-", "e", "E"))


def _valid_amount(text: Expression, type_: TypeEngine[Any]) -> Expression:
    return and_(_valid_number(text, type_), not_(_is_negative(text)))


def _valid_share(text: Expression, type_: TypeEngine[Any]) -> Expression:
    # CASE fixes the order: Postgres may evaluate the sides of AND in any.
    return case((_valid_number(text, type_), cast(text, type_).between(0, 1)), else_=false())


def _valid_whole_number(text: Expression, type_: TypeEngine[Any]) -> Expression:
    return and_(text.op("~")(_WHOLE_NUMBER), _castable(func.split_part(text, ".", 1), type_))


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


def _one_of(allowed: tuple[str, ...]) -> Kind:
    return Kind(f"is none of {', '.join(allowed)}", lambda text, type_: text.in_(allowed))


TEXT = Kind("", lambda text, type_: literal(True))
INSTANT = Kind(
    "is not an instant with an offset, such as 2017-11-30T18:05:00-05:00",
    _valid_instant,
)
DATE = Kind("is not a date, such as 2017-11-30", lambda text, type_: _written(_DATE, text, type_))
NUMBER = Kind("is not a finite number", _valid_number)
AMOUNT = Kind("is not an amount of 0 or more", _valid_amount)
SHARE = Kind("is not a share between 0 and 1", _valid_share)
WHOLE_NUMBER = Kind(
    "is not a whole number in range",
    _valid_whole_number,
    lambda text, type_: cast(cast(text, Numeric), type_),
)
FLAG = Kind("is neither true nor false", _castable)
ZONE = Kind(
    "is not an IANA time zone, such as America/New_York",
    lambda text, type_: text.in_(sorted(available_timezones())),
)
WORDS = Kind('is not a list, such as loyal|regular or ["loyal", "regular"]', _valid_list, _as_list)
CHANNEL_LIST = Kind(f"is not a list of {' and '.join(CHANNELS)}, such as email|app_push", _valid_channels, _as_list)
OBJECT = Kind("is not a JSON object", _valid_object)
CHANNEL = _one_of(CHANNELS)


# --- rules over several columns ----------------------------------------------------------------------------------


def _purchase_without_quantity(staging: Table) -> Expression:
    quantity = staging.c.quantity
    return and_(staging.c.event_type == "purchase", or_(quantity.is_(None), not_(_is_positive(quantity))))


def _ends_before_it_starts(staging: Table) -> Expression:
    start, end = staging.c.starts_on, staging.c.ends_on
    type_ = tables.campaigns.c.starts_on.type
    return case(
        (and_(DATE.valid(start, type_), DATE.valid(end, type_)), cast(start, type_) > cast(end, type_)), else_=false()
    )


def _names_nobody(staging: Table) -> Expression:
    row = staging.c
    return and_(row.message_id.is_(None), or_(row.campaign_id.is_(None), row.customer_id.is_(None)))


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
) -> Rules:
    object_column: Column[Any] = table.c.properties if "properties" in table.c else table.c.attributes
    return Rules(table, (*fields, Field(object_column.name, OBJECT)), row_rules, derived)


RULES: dict[str, Rules] = {
    rules.table.name: rules
    for rules in (
        _rules(
            tables.customers,
            [
                Field("customer_id", TEXT, required=True),
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
                Field("item_id", TEXT, required=True),
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
                Field("event_id", TEXT, required=True),
                Field("event_type", _one_of(tables.EVENT_TYPES), required=True),
                Field("customer_id", TEXT, required=True),
                Field("occurred_at", INSTANT, required=True),
                Field("item_id", TEXT),
                Field("quantity", NUMBER),
                Field("unit_price", AMOUNT),
                Field("query", TEXT),
                Field("order_id", TEXT),
                Field("message_id", TEXT),
            ],
            row_rules=(
                RowRule(
                    _purchase_without_quantity,
                    lambda staging: func.concat(
                        "a purchase needs a quantity above 0, not ", func.coalesce(staging.c.quantity, "none")
                    ),
                ),
            ),
        ),
        _rules(
            tables.consents,
            [
                Field("customer_id", TEXT, required=True),
                Field("channel", CHANNEL, required=True),
                Field("granted", FLAG, required=True),
                Field("occurred_at", INSTANT, required=True),
                Field("source", TEXT),
            ],
        ),
        _rules(
            tables.campaigns,
            [
                Field("campaign_id", TEXT, required=True),
                Field("name", TEXT, required=True),
                Field("channels", CHANNEL_LIST, required=True),
                Field("starts_on", DATE, required=True),
                Field("ends_on", DATE, required=True),
                Field("audience", WORDS),
                Field("template", TEXT),
                Field("purpose", _one_of(PURPOSES)),
                Field("items_per_message", WHOLE_NUMBER),
                Field("priority", WHOLE_NUMBER),
                Field("cost_per_message", AMOUNT),
                Field("cost_per_order", AMOUNT),
                Field("control_share", SHARE),
                Field("requires_approval", FLAG),
            ],
            row_rules=(
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
                Field("campaign_id", TEXT, required=True),
                Field("customer_id", TEXT, required=True),
                Field("channel", CHANNEL, required=True),
                Field("arm", _one_of(ARMS), required=True),
                Field("sent_at", INSTANT, required=True),
                Field("cost", AMOUNT),
            ],
        ),
        _rules(
            tables.engagements,
            [
                Field("message_id", TEXT),
                Field("campaign_id", TEXT),
                Field("customer_id", TEXT),
                Field("engagement_type", _one_of(tables.ENGAGEMENT_TYPES), required=True),
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
