"""Made-up nights to decide on, from seeds, and what no decision may ever do, by plain counting."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow

from include.business_time import day_bounds, in_quiet_hours
from include.db.tables import DECISIONS
from include.scheduling.assignment import TREATED, hash_shares
from include.scheduling.audience import Audience
from include.scheduling.campaigns import Campaign
from include.scheduling.caps import Sent
from include.scheduling.draws import WHOLE
from include.scheduling.hour_counts import SparseCounts
from include.scheduling.hour_model import HourModel, HourPosterior
from include.scheduling.night import Kept, Night
from include.scheduling.outcome import Outcome
from include.scheduling.people import People
from include.scheduling.slots import HOURS, Hours, microseconds
from include.settings import CHANNELS, SchedulingSettings

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Apia")
ODD_DAYS = (
    date(2017, 3, 26),  # Berlin puts the clock forward
    date(2017, 10, 29),  # and back
    date(2017, 3, 12),  # New York
    date(2017, 11, 5),
    date(2017, 10, 1),  # Lord Howe, by half an hour
    date(2017, 4, 2),
    date(2011, 12, 30),  # Samoa leaves this day out
    date(2011, 12, 31),
    date(1995, 1, 1),  # so did Kiritimati
    date(1994, 12, 31),
    date(2017, 12, 1),
)


@dataclass(frozen=True)
class MadeRates:
    """Click rates as a model that has learned little tells them, of a few customers."""

    counts: tuple[SparseCounts, ...]
    model: HourModel = field(default_factory=lambda: HourModel.first(0.02, 1))

    @property
    def rate(self) -> np.ndarray:
        everyone = np.arange(len(self.counts[0]))
        means = [self.posterior(channel, everyone).mean for channel in range(len(CHANNELS))]
        return np.stack(means).astype(np.float32)

    @property
    def log_variance(self) -> np.ndarray:
        everyone = np.arange(len(self.counts[0]))
        return np.stack([self.posterior(channel, everyone).log_variance for channel in range(len(CHANNELS))])

    def posterior(self, channel: int, customers: np.ndarray) -> HourPosterior:
        return self.model.posterior(self.counts[channel].of(customers), 0)

    @classmethod
    def of(cls, random: np.random.Generator, customers: int, *, messages: int = 6) -> MadeRates:
        """messages: about as many of each customer's are known."""
        counts = []
        for _ in CHANNELS:
            cells = np.unique(random.integers(0, customers * 2 * HOURS, customers * messages))
            sends = random.integers(1, 4, len(cells)).astype(float)
            activity = np.zeros((customers, HOURS), np.float32)
            clicks = random.binomial(sends.astype(int), 0.2).astype(float)
            counts.append(SparseCounts(cells, sends, clicks, np.zeros(customers, np.int64), activity))
        return cls(tuple(counts))


@dataclass(frozen=True)
class _Told:
    """Rates worked out once."""

    rate: np.ndarray
    log_variance: np.ndarray
    made: MadeRates

    def posterior(self, channel: int, customers: np.ndarray) -> HourPosterior:
        return self.made.posterior(channel, customers)


def people_of(random: np.random.Generator, customers: int, zones: Sequence[str], reached: float = 0.8) -> People:
    obstacle = np.where(random.random((2, customers)) < reached, 0, random.integers(1, 4, (2, customers)))
    ids = pyarrow.array([f"c{number:06d}" for number in range(customers)])
    named = ("", "no_consent", "no_address", "bounce")
    return People(
        ids, random.integers(0, len(zones), customers), tuple(zones), obstacle, named, np.full(customers, np.nan)
    )


