"""The answers to messages as rows: engagements and events as they land, and the truth that is kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from include.settings import CHANNELS, Settings
from include.simulator.activity import EVENT_SCHEMA, instants
from include.simulator.catalogue import Catalogue, catalogue_of
from include.simulator.chance import Floats, Numbers, opaque_ids, uniform
from include.simulator.clock import DayClock
from include.simulator.people import DEVICES, PUSH, People, people_of
from include.simulator.responses import Answers, ClickTruth, answers, click_truth
from include.simulator.sent import Sent
from include.simulator.shop_files import CONSENT_SCHEMA, item_url
from include.simulator.world import World

ENGAGEMENT_SCHEMA = pyarrow.schema(
    [
        ("message_id", pyarrow.string()),
        ("campaign_id", pyarrow.string()),
        ("customer_id", pyarrow.string()),
        ("engagement_type", pyarrow.string()),
        ("occurred_at", pyarrow.timestamp("ms", "UTC")),
        ("user_agent", pyarrow.string()),
        ("url", pyarrow.string()),
        ("bounce_type", pyarrow.string()),
        ("generated", pyarrow.bool_()),
    ]
)
TRUTH_SCHEMA = pyarrow.schema(
    [
        ("message_id", pyarrow.string()),
        ("campaign_id", pyarrow.string()),
        ("customer_id", pyarrow.string()),
        ("channel", pyarrow.string()),
        ("sent_at", pyarrow.timestamp("ms", "UTC")),
        ("local_hour", pyarrow.float64()),
        ("is_weekend", pyarrow.bool_()),
        ("fit", pyarrow.float64()),
        ("load", pyarrow.float64()),
        ("true_click_rate", pyarrow.float64()),
        ("true_best_rate", pyarrow.float64()),
        ("true_random_rate", pyarrow.float64()),
        ("clicked", pyarrow.bool_()),
        ("true_order_rate", pyarrow.float64()),
        ("true_margin", pyarrow.float64()),
        ("ordered_at", pyarrow.timestamp("ms", "UTC")),
        ("ordered_margin", pyarrow.float64()),
    ]
)
"""One row per message. true_margin: expected of orders made because of it; ordered_at: null where there is none."""

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
PEOPLE_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/133.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_WEBKIT} Chrome/133.0.0.0 Mobile Safari/537.36",
)
FETCHING_AGENTS = (
    "Mozilla/5.0",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    PEOPLE_AGENTS[1],
)
"""One of them says nothing: only its haste gives it away."""
SCANNING_AGENTS = ("Barracuda Sentinel (EE)", PEOPLE_AGENTS[1])
APP_AGENT = "ShopApp/7.1 (Android 15)"


@dataclass(frozen=True)
class Reactions:
    """Rows that land, in order of time, and the truth about each message."""

    engagements: pyarrow.Table
    events: pyarrow.Table
    consents: pyarrow.Table
    truth: pyarrow.Table

    @classmethod
    def none(cls) -> Reactions:
        schemas = (ENGAGEMENT_SCHEMA, EVENT_SCHEMA, CONSENT_SCHEMA, TRUTH_SCHEMA)
        return cls(*(schema.empty_table() for schema in schemas))


@dataclass(frozen=True)
class _Sending:
    """A day's messages with what became of them."""

    world: World
    people: People
    catalogue: Catalogue
    day: date
    sent: Sent
    truth: ClickTruth
    answers: Answers

    def at_place(self, place: Numbers) -> Numbers:
        """The items at these positions; 0 where a message has none."""
        return np.maximum(np.take_along_axis(self.sent.items, place[:, None], axis=1)[:, 0], 0)


def reactions_to(world: World, settings: Settings, day: date, sent: Sent) -> Reactions:
    """All that comes of messages sent on the business ``day``, whenever it does."""
    if not len(sent):
        return Reactions.none()
    people, catalogue = people_of(world), catalogue_of(world)
    clock = DayClock.of(world, day, settings.business_time_zone)
    truth = click_truth(world, people, catalogue, clock, sent, _allowed_hours(settings))
    sending = _Sending(world, people, catalogue, day, sent, truth, answers(world, people, clock, sent, truth))
    return Reactions(
        engagements=_in_time(_engagements(sending)),
        events=_in_time(_events(sending)),
        consents=_in_time([_withdrawals(sending)]),
        truth=_truth(sending),
    )


