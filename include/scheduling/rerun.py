"""A night planned again after delivery has taken up some of its messages: they stay, the rest fits beside them. Pure.

The night is decided as if nothing had been taken up. On the same data that gives every message taken up its own place
again, and nothing else is to do. On changed data a message taken up may stand where another was put: then of that
customer's new messages those that break a cap beside it are taken back, and of a slot too full some move on. A second
message goes only with its first: what one of them keeps, keeps both, and what takes back a first takes back its second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.scheduling.campaigns import tiers
from include.scheduling.capacity import UNPLACED, Capacity, Load, repair
from include.scheduling.caps import Caps, Sent, room_of
from include.scheduling.drawing import Drawing
from include.scheduling.night import Kept, Mask, Night, Numbers
from include.scheduling.outcome import CODE, Messages, Outcome, Sentences
from include.scheduling.slots import HOURS
from include.scheduling.values import CHOICES, after_first, values
from include.settings import CHANNELS, SchedulingSettings

TAKEN_UP = "A message taken up before this rerun fills the caps."
NO_MONEY_LEFT = "The campaign's budget of the day is spent on messages taken up before this rerun and worth more."
NO_ROOM_LEFT = "All feasible hours are full: messages taken up before this rerun have their room."


def keep(night: Night, scheduling: SchedulingSettings, outcome: Outcome) -> Outcome:
    """``outcome`` with the messages of ``night.kept`` in their places."""
    if not len(night.kept):
        return outcome
    is_kept = outcome.is_kept.copy()
    known = night.kept.campaign >= 0
    is_kept[night.kept.campaign[known], night.kept.customer[known]] = True
    messages = outcome.messages
    others = messages.of(~is_kept[messages.campaign, messages.customer])
    kept = replace(outcome, is_kept=is_kept, messages=others)
    if _same_place(night, messages):
        return kept
    return _Fitting(night, scheduling, kept).fit()


def _instants(night: Night, messages: Messages) -> Numbers:
    return night.hours.send_at[night.people.zone[messages.customer], messages.choice % HOURS]


def _same_place(night: Night, messages: Messages) -> bool:
    """Whether every message taken up was given its own channel and instant again."""
    kept, size = night.kept, len(night.people)

    def named(campaign: Numbers, customer: Numbers, channel: NDArray[np.integer[Any]]) -> Numbers:
        return (campaign * size + customer) * len(CHANNELS) + channel

    planned = named(messages.campaign, messages.customer, messages.choice // HOURS)
    if not len(planned):
        return False
    order = np.argsort(planned)
    taken_up = named(kept.campaign, kept.customer, kept.channel)
    place = order[np.searchsorted(planned[order], taken_up).clip(max=len(planned) - 1)]
    again = (planned[place] == taken_up) & (_instants(night, messages)[place] == kept.send_at)
    return bool(again.all())


class _Fitting:
    def __init__(self, night: Night, scheduling: SchedulingSettings, outcome: Outcome) -> None:
        self.night, self.scheduling, self.outcome = night, scheduling, outcome
        self.caps = Caps.of(scheduling)
        self.decision, self.sentence = outcome.decision.copy(), outcome.sentence.copy()
        self.sentences = Sentences()
        for text in outcome.sentences:
            self.sentences.number(text)

    def fit(self) -> Outcome:
        beside_kept = np.zeros(len(self.night.people), bool)
        beside_kept[self.night.kept.customer] = True
        messages = self._within_caps(self.outcome.messages, beside_kept, "capped", TAKEN_UP)
        messages = self._within_budgets(messages)
        messages = self._within_capacity(messages)
        return replace(
            self.outcome,
            decision=self.decision,
            sentence=self.sentence,
            sentences=self.sentences.texts,
            messages=messages,
        )

    def _only(self, messages: Messages, stays: Mask, decision: str, sentence: str) -> Messages:
        """Those that stay, but for seconds whose first does not; firsts that do not are decided so."""
        lost = messages.of(~stays & ~messages.is_second)
        self.decision[lost.campaign, lost.customer] = CODE[decision]
        self.sentence[lost.campaign, lost.customer] = self.sentences.number(sentence)
        goes = self.decision[messages.campaign, messages.customer] == CODE["scheduled"]
        return messages.of(stays & goes)

    def _within_caps(self, messages: Messages, touched: Mask, decision: str, sentence: str) -> Messages:
        """The more important campaign's message stays, as far as there is room beside those taken up.

        touched: (customers,), who may have too many; of the others all stay.
        """
        sent = _also(self.night.sent, self.night.kept)
        stays = np.ones(len(messages), bool)
        is_lost = np.zeros(self.decision.shape, bool)
        for of_turn in self._turns(messages):
            rows = np.flatnonzero(of_turn & touched[messages.customer])
            some = messages.of(rows)
            fits = _open(self.night, some.customer, sent, self.caps)[np.arange(len(rows)), some.choice]
            # A second without its first takes no room.
            fits &= ~is_lost[some.campaign, some.customer]
            is_lost[some.campaign[~fits], some.customer[~fits]] = True
            stays[rows] = fits
            there = some.of(fits)
            sent = sent.and_also(there.customer, _instants(self.night, there), there.choice // HOURS)
        return self._only(messages, stays, decision, sentence)

    def _turns(self, messages: Messages) -> Iterator[Mask]:
        """(messages,) each, of one campaign, as ``decide`` gives room: a tier's first messages before its second."""
        for tier in tiers(self.night.campaigns):
            for of_turn in (~messages.is_second, messages.is_second):
                for campaign in tier:
                    yield of_turn & (messages.campaign == campaign)

    def _within_budgets(self, messages: Messages) -> Messages:
        """What messages taken up have left of a budget goes to the first messages worth most, then to second ones."""
        stays = np.ones(len(messages), bool)
        for number, campaign in enumerate(self.night.campaigns):
            if campaign.daily_budget is None:
                continue
            left = campaign.daily_budget - (self.night.kept.campaign == number).sum() * campaign.cost_per_message
            rows = np.flatnonzero(messages.campaign == number)
            rows = rows[np.lexsort((-messages.value[rows], messages.is_second[rows]))]
            stays[rows] = np.cumsum(messages.cost[rows]) <= left * (1 + 1e-12)
        return self._only(messages, stays, "over_budget", NO_MONEY_LEFT)

    def _within_capacity(self, messages: Messages) -> Messages:
        """First messages move on as if there were no second ones, which have what is left."""
        night, kept = self.night, self.night.kept
        capacity = Capacity.of(self.scheduling, night.hours, night.send_date)
        used = capacity.taken_by(night.sent.channel, night.sent.at, of_night=False)
        used = used + capacity.taken_by(kept.channel, kept.send_at, of_night=True)
        beside_moved = np.zeros(len(night.people), bool)
        for of_seconds in (False, True):
            choice = messages.choice.copy()
            of_turn = messages.is_second == of_seconds
            known = messages.of(of_turn | ~messages.is_second)
            choice[of_turn] = self._repaired(messages.of(of_turn), known, capacity, used)
            is_placed = choice != UNPLACED
            moved = np.flatnonzero(is_placed & (choice != messages.choice))
            beside_moved[messages.customer[moved]] = True
            messages = Drawing(night, self.scheduling).moved(messages, moved, choice[moved], None)
            stays = is_placed & ~self._is_beside_first(messages)
            messages = self._only(messages, stays, "no_capacity", NO_ROOM_LEFT)
            there = messages.of(messages.is_second == of_seconds)
            used = used + capacity.load(capacity.slot_of[night.people.zone[there.customer], there.choice])
        # Each has moved as if the customer's others had not.
        return self._within_caps(messages, beside_moved, "no_capacity", NO_ROOM_LEFT)

    def _repaired(self, messages: Messages, known: Messages, capacity: Capacity, used: Load) -> Numbers:
        """(messages,): choices, UNPLACED where there is no room. messages: first ones alone, or second ones.

        known: themselves, and what else they go beside, as far as it is settled.
        """
        night, zone = self.night, self.night.people.zone[messages.customer]
        slot = capacity.slot_of[zone, messages.choice]
        if not capacity.is_over(used + capacity.load(slot))[slot].any():
            return messages.choice
        worth = np.full((len(messages), CHOICES), -np.inf)
        left = after_first(night, messages.campaign, messages.customer, messages.unclicked)
        for campaign in range(len(night.campaigns)):
            rows = np.flatnonzero(messages.campaign == campaign)
            mine = messages.of(rows)
            others = known.of((known.campaign != campaign) | (known.is_second != messages.is_second[0]))
            sent = _also(night.sent, night.kept)
            sent = sent.and_also(others.customer, _instants(night, others), others.choice // HOURS)
            open_ = _open(night, mine.customer, sent, self.caps) & (mine.probabilities > 0)
            open_[np.arange(len(rows)), mine.choice] = True
            worth[rows] = values(left, campaign, mine.customer, open_.reshape(len(rows), len(CHANNELS), HOURS))
        return repair(worth, zone, messages.choice, capacity, used)

    def _is_beside_first(self, messages: Messages) -> Mask:
        """(messages,): second ones on the channel that their first has moved to."""
        channel = np.full(self.decision.shape, -1)
        first = ~messages.is_second
        channel[messages.campaign[first], messages.customer[first]] = messages.choice[first] // HOURS
        return messages.is_second & (channel[messages.campaign, messages.customer] == messages.choice // HOURS)


def _also(sent: Sent, kept: Kept) -> Sent:
    return sent.and_also(kept.customer, kept.send_at, kept.channel)


def _open(night: Night, customers: Numbers, sent: Sent, caps: Caps) -> Mask:
    """(rows, choices); customers: ascending."""
    found = room_of(night.hours, night.people.zone, customers, sent, caps)
    return found.open.reshape(len(customers), CHOICES)