def made_night(
    seed: int,
    scheduling: SchedulingSettings,
    *,
    send_date: date = date(2017, 12, 1),
    business_zone: str = "UTC",
    customers: int = 30,
    campaigns: Sequence[Campaign],
    zones: Sequence[str] = ZONES,
    reached: float = 0.8,
    earlier: float = 1.5,
    held_out: float = 0.05,
    prefix: str = "c",
    clicked: bool = True,
) -> Night:
    """earlier: messages of the last eight days by customer, on average, a few of them still to go. clicked: whether
    anything is known of how customers respond.
    """
    random = np.random.default_rng(seed)
    end_of_day = day_bounds(send_date - timedelta(days=1), business_zone)[1]
    people = people_of(random, customers, zones, reached)
    ids = [prefix + name[1:] for name in people.ids.to_pylist()]
    sent = random.poisson(earlier * customers)
    at = microseconds(end_of_day) + (random.uniform(-8 * 86400, 86400 / 2, sent) * 1e6).astype(np.int64)
    rates = MadeRates.of(random, customers, messages=6 if clicked else 0)
    margin = np.where(random.random((len(campaigns), customers)) < 0.9, random.gamma(2, 5, customers), np.nan)

    def shares(salt: str, some: np.ndarray | None) -> np.ndarray:
        return hash_shares(salt, ids if some is None else [ids[one] for one in some])

    fatigue = random.exponential(0.0005, (len(CHANNELS), customers))

    def weary(some: np.ndarray, tonight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return fatigue[:, some] * (1 + tonight), np.repeat(0.8 ** tonight[None], len(CHANNELS), axis=0)

    return Night(
        business_date=send_date - timedelta(days=1),
        send_date=send_date,
        end_of_day=end_of_day,
        campaigns=list(campaigns),
        people=people,
        hours=Hours.of(send_date, people.zones, scheduling, not_before=end_of_day),
        beliefs=_Told(rates.rate, rates.log_variance, rates),
        audiences=[
            Audience((random.random(customers) < 0.1).astype(np.uint8), {}, {1: "Another segment."}) for _ in campaigns
        ],
        holdout_id="made up",
        is_held_out=random.random(customers) < held_out,
        margin=margin.astype(np.float32),
        orders_per_click=random.uniform(0.02, 0.05, (len(campaigns), len(CHANNELS))),
        fatigue=fatigue.astype(np.float32),
        click_factor=np.ones(fatigue.shape, np.float32),
        weary=weary,
        credit=np.zeros(len(campaigns)),
        sent=Sent.of(random.integers(0, customers, sent), at, random.integers(0, 2, sent).astype(np.int8)),
        kept=NOTHING_KEPT,
        shares=shares,
    )


NOTHING_KEPT = Kept(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int8), np.zeros(0, np.int64))


def made_campaign(number: int, **fields: Any) -> Campaign:
    told: dict[str, Any] = {
        "campaign_id": f"campaign-{number}",
        "channels": CHANNELS,
        "audience": None,
        "audience_filter": None,
        "trigger": None,
        "template": None,
        "purpose": "next_purchase",
        "items_per_message": 4,
        "cost_per_message": 0.001,
        "control_share": 0.1,
    }
    return Campaign(**told | fields)