def _allowed_hours(settings: Settings) -> list[int]:
    """Full hours outside quiet hours, as the shop's own rules have them."""
    start, end = settings.scheduling.quiet_from.hour, settings.scheduling.quiet_until.hour
    quiet = range(start, end) if start <= end else [*range(start, 24), *range(end)]
    return [hour for hour in range(24) if hour not in quiet]


def _in_time(tables: list[pyarrow.Table]) -> pyarrow.Table:
    return pyarrow.concat_tables(tables).sort_by([("occurred_at", "ascending"), ("customer_id", "ascending")])


def _engagements(sending: _Sending) -> list[pyarrow.Table]:
    told, sent, people = sending.answers, sending.sent, sending.people
    subjects, seed = sent.subjects(), sending.world.seed
    on_push = sent.channel == PUSH
    own = np.array(PEOPLE_AGENTS, dtype=object)[(uniform(subjects, seed, "agent") * len(PEOPLE_AGENTS)).astype(int)]
    fetching = np.array(FETCHING_AGENTS, dtype=object)[people.subjects[sent.who].astype(int) % len(FETCHING_AGENTS)]
    reader = np.where(on_push, APP_AGENT, own)
    clicked = _urls(sending, sending.at_place(told.clicked_place))
    later = told.reads_at + 120 + np.floor(1800 * uniform(subjects, seed, "clicks again after"))
    bounced = np.where(told.is_hard_bounce, "hard", "soft").astype(object)

    def rows(kind: str, which: NDArray[np.bool_], at: Floats, **columns: NDArray[np.object_]) -> pyarrow.Table:
        return _engagement_rows(sending, kind, np.flatnonzero(which), at, columns)

    return [
        rows("bounce", told.is_hard_bounce | told.is_soft_bounce, told.delivered_at, bounce_type=bounced),
        rows("delivered", ~told.is_hard_bounce & ~told.is_soft_bounce, told.delivered_at),
        rows("open", told.machine_opens, told.machine_at, user_agent=fetching),
        rows("open", told.opens, told.reads_at, user_agent=reader),
        rows("click", told.clicks, told.reads_at + 10, user_agent=reader, url=clicked),
        rows("click", told.clicks_again, later, user_agent=reader, url=clicked),
        rows("unsubscribe", told.unsubscribes & ~on_push, told.reads_at + 20, user_agent=own),
        rows("complaint", told.complains, told.reads_at + 30),
        *_scans(sending),
    ]


def _scans(sending: _Sending) -> list[pyarrow.Table]:
    """A gateway follows every link of the message, one a second."""
    tables = []
    agents = np.array(SCANNING_AGENTS, dtype=object)[sending.people.subjects[sending.sent.who].astype(int) % 2]
    agents = np.where(sending.answers.scans_late, PEOPLE_AGENTS[1], agents)
    for place in range(sending.sent.items.shape[1]):
        which = np.flatnonzero(sending.answers.scans & (sending.sent.items[:, place] >= 0))
        urls = _urls(sending, np.maximum(sending.sent.items[:, place], 0))
        at = sending.answers.machine_at + place
        tables.append(_engagement_rows(sending, "click", which, at, {"user_agent": agents, "url": urls}))
    return tables


def _urls(sending: _Sending, items: Numbers) -> NDArray[np.object_]:
    urls = np.array([item_url(item) for item in range(len(sending.catalogue))], dtype=object)
    return urls[items]


def _engagement_rows(
    sending: _Sending, kind: str, which: Numbers, at: Floats, columns: dict[str, NDArray[np.object_]]
) -> pyarrow.Table:
    """Rows of one type for the messages ``which``; the columns given are (messages,) of all."""
    sent, count = sending.sent, len(which)
    given = {name: pyarrow.array(values[which], pyarrow.string()) for name, values in columns.items()}
    nothing = pyarrow.nulls(count, pyarrow.string())
    rows = {
        "message_id": pyarrow.array(sent.message_id[which], pyarrow.string()),
        "campaign_id": pyarrow.array(sent.campaign_id[which], pyarrow.string()),
        "customer_id": sending.people.ids.take(pyarrow.array(sent.who[which])),
        "engagement_type": pyarrow.repeat(pyarrow.scalar(kind), count),
        "occurred_at": instants(at[which]),
        **{name: given.get(name, nothing) for name in ("user_agent", "url", "bounce_type")},
        "generated": pyarrow.repeat(pyarrow.scalar(True), count),
    }
    return pyarrow.table(rows).cast(ENGAGEMENT_SCHEMA)


