"""What customers do by themselves on a business day: visits with searches, views and carts, orders, rare returns.

What a customer buys regularly falls due after a personal interval, whatever else happens: the rhythm is counted from
the first night, so that no day needs to know another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from include.simulator import rates
from include.simulator.catalogue import Catalogue, catalogue_of
from include.simulator.chance import (
    Floats,
    Numbers,
    Subjects,
    geometric,
    normal,
    numbered,
    opaque_ids,
    poisson,
    uniform,
)
from include.simulator.clock import DayClock
from include.simulator.people import DEVICES, EMAIL, People, drawn_category, people_of
from include.simulator.world import World

CUSTOMERS_AT_ONCE = 100_000
SECONDS_PER_VIEW = 45
SECONDS_AFTER_VIEWS = 240
"""Of a visit: cart, order, and a second for each further line."""
OWN_HOURS_SHARE, OWN_HOURS_SPREAD = 0.7, 2.5
ANY_HOURS, ANY_HOURS_SPREAD = 14.0, 4.0
"""Visits near the hours at which the customer also answers email, and the others."""
RETURNED_AT_HOURS = 12.0
_SEARCH, _CLICK, _CART, _ORDER, _STAPLE = 100, 101, 102, 103, 110
"""What an event of a visit is called within it; views are 0 to 64."""
_NOTHING = -1

EVENT_SCHEMA = pyarrow.schema(
    [
        ("event_id", pyarrow.string()),
        ("event_type", pyarrow.string()),
        ("customer_id", pyarrow.string()),
        ("occurred_at", pyarrow.timestamp("ms", "UTC")),
        ("item_id", pyarrow.string()),
        ("quantity", pyarrow.float64()),
        ("unit_price", pyarrow.float64()),
        ("query", pyarrow.string()),
        ("order_id", pyarrow.string()),
        ("message_id", pyarrow.string()),
        ("device", pyarrow.string()),
        ("channel", pyarrow.string()),
        ("generated", pyarrow.bool_()),
    ]
)
"""Columns of the landing contract, habits, and the mark of what is made up."""


@dataclass(frozen=True)
class _Visits:
    """Arrays of one entry per visit. subjects: what its draws go by. begins: seconds since 1970."""

    who: Numbers
    subjects: Subjects
    begins: Floats
    views: Numbers
    fills_cart: NDArray[np.bool_]
    orders: NDArray[np.bool_]
    due: NDArray[np.bool_]
    """(visits, staples): bought on this visit."""

    def __len__(self) -> int:
        return len(self.who)


@dataclass(frozen=True)
class _Lines:
    """Events of one kind. code: its name within the visit; item: −1 for none."""

    event_type: str
    visit: Numbers
    code: Numbers
    at: Floats
    item: Numbers
    quantity: Numbers | None = None


@dataclass(frozen=True)
class _Day:
    """A day of some customers, and what its draws need."""

    world: World
    clock: DayClock
    people: People
    catalogue: Catalogue

    @property
    def days(self) -> int:
        return self.world.days_since_first_night(self.clock.day)

    def names(self, what: str) -> tuple[object, ...]:
        return (self.world.seed, what, self.clock.day)


def events_of(world: World, day: date, business_time_zone: str) -> pyarrow.Table:
    """All events of the business day by customers themselves, in order of time; columns as ``EVENT_SCHEMA``."""
    today = _Day(world, DayClock.of(world, day, business_time_zone), people_of(world), catalogue_of(world))
    parts = []
    for start in range(0, world.customers, CUSTOMERS_AT_ONCE):
        who = np.arange(start, min(start + CUSTOMERS_AT_ONCE, world.customers))
        visits = _visits(today, who)
        parts += [_table(today, visits, lines) for lines in _browsing(today, visits)]
        parts += [_table(today, visits, lines) for lines in _buying(today, visits)]
        parts += _returns(today, who, business_time_zone)
    return pyarrow.concat_tables(parts).sort_by([("occurred_at", "ascending"), ("event_id", "ascending")])


def _visits(today: _Day, who: Numbers) -> _Visits:
    """Of these customers, in order of customer and number."""
    people, days = today.people, today.days
    who = who[people.joined[who] <= days]
    subjects = people.subjects[who]
    noon = today.clock.local(people.zone[who], np.full(len(who), today.clock.start + today.clock.seconds / 2))[1]
    mean = people.visits[who] * np.where(noon == 1, rates.WEEKEND_VISITS, 1.0)
    due = _due(today, who)
    count = poisson(subjects, mean, *today.names("visits")) + due.any(axis=1)
    owner = np.repeat(np.arange(len(who)), count)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    visits = numbered(subjects[owner], number)
    views = 1 + geometric(visits, rates.VIEWS_AFTER_FIRST, *today.names("views"))
    length = SECONDS_PER_VIEW * views + SECONDS_AFTER_VIEWS
    begins = today.clock.instant(people.zone[who[owner]], _hour(today, who[owner], visits, noon[owner]))
    begins = np.minimum(begins, today.clock.start + today.clock.seconds - length)
    fills_cart = uniform(visits, *today.names("cart")) < rates.CART_SHARE
    return _Visits(
        who=who[owner],
        subjects=visits,
        # A fraction of a second of its own: no two customers' events fall on one instant for long.
        begins=np.floor(begins) + np.round(uniform(visits, *today.names("fraction")), 3),
        views=views,
        fills_cart=fills_cart,
        orders=fills_cart & (uniform(visits, *today.names("order")) < rates.ORDER_SHARE),
        due=due[owner] & (number == 0)[:, None],
    )


def _due(today: _Day, who: Numbers) -> NDArray[np.bool_]:
    """(len(who), staples): what is bought again today."""
    people, days = today.people, today.days
    interval, phase = people.staple_interval[who], people.staple_phase[who]
    times_before, times = np.floor((days - 1 + phase) / interval), np.floor((days + phase) / interval)
    parts = numbered(people.subjects[who][:, None], np.arange(interval.shape[1]))
    here = uniform(parts, *today.names("bought here")) < rates.STAPLE_BOUGHT_HERE
    there = today.catalogue.in_stock(today.clock.day)[people.staples[who]]
    return (times > times_before) & here & there & (people.staples[who] != _NOTHING)


def _hour(today: _Day, who: Numbers, visits: Subjects, is_weekend: Numbers) -> Floats:
    own = today.people.hours.peaks[EMAIL, is_weekend, who] + OWN_HOURS_SPREAD * normal(visits, *today.names("own hour"))
    other = ANY_HOURS + ANY_HOURS_SPREAD * normal(visits, *today.names("any hour"))
    return np.where(uniform(visits, *today.names("which hour")) < OWN_HOURS_SHARE, own, other) % 24


def _item(today: _Day, visits: _Visits, visit: Numbers, view: Numbers) -> Numbers:
    """The item of a visit's view; a visit stays with its first category for half of its views."""
    who, parts = visits.who[visit], numbered(visits.subjects[visit], view)
    stays = uniform(parts, *today.names("stays")) < 0.5
    asked = np.where(stays, visits.subjects[visit], parts)
    taste = today.people.taste_on(who, today.days)
    category = drawn_category(taste, uniform(asked, *today.names("category")))
    place = uniform(parts, *today.names("item")) ** rates.RANK_POWER
    return today.catalogue.at_place(category, today.people.style[who], place)


