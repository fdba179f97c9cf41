"""Defects put into a day's events, so that it can be seen whether the gate finds them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from include.simulator.chance import of_texts, uniform
from include.simulator.world import DefectKind, World

Mask = NDArray[np.bool_]


def with_defects(world: World, day: date, events: pyarrow.Table) -> pyarrow.Table:
    """``events`` of the day with the defects that the world has for it; which rows they meet is seeded."""
    for defect in world.defects_of(day):
        subjects = (
            of_texts(events["event_id"].to_numpy(zero_copy_only=False)) if len(events) else np.zeros(0, np.uint64)
        )
        events = _MAKERS[defect.kind](events, uniform(subjects, world.seed, defect.kind, day) < defect.share)
    return events


def _set(events: pyarrow.Table, name: str, hit: Mask, value: pyarrow.Array | pyarrow.Scalar) -> pyarrow.Table:
    column = events[name].combine_chunks()
    return events.set_column(
        events.schema.get_field_index(name), name, pyarrow.compute.if_else(pyarrow.array(hit), value, column)
    )


def _purchases(events: pyarrow.Table) -> Mask:
    return np.asarray(pyarrow.compute.equal(events["event_type"], "purchase"))


def _no_events(events: pyarrow.Table, hit: Mask) -> pyarrow.Table:
    return events.slice(0, 0)


def _missing(events: pyarrow.Table, hit: Mask) -> pyarrow.Table:
    """A part of the export was cut off: not by chance, but from some hour on."""
    return events.slice(0, len(events) - int(hit.sum()))


def _repeated(events: pyarrow.Table, hit: Mask) -> pyarrow.Table:
    again = events.filter(pyarrow.array(hit))
    ids = pyarrow.compute.binary_join_element_wise(again["event_id"], "again", "-")
    return pyarrow.concat_tables([events, again.set_column(0, "event_id", ids)])


def _unknown_items(events: pyarrow.Table, hit: Mask) -> pyarrow.Table:
    return _set(events, "item_id", hit & np.asarray(events["item_id"].is_valid()), pyarrow.scalar("no such item"))


def _unknown_customers(events: pyarrow.Table, hit: Mask) -> pyarrow.Table:
    return _set(events, "customer_id", hit, pyarrow.scalar("no such customer"))


def _no_quantity(events: pyarrow.Table, hit: Mask) -> pyarrow.Table:
    return _set(events, "quantity", hit & _purchases(events), pyarrow.scalar(0.0))


def _unreadable_times(events: pyarrow.Table, hit: Mask) -> pyarrow.Table:
    """As text, and here and there without the offset."""
    name, column = "occurred_at", events["occurred_at"].combine_chunks()
    texts = pyarrow.compute.strftime(column, "%Y-%m-%dT%H:%M:%S")
    whole = pyarrow.compute.binary_join_element_wise(texts, "+00:00", "")
    mended = pyarrow.compute.if_else(pyarrow.array(hit), texts, whole)
    return events.set_column(events.schema.get_field_index(name), name, mended)


def _absurd_prices(events: pyarrow.Table, hit: Mask) -> pyarrow.Table:
    """Cents taken for units, and ten times that."""
    raised = pyarrow.compute.multiply(events["unit_price"].combine_chunks(), 1000.0)
    return _set(events, "unit_price", hit & _purchases(events), raised)


def _future_events(events: pyarrow.Table, hit: Mask) -> pyarrow.Table:
    days = pyarrow.scalar(400 * 86_400_000, pyarrow.duration("ms"))
    later = pyarrow.compute.add(events["occurred_at"].combine_chunks(), days)
    return _set(events, "occurred_at", hit, later)


def _missing_prices(events: pyarrow.Table, hit: Mask) -> pyarrow.Table:
    return _set(events, "unit_price", hit & _purchases(events), pyarrow.scalar(None, pyarrow.float64()))


_MAKERS: dict[DefectKind, Callable[[pyarrow.Table, Mask], pyarrow.Table]] = {
    "no_events": _no_events,
    "cut_off": _missing,
    "repeated": _repeated,
    "unknown_items": _unknown_items,
    "unknown_customers": _unknown_customers,
    "no_quantity": _no_quantity,
    "unreadable_times": _unreadable_times,
    "absurd_prices": _absurd_prices,
    "future_events": _future_events,
    "missing_prices": _missing_prices,
}