def taken_up(night: Night, outcome: Outcome, seed: int, share: float) -> Night:
    """``night`` after delivery has taken up messages of this share of its decisions, which are kept whole."""
    random = np.random.default_rng(seed)
    messages = outcome.messages
    is_taken_up = random.random(outcome.decision.shape) < share
    some = messages.of(is_taken_up[messages.campaign, messages.customer])
    at = night.hours.send_at[night.people.zone[some.customer], some.choice % HOURS]
    return replace(night, kept=Kept(some.campaign, some.customer, (some.choice // HOURS).astype(np.int8), at))


# --- what may never be -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Going:
    """One message: to whom, on which channel, when; new: planned tonight."""

    customer: int
    channel: int
    at: datetime
    new: bool
    tonight: bool


def faults(night: Night, scheduling: SchedulingSettings, outcome: Outcome) -> list[str]:
    """Everything that is wrong with ``outcome``, in words."""
    going = _going(night, outcome)
    return [
        *_decision_faults(night, outcome),
        *_hour_faults(night, scheduling, going),
        *_cap_faults(night, scheduling, going),
        *_capacity_faults(night, scheduling, going),
        *_budget_faults(night, outcome),
    ]


def _going(night: Night, outcome: Outcome) -> list[Going]:
    def instant(at: int) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(at))

    sent, kept, messages = night.sent, night.kept, outcome.messages
    at = night.hours.send_at[night.people.zone[messages.customer], messages.choice % HOURS]
    return [
        *(
            Going(int(one), int(channel), instant(when), new=False, tonight=False)
            for one, channel, when in zip(sent.customer, sent.channel, sent.at, strict=True)
        ),
        *(
            Going(int(one), int(channel), instant(when), new=False, tonight=True)
            for one, channel, when in zip(kept.customer, kept.channel, kept.send_at, strict=True)
        ),
        *(
            Going(int(one), int(choice) // HOURS, instant(when), new=True, tonight=True)
            for one, choice, when in zip(messages.customer, messages.choice, at, strict=True)
        ),
    ]


def _decision_faults(night: Night, outcome: Outcome) -> list[str]:
    found = []
    if (outcome.decision[~outcome.is_kept] >= len(DECISIONS)).any():
        found.append("a customer without a decision")
    messages = outcome.messages
    firsts, seconds = messages.of(~messages.is_second), messages.of(messages.is_second)
    goes, channel = np.zeros(outcome.decision.shape, int), np.full(outcome.decision.shape, -1)
    np.add.at(goes, (firsts.campaign, firsts.customer), 1)
    channel[firsts.campaign, firsts.customer] = firsts.choice // HOURS
    if (goes[seconds.campaign, seconds.customer] != 1).any():
        found.append("a second message without its first")
    if (channel[seconds.campaign, seconds.customer] == seconds.choice // HOURS).any():
        found.append("a second message on the channel of the first")
    if len({*zip(seconds.campaign.tolist(), seconds.customer.tolist(), strict=True)}) < len(seconds):
        found.append("more than one second message")
    scheduled = (outcome.decision == DECISIONS.index("scheduled")) & ~outcome.is_kept
    if (goes != scheduled).any():
        found.append("a decision without its message, or a message without its decision")
    if (outcome.arm[messages.campaign, messages.customer] != TREATED).any():
        found.append("a message to a customer who is not treated")
    if (night.people.obstacle[messages.choice // HOURS, messages.customer] != 0).any():
        found.append("a message on a channel that may not be used")
    if (messages.probabilities.sum(axis=1) != WHOLE).any():
        found.append("probabilities that do not sum to 1")
    for campaign, customer, choice in zip(messages.campaign, messages.customer, messages.choice, strict=True):
        if CHANNELS[choice // HOURS] not in night.campaigns[campaign].channels:
            found.append("a channel that is none of the campaign's")
        if not night.audiences[campaign].members[customer]:
            found.append("a message outside the audience")
    return found


def _hour_faults(night: Night, scheduling: SchedulingSettings, going: list[Going]) -> list[str]:
    found = []
    for one in going:
        zone = night.people.zones[night.people.zone[one.customer]]
        if one.new:
            local = one.at.astimezone(ZoneInfo(zone))
            if in_quiet_hours(one.at, zone, scheduling.quiet_from, scheduling.quiet_until):
                found.append(f"{local} lies in quiet hours")
            if local.date() != night.send_date or local.minute or one.at < night.end_of_day:
                found.append(f"{local} is no hour of {night.send_date} still to come")
    return found


def _cap_faults(night: Night, scheduling: SchedulingSettings, going: list[Going]) -> list[str]:
    found = []
    of_customer: dict[int, list[Going]] = defaultdict(list)
    for one in going:
        of_customer[one.customer].append(one)
    scopes = [(scheduling, None), *((scheduling.channels.of(name), number) for number, name in enumerate(CHANNELS))]
    for customer, messages in of_customer.items():
        zone = ZoneInfo(night.people.zones[night.people.zone[customer]])
        for limits, channel in scopes:
            mine = [one for one in messages if channel is None or one.channel == channel]
            new = [one for one in mine if one.new]
            if not new:
                continue
            days = Counter(one.at.astimezone(zone).date() for one in mine)
            weeks = Counter(one.at.astimezone(zone).isocalendar()[:2] for one in mine)
            for one in new:
                local = one.at.astimezone(zone)
                if days[local.date()] > (limits.messages_per_day or 99):
                    found.append(f"{days[local.date()]} messages on a day ({channel})")
                if weeks[local.isocalendar()[:2]] > (limits.messages_per_calendar_week or 99):
                    found.append(f"too many messages in a week ({channel})")
                for end in mine:
                    window = [other for other in mine if end.at - timedelta(days=7) < other.at <= end.at]
                    if one in window and len(window) > (limits.messages_per_week or 99):
                        found.append(f"{len(window)} messages in seven days ({channel})")
    return found


def _capacity_faults(night: Night, scheduling: SchedulingSettings, going: list[Going]) -> list[str]:
    found = []
    hours = [one.at.replace(minute=0, second=0, microsecond=0) for one in going]
    new_hours = {(hour, one.channel) for one, hour in zip(going, hours, strict=True) if one.new}
    by_hour = Counter(hours)
    by_slot = Counter((hour, one.channel) for one, hour in zip(going, hours, strict=True))
    by_day = Counter(one.channel for one in going if one.tonight)
    for hour, channel in new_hours:
        limits = scheduling.channels.of(CHANNELS[channel])
        if by_hour[hour] > (scheduling.hourly_capacity or 10**9):
            found.append(f"{by_hour[hour]} messages in an hour")
        if by_slot[hour, channel] > (limits.hourly_capacity or 10**9):
            found.append(f"{by_slot[hour, channel]} messages in an hour of {CHANNELS[channel]}")
        most = limits.most_on(night.send_date)
        if most is not None and by_day[channel] > most:
            found.append(f"{by_day[channel]} messages on a day of {CHANNELS[channel]}")
    return found


def _budget_faults(night: Night, outcome: Outcome) -> list[str]:
    spent = np.bincount(outcome.messages.campaign, outcome.messages.cost, minlength=len(night.campaigns))
    kept = np.bincount(night.kept.campaign[night.kept.campaign >= 0], minlength=len(night.campaigns))
    return [
        f"{campaign.campaign_id} spends {spent[number]} of {campaign.daily_budget}"
        for number, campaign in enumerate(night.campaigns)
        if campaign.daily_budget is not None
        and spent[number]
        and spent[number] + kept[number] * campaign.cost_per_message > campaign.daily_budget + 1e-9
    ]


# --- cases of every kind ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A night with its rules."""

    night: Night
    scheduling: SchedulingSettings

    @classmethod
    def of(cls, seed: int) -> Case:
        """Any mixture of caps, capacities, budgets, priorities, zones and odd days."""
        random = np.random.default_rng([seed, 3])

        def one_of(*choices: Any) -> Any:
            return choices[random.integers(len(choices))]

        overall = one_of(None, None, 2, 5)
        channels = {name: _limits_of(one_of, random, overall is None) for name in CHANNELS}
        scheduling = SchedulingSettings(
            messages_per_day=one_of(1, 2, 3),
            messages_per_week=one_of(2, 3, 4),
            messages_per_calendar_week=one_of(None, None, 3),
            hourly_capacity=overall,
            channels=channels,
            quiet_from=one_of(time(21), time(18), time(20, 30)),
            quiet_until=one_of(time(8), time(9, 30), time(2)),
            random_hour_share=one_of(0.05, 0.5),
            boldness=one_of(0.1, 1.0),
        )
        campaigns = [
            made_campaign(
                number,
                priority=one_of(None, 1, 2),
                daily_budget=one_of(None, None, 0.005, 0.0),
                channels=one_of(CHANNELS, CHANNELS, CHANNELS[:1], CHANNELS[1:]),
                cost_per_message=one_of(0.0, 0.001, 0.003),
                control_share=one_of(0.0, 0.1, 0.4),
            )
            for number in range(random.integers(1, 4))
        ]
        campaigns.sort(key=lambda campaign: (campaign.priority is None, -(campaign.priority or 0)))
        night = made_night(
            seed,
            scheduling,
            send_date=one_of(*ODD_DAYS),
            business_zone=one_of("UTC", "America/New_York", "Pacific/Kiritimati"),
            customers=int(random.integers(1, 40)),
            campaigns=campaigns,
        )
        return cls(night, scheduling)


def _limits_of(one_of: Any, random: np.random.Generator, may_bound_days: bool) -> dict[str, Any]:
    warm_up = {"starts_on": date(1994, 1, 1), "first_day": int(random.integers(1, 6)), "growth": 1.0001}
    return {
        "messages_per_day": one_of(None, 1),
        "messages_per_week": one_of(None, 2),
        "messages_per_calendar_week": one_of(None, 2),
        "hourly_capacity": one_of(None, 2, 4),
        "daily_capacity": one_of(None, 10) if may_bound_days else None,
        "warm_up": one_of(None, warm_up) if may_bound_days else None,
    }