def _browsing(today: _Day, visits: _Visits) -> list[_Lines]:
    """Views, searches, and clicks on what was found: the item of the first view."""
    every = np.arange(len(visits))
    visit = np.repeat(every, visits.views)
    view = np.arange(len(visit)) - np.repeat(np.cumsum(visits.views) - visits.views, visits.views)
    item = _item(today, visits, visit, view)
    first = item[view == 0]
    searches = np.flatnonzero(uniform(visits.subjects, *today.names("search")) < rates.SEARCH_SHARE)
    clicks = searches[uniform(visits.subjects[searches], *today.names("click")) < rates.CLICK_SHARE]
    return [
        _Lines("view", visit, view, visits.begins[visit] + 20 + SECONDS_PER_VIEW * view, item),
        _Lines("search", searches, np.full(len(searches), _SEARCH), visits.begins[searches], first[searches]),
        _Lines("click", clicks, np.full(len(clicks), _CLICK), visits.begins[clicks] + 10, first[clicks]),
    ]


def _buying(today: _Day, visits: _Visits) -> list[_Lines]:
    """Carts with the item of the last view, their orders, and what is bought regularly, on the same order."""
    stocked = today.catalogue.in_stock(today.clock.day)
    after = visits.begins + 20 + SECONDS_PER_VIEW * visits.views
    carts = np.flatnonzero(visits.fills_cart)
    item = _item(today, visits, carts, visits.views[carts] - 1)
    carts, item = carts[stocked[item]], item[stocked[item]]
    bought = visits.orders[carts]
    orders, ordered = carts[bought], item[bought]
    visit, staple = np.nonzero(visits.due)
    quantity = 1 + geometric(visits.subjects[orders], 0.3, *today.names("quantity"))
    again = 1 + geometric(numbered(visits.subjects[visit], staple), 0.5, *today.names("quantity"))
    staples = today.people.staples[visits.who[visit], staple]
    return [
        _Lines("add_to_cart", carts, np.full(len(carts), _CART), after[carts] + 30, item),
        _Lines("purchase", orders, np.full(len(orders), _ORDER), after[orders] + 120, ordered, quantity),
        _Lines("purchase", visit, _STAPLE + staple, after[visit] + 121 + staple, staples, again),
    ]