def _events(sending: _Sending) -> list[pyarrow.Table]:
    """A click leads to the item's page, by a link that names the message; what was bought because of the message.

    A shop cannot know what it would have sold without a message, so such a purchase looks like any other.
    """
    told = sending.answers
    clicks, orders = np.flatnonzero(told.clicks), np.flatnonzero(told.orders)
    clicked, ordered = sending.at_place(told.clicked_place)[clicks], sending.at_place(told.ordered_place)[orders]
    return [
        _event_rows(sending, "view", clicks, told.reads_at + 12, clicked),
        _event_rows(sending, "purchase", orders, told.ordered_at, ordered),
    ]


def _event_rows(sending: _Sending, kind: str, which: Numbers, at: Floats, items: Numbers) -> pyarrow.Table:
    sent, people, count = sending.sent, sending.people, len(which)
    subjects, seed = sent.subjects()[which], sending.world.seed
    is_order, nothing = kind == "purchase", pyarrow.nulls(count)
    prices = sending.catalogue.prices(sending.day)[items]
    rows = {
        "event_id": opaque_ids(subjects, seed, f"{kind} id"),
        "event_type": pyarrow.repeat(pyarrow.scalar(kind), count),
        "customer_id": people.ids.take(pyarrow.array(sent.who[which])),
        "occurred_at": instants(at[which]),
        "item_id": sending.catalogue.ids.take(pyarrow.array(items)),
        "quantity": pyarrow.array(np.ones(count)) if is_order else nothing,
        "unit_price": pyarrow.array(prices) if is_order else nothing,
        "query": nothing,
        "order_id": opaque_ids(subjects, seed, "order id") if is_order else nothing,
        "message_id": nothing if is_order else pyarrow.array(sent.message_id[which], pyarrow.string()),
        "device": pyarrow.array(DEVICES).take(pyarrow.array(people.device[sent.who[which]])),
        "channel": pyarrow.array(np.where(sent.channel[which] == PUSH, "app", "web").astype(object), pyarrow.string()),
        "generated": pyarrow.repeat(pyarrow.scalar(True), count),
    }
    return pyarrow.table(rows).cast(EVENT_SCHEMA)


def _withdrawals(sending: _Sending) -> pyarrow.Table:
    """Who has had enough of app push turns it off; nothing else tells the shop."""
    sent = sending.sent
    which = np.flatnonzero(sending.answers.unsubscribes & (sent.channel == PUSH))
    rows = {
        "customer_id": sending.people.ids.take(pyarrow.array(sent.who[which])),
        "channel": pyarrow.repeat(pyarrow.scalar(CHANNELS[PUSH]), len(which)),
        "granted": pyarrow.repeat(pyarrow.scalar(False), len(which)),
        "occurred_at": instants(sending.answers.reads_at[which] + 20),
        "source": pyarrow.repeat(pyarrow.scalar("turned off in the app"), len(which)),
        "generated": pyarrow.repeat(pyarrow.scalar(True), len(which)),
    }
    return pyarrow.table(rows).cast(CONSENT_SCHEMA)


def _truth(sending: _Sending) -> pyarrow.Table:
    sent, truth, told, catalogue = sending.sent, sending.truth, sending.answers, sending.catalogue
    margins = (catalogue.prices(sending.day) * catalogue.margin_rate)[np.maximum(sent.items, 0)]
    ordered = np.take_along_axis(margins, told.ordered_place[:, None], axis=1)[:, 0]
    is_order = pyarrow.array(told.orders)
    columns = {
        "message_id": pyarrow.array(sent.message_id, pyarrow.string()),
        "campaign_id": pyarrow.array(sent.campaign_id, pyarrow.string()),
        "customer_id": sending.people.ids.take(pyarrow.array(sent.who)),
        "channel": pyarrow.array(CHANNELS).take(pyarrow.array(sent.channel)),
        "sent_at": instants(sent.sent_at),
        "local_hour": truth.hour,
        "is_weekend": truth.is_weekend == 1,
        "fit": truth.fit,
        "load": sent.load,
        "true_click_rate": truth.rate,
        "true_best_rate": truth.best_rate,
        "true_random_rate": truth.random_rate,
        "clicked": told.clicks,
        "true_order_rate": told.order_rate,
        "true_margin": told.order_rate * (told.item_share * margins).sum(axis=1),
        "ordered_at": pyarrow.compute.if_else(is_order, instants(told.ordered_at), None),
        "ordered_margin": np.where(told.orders, ordered, 0.0),
    }
    return pyarrow.table(columns).cast(TRUTH_SCHEMA)
