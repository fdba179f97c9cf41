"""The filter a marketer writes for a campaign, such as ``recency >= 30 and "Coffee" in preferred_categories``.

The text is parsed as a Python expression and never evaluated: each part is looked up in what is allowed here (columns,
comparisons, ``and``, ``or``, ``not``, ``in``, ``is None``) and becomes a part of an SQL expression whose constants are
bound values. What is not known of a customer satisfies no comparison, nor does ``not`` before it make it so: the logic
is SQL's, with three values, and who is not surely meant is out. ``recency > 30 or recency is None`` asks for both.
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from sqlalchemy import Boolean, Column, ColumnElement, Numeric, Text, and_, any_, false, func, literal, not_, or_

from include.db.tables import LIFECYCLE_STAGES, SEGMENTS, customer_features, customers

LONGEST_FILTER = 2000
"""Characters."""
DEEPEST_FILTER = 20
"""Levels of parentheses and of and, or and not."""
LARGEST_NUMBER = 1e15

Kind = Literal["number", "text", "list", "nothing"]


class AudienceError(ValueError):
    """A filter that cannot be understood; the message says where, why and what is known."""


@dataclass(frozen=True)
class AudienceFilter:
    """A filter that was understood."""

    text: str
    expression: ColumnElement[bool]
    """True or false, never null, over ``customer_features`` left-joined with ``customers``."""
    columns: frozenset[str]
    """Names of the columns it asks."""


@dataclass(frozen=True)
class FilterColumn:
    """A column that a filter may name."""

    column: Column[Any]
    kind: Kind
    words: str
    """Completes: the column is ..."""
    values: tuple[str, ...] = ()
    """All that a text may be; none: any."""

    @property
    def name(self) -> str:
        return self.column.name


_OF_DATE, _OF_CUSTOMER = customer_features.c, customers.c

COLUMNS: dict[str, FilterColumn] = {
    known.name: known
    for known in (
        FilterColumn(_OF_DATE.recency, "number", "a number of days"),
        FilterColumn(_OF_DATE.frequency, "number", "a number of purchase days"),
        FilterColumn(_OF_DATE.monetary_value, "number", "an amount"),
        FilterColumn(_OF_DATE.mean_interval_days, "number", "a number of days"),
        FilterColumn(_OF_DATE.median_interval_days, "number", "a number of days"),
        FilterColumn(_OF_DATE.lifecycle_stage, "text", "a text", LIFECYCLE_STAGES),
        FilterColumn(_OF_DATE.segment, "text", "a text", SEGMENTS),
        FilterColumn(_OF_DATE.churn_probability, "number", "a probability"),
        FilterColumn(_OF_DATE.expected_orders, "number", "a number of orders"),
        FilterColumn(_OF_DATE.expected_value, "number", "an amount"),
        FilterColumn(_OF_DATE.discount_sensitivity, "number", "a share"),
        FilterColumn(_OF_DATE.price_band, "text", "a text", ("low", "middle", "high")),
        FilterColumn(_OF_DATE.preferred_categories, "list", "a list of texts"),
        FilterColumn(_OF_DATE.favourite_brands, "list", "a list of texts"),
        FilterColumn(_OF_DATE.devices, "list", "a list of texts"),
        FilterColumn(_OF_DATE.channels, "list", "a list of texts"),
        FilterColumn(_OF_DATE.search_terms, "list", "a list of texts"),
        FilterColumn(_OF_CUSTOMER.country, "text", "a text"),
        FilterColumn(_OF_CUSTOMER.locale, "text", "a text"),
        FilterColumn(_OF_CUSTOMER.time_zone, "text", "a text"),
    )
}
"""By name: all that a filter may ask."""


def parse_filter(text: str) -> AudienceFilter:
    """The filter that ``text`` says; raises AudienceError, whatever the text."""
    return _Reader(text).read()


@dataclass(frozen=True)
class _Operand:
    """One side of a comparison."""

    node: ast.expr
    kind: Kind
    column: FilterColumn | None = None
    value: Any = None
    """Of a constant."""

    @property
    def sql(self) -> ColumnElement[Any]:
        if self.column is not None:
            return self.column.column
        # Of a type that holds any number: an INTEGER would not.
        return literal(self.value, Text if self.kind == "text" else Numeric(asdecimal=False))

    @property
    def words(self) -> str:
        if self.column is not None:
            return f"{self.column.name} is {self.column.words}"
        article = {"number": "a number", "text": "a text", "list": "a list", "nothing": "nothing"}
        return f"{_shown(self.value)} is {article[self.kind]}"


_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
    ast.Lt: lambda left, right: left < right,
    ast.LtE: lambda left, right: left <= right,
    ast.Gt: lambda left, right: left > right,
    ast.GtE: lambda left, right: left >= right,
}
_REFUSED = {
    ast.Call: "functions cannot be called",
    ast.Attribute: "a dot means nothing here",
    ast.BinOp: "there is no arithmetic",
    ast.Subscript: "square brackets only enclose a list of constants",
    ast.JoinedStr: "a text with values put in is not allowed",
    ast.IfExp: "if and else are not allowed; write and, or, not",
}
_REMEDIES = (
    (re.compile(r"(?<![=!<>])=(?!=)"), "write == for equal"),
    (re.compile(r"<>"), "write != for not equal"),
    (re.compile(r"\b(AND|OR|NOT|IN|IS)\b"), "write and, or, not, in and is in small letters"),
    (re.compile(r"&&|\|\||!(?!=)"), "write and, or and not as words"),
    (re.compile(r"[“”‘’«»]"), "a text stands in straight quotes"),
)


class _Reader:
    """Reads one text; ``columns`` fills with what it names."""

    def __init__(self, text: str) -> None:
        self.text = text
        # Each by one blank, so that positions stay; a line of its own would end the expression.
        unbroken = re.sub(r"[\r\n\t\f\v]", " ", text)
        self.line = unbroken.lstrip(" ")
        self.start = len(unbroken) - len(self.line)
        self.columns: set[str] = set()

    def read(self) -> AudienceFilter:
        if len(self.text) > LONGEST_FILTER:
            raise AudienceError(f"it has {len(self.text):,} characters; at most {LONGEST_FILTER:,} are read")
        if not self.line:
            raise AudienceError("it is empty; leave it out to mean everyone")
        tree = self._parse()
        expression = func.coalesce(self._condition(tree, 0), false(), type_=Boolean)
        return AudienceFilter(self.text, expression, frozenset(self.columns))

    def _parse(self) -> ast.expr:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.line, mode="eval").body
        except SyntaxError as error:
            position = min(max(error.offset or 1, 1), len(self.line) + 1) + self.start
            remedy = next((f"; {words}" for sign, words in _REMEDIES if sign.search(self.line)), "")
            raise AudienceError(f"at character {position}: it cannot be read ({error.msg}){remedy}") from None
        except (ValueError, RecursionError, MemoryError):
            raise AudienceError("it cannot be read: a character or a number is impossible, or it is too deep") from None
        rest = self.line.encode()[tree.end_col_offset or 0 :].decode().lstrip(" )")
        if rest:
            raise AudienceError(f"at character {len(self.text) - len(rest) + 1}: a filter has no comments")
        return tree

    def _fail(self, node: ast.expr, message: str) -> NoReturn:
        # Python counts bytes.
        position = len(self.line.encode()[: node.col_offset].decode()) + self.start + 1
        raise AudienceError(f"at character {position}: {message}")

    # --- conditions --------------------------------------------------------------------------------------------------

    def _condition(self, node: ast.expr, depth: int) -> ColumnElement[bool]:
        if depth > DEEPEST_FILTER:
            self._fail(node, f"more than {DEEPEST_FILTER} levels deep")
        if isinstance(node, ast.BoolOp):
            join = and_ if isinstance(node.op, ast.And) else or_
            return join(*[self._condition(value, depth + 1) for value in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return not_(self._condition(node.operand, depth + 1))
        if isinstance(node, ast.Compare):
            sides = [self._side(side) for side in (node.left, *node.comparators)]
            return and_(*[self._pair(*pair) for pair in zip(sides, node.ops, sides[1:], strict=False)])
        words = self._operand(node).words
        self._fail(node, f"{words}, not a condition; compare it, as in recency >= 30")

    def _pair(self, left: _Operand, operator: ast.cmpop, right: _Operand) -> ColumnElement[bool]:
        if isinstance(operator, ast.Is | ast.IsNot):
            return self._known(left, right, wanted=isinstance(operator, ast.IsNot))
        if "nothing" in (left.kind, right.kind):
            self._fail(left.node, "None is compared by is and is not, as in recency is None")
        if left.column is None and right.column is None:
            self._fail(left.node, "this compares two constants; name a column")
        if isinstance(operator, ast.In | ast.NotIn):
            found = self._among(left, right)
            return not_(found) if isinstance(operator, ast.NotIn) else found
        return self._compared(left, operator, right)

    def _known(self, left: _Operand, right: _Operand, *, wanted: bool) -> ColumnElement[bool]:
        if right.kind != "nothing" or left.column is None:
            self._fail(left.node, "is and is not stand between a column and None")
        # Of a list, nothing known is an empty one.
        is_unknown = func.cardinality(left.sql) == 0 if left.kind == "list" else left.sql.is_(None)
        return not_(is_unknown) if wanted else is_unknown

    def _among(self, left: _Operand, right: _Operand) -> ColumnElement[bool]:
        if left.kind == "list":
            self._fail(left.node, f'{left.words}; ask for one text in it, as in "Coffee" in preferred_categories')
        if right.column is not None and right.kind == "list":
            if left.kind != "text":
                self._fail(left.node, f"{right.words}; {left.words}")
            return left.sql == any_(right.sql)
        if right.kind != "list":
            self._fail(right.node, f"{right.words}; in asks for a list, as in [1, 2]")
        values: Sequence[_Operand] = right.value
        for value in values:
            self._same_kind(left, value)
        return left.sql.in_([value.sql for value in values])

    def _compared(self, left: _Operand, operator: ast.cmpop, right: _Operand) -> ColumnElement[bool]:
        for side in (left, right):
            if side.kind == "list":
                self._fail(side.node, f"{side.words}; ask with in and not in")
        if left.kind == right.kind == "text" and not isinstance(operator, ast.Eq | ast.NotEq):
            self._fail(left.node, f"{left.words}; texts are compared by ==, !=, in and not in")
        self._same_kind(left, right)
        comparison: ColumnElement[bool] = _COMPARISONS[type(operator)](left.sql, right.sql)
        return comparison

    def _same_kind(self, left: _Operand, right: _Operand) -> None:
        column, other = (left, right) if left.column is not None else (right, left)
        if left.kind != right.kind:
            self._fail(other.node, f"{column.words}; {other.words}")
        if column.column and column.column.values and other.column is None and other.value not in column.column.values:
            known = column.column.values
            self._fail(
                other.node,
                f"{column.column.name} is never {_shown(other.value)}{_nearest(other.value, known)} "
                f"(known: {', '.join(known)})",
            )

    # --- what is compared --------------------------------------------------------------------------------------------

    def _side(self, node: ast.expr) -> _Operand:
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            values = [self._operand(element) for element in node.elts]
            for value in values:
                if value.column is not None or value.kind not in ("number", "text"):
                    self._fail(value.node, "a list is of numbers or of texts")
            if not values:
                self._fail(node, "the list is empty")
            return _Operand(node, "list", value=values)
        return self._operand(node)

    def _operand(self, node: ast.expr) -> _Operand:
        if isinstance(node, ast.Name):
            return self._named(node)
        if isinstance(node, ast.Constant):
            return self._constant(node, node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            number: Any = node.operand.value if isinstance(node.operand, ast.Constant) else None
            if _is_number(number):
                return self._constant(node, -number if isinstance(node.op, ast.USub) else number)
        self._fail(node, _REFUSED.get(type(node), "this is not part of a filter"))

    def _named(self, node: ast.Name) -> _Operand:
        known = COLUMNS.get(node.id)
        if known is None:
            if node.id.lower() in ("null", "nil", "nan"):
                self._fail(node, f"write None instead of {node.id}")
            self._fail(
                node,
                f"there is no column {node.id}{_nearest(node.id, COLUMNS)}; a text stands in quotes "
                f"(known: {', '.join(COLUMNS)})",
            )
        self.columns.add(known.name)
        return _Operand(node, known.kind, known)

    def _constant(self, node: ast.expr, value: Any) -> _Operand:
        if value is None:
            return _Operand(node, "nothing")
        if isinstance(value, str):
            if not _is_storable(value):
                self._fail(node, "the text holds a character that no table can hold")
            return _Operand(node, "text", value=value)
        if _is_number(value):
            if not abs(value) <= LARGEST_NUMBER:
                self._fail(node, f"the number is beyond {LARGEST_NUMBER:,.0f}")
            return _Operand(node, "number", value=value)
        self._fail(node, f"{_shown(value)} is neither a number nor a text in quotes")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_storable(text: str) -> bool:
    """Neither NUL nor half of a surrogate pair, which Postgres' UTF-8 has not."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _shown(value: Any) -> str:
    shown = "the list" if isinstance(value, list) else repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."


def _nearest(name: str, known: Any) -> str:
    nearest = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""