def _returns(today: _Day, who: Numbers, business_time_zone: str) -> list[pyarrow.Table]:
    """What these customers send back today: each returns after as many days as is their custom."""
    parts = []
    for after in rates.RETURN_DAYS:
        returning = who[today.people.return_days[who] == after]
        day = today.clock.day - timedelta(days=after)
        if len(returning) and day >= today.world.first_day:
            then = _Day(today.world, DayClock.of(today.world, day, business_time_zone), today.people, today.catalogue)
            parts += [_returned(today, then, lines, _visits(then, returning)) for lines in (1, 2)]
    return parts


def _returned(today: _Day, then: _Day, which: int, visits: _Visits) -> pyarrow.Table:
    lines = _buying(then, visits)[which]
    asked = numbered(visits.subjects[lines.visit], lines.code)
    kept = np.flatnonzero(uniform(asked, *then.names("return")) < rates.RETURN_RATE)
    who = visits.who[lines.visit[kept]]
    hour = (RETURNED_AT_HOURS + 3 * normal(asked[kept], *then.names("return hour"))) % 24
    at = np.floor(today.clock.instant(today.people.zone[who], hour)) + np.round(uniform(asked[kept], "fraction"), 3)
    quantity = None if lines.quantity is None else lines.quantity[kept]
    back = _Lines("return", lines.visit[kept], lines.code[kept], at, lines.item[kept], quantity)
    return _table(then, visits, back)


def _table(today: _Day, visits: _Visits, lines: _Lines) -> pyarrow.Table:
    who, visit = visits.who[lines.visit], lines.visit
    ids = today.people.ids.take(pyarrow.array(who))
    event = numbered(visits.subjects[visit], lines.code)
    # A return is not the purchase it undoes, but of the same order.
    called = "return" if lines.event_type == "return" else "event"
    items = today.catalogue.ids.take(pyarrow.array(lines.item))
    nothing = pyarrow.nulls(len(visit), pyarrow.string())
    is_search, is_priced = lines.event_type == "search", lines.quantity is not None
    price = today.catalogue.prices(today.clock.day)[lines.item]
    in_app = today.people.has_push[who] & (uniform(visits.subjects[visit], *today.names("in the app")) < 0.5)
    columns = {
        "event_id": opaque_ids(event, *today.names(f"{called} id")),
        "event_type": pyarrow.repeat(pyarrow.scalar(lines.event_type), len(visit)),
        "customer_id": ids,
        "occurred_at": instants(lines.at),
        "item_id": nothing if is_search else items,
        "quantity": pyarrow.array(lines.quantity, pyarrow.float64()) if is_priced else pyarrow.nulls(len(visit)),
        "unit_price": pyarrow.array(price) if is_priced else pyarrow.nulls(len(visit)),
        "query": _queries(today.catalogue, lines.item) if is_search else nothing,
        "order_id": opaque_ids(visits.subjects[visit], *today.names("order id")) if is_priced else nothing,
        "message_id": nothing,
        "device": pyarrow.array(DEVICES).take(pyarrow.array(today.people.device[who])),
        "channel": pyarrow.array(np.where(in_app, "app", "web")),
        "generated": pyarrow.repeat(pyarrow.scalar(True), len(visit)),
    }
    return pyarrow.table(columns).cast(EVENT_SCHEMA)


def instants(seconds: Floats) -> pyarrow.Array:
    """Seconds since 1970 as instants, to the millisecond."""
    return pyarrow.array(np.round(seconds * 1000).astype(np.int64)).cast(pyarrow.timestamp("ms", "UTC"))


def _queries(catalogue: Catalogue, item: Numbers) -> pyarrow.Array:
    names = pyarrow.array([name.lower() for name in catalogue.category_names()])
    return names.take(pyarrow.array(catalogue.category[item]))
