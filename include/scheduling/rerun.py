"""A night planned again after delivery has taken up some of its messages: they stay, the rest fits beside them. Pure.

The night is decided as if nothing had been taken up. On the same data that gives every message taken up its own place
again, and nothing else is to do. On changed data a message taken up may stand where another was put: then of that
customer's new messages those that break a cap beside it are taken back, and of a slot too full some move on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from include.scheduling.capacity import UNPLACED, Capacity, repair
from include.scheduling.caps import Caps, Sent, room_of
from include.scheduling.drawing import Drawing
from include.scheduling.night import Kept, Mask, Night, Numbers
from include.scheduling.outcome import CODE, Messages, Outcome, Sentences
from include.scheduling.slots import HOURS
from include.scheduling.values import CHOICES, values
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
    kept = night.kept
    size = len(night.people)
    planned = messages.campaign * size + messages.customer
    place = np.searchsorted(planned, kept.campaign * size + kept.customer)
    place[place == len(planned)] = 0
    if not len(planned):
        return False
    again = planned[place] == kept.campaign * size + kept.customer
    again &= (messages.choice[place] // HOURS == kept.channel) & (_instants(night, messages)[place] == kept.send_at)
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
        messages = self._within_caps(self.outcome.messages)
        messages = self._within_budgets(messages)
        messages = self._within_capacity(messages)
        return replace(
            self.outcome,
            decision=self.decision,
            sentence=self.sentence,
            sentences=self.sentences.texts,
            messages=messages,
        )

    def _refuse(self, messages: Messages, decision: str, sentence: str) -> None:
        self.decision[messages.campaign, messages.customer] = CODE[decision]
        self.sentence[messages.campaign, messages.customer] = self.sentences.number(sentence)

    def _within_caps(self, messages: Messages) -> Messages:
        """The more important campaign's message stays, as far as there is room beside those taken up."""
        kept, size = self.night.kept, len(self.night.people)
        touched = np.zeros(size, bool)
        touched[kept.customer] = True
        sent = _also(self.night.sent, kept)
        stays = np.ones(len(messages), bool)
        for campaign in range(len(self.night.campaigns)):
            rows = np.flatnonzero((messages.campaign == campaign) & touched[messages.customer])
            some = messages.of(rows)
            fits = _open(self.night, some.customer, sent, self.caps)[np.arange(len(rows)), some.choice]
            stays[rows] = fits
            there = some.of(fits)
            sent = sent.and_also(there.customer, _instants(self.night, there), there.choice // HOURS)
        self._refuse(messages.of(~stays), "capped", TAKEN_UP)
        return messages.of(stays)

    def _within_budgets(self, messages: Messages) -> Messages:
        """What messages taken up have left of a budget goes to those worth most."""
        stays = np.ones(len(messages), bool)
        for number, campaign in enumerate(self.night.campaigns):
            if campaign.daily_budget is None:
                continue
            left = campaign.daily_budget - (self.night.kept.campaign == number).sum() * campaign.cost_per_message
            rows = np.flatnonzero(messages.campaign == number)
            rows = rows[np.argsort(-messages.value[rows], kind="stable")]
            stays[rows] = np.cumsum(messages.cost[rows]) <= left * (1 + 1e-12)
        self._refuse(messages.of(~stays), "over_budget", NO_MONEY_LEFT)
        return messages.of(stays)

    def _within_capacity(self, messages: Messages) -> Messages:
        night, kept = self.night, self.night.kept
        capacity = Capacity.of(self.scheduling, night.hours, night.send_date)
        used = capacity.taken_by(night.sent.channel, night.sent.at, of_night=False)
        used = used + capacity.taken_by(kept.channel, kept.send_at, of_night=True)
        zone = night.people.zone[messages.customer]
        load = used + capacity.load(capacity.slot_of[zone, messages.choice])
        if not len(messages) or not capacity.is_over(load)[capacity.slot_of[zone, messages.choice]].any():
            return messages
        worth = np.full((len(messages), CHOICES), -np.inf)
        for campaign in range(len(night.campaigns)):
            rows = np.flatnonzero(messages.campaign == campaign)
            mine = messages.of(rows)
            others = messages.of(messages.campaign != campaign)
            sent = _also(night.sent, kept).and_also(others.customer, _instants(night, others), others.choice // HOURS)
            open_ = _open(night, mine.customer, sent, self.caps) & (mine.probabilities > 0)
            open_[np.arange(len(rows)), mine.choice] = True
            worth[rows] = values(night, campaign, mine.customer, open_.reshape(len(rows), len(CHANNELS), HOURS))
        choice = repair(worth, zone, messages.choice, capacity, used)
        placed = np.flatnonzero(choice != UNPLACED)
        self._refuse(messages.of(choice == UNPLACED), "no_capacity", NO_ROOM_LEFT)
        moved = np.flatnonzero(choice[placed] != messages.choice[placed])
        return Drawing(night, self.scheduling).moved(messages.of(placed), moved, choice[placed][moved], None)


def _also(sent: Sent, kept: Kept) -> Sent:
    return sent.and_also(kept.customer, kept.send_at, kept.channel)


def _open(night: Night, customers: Numbers, sent: Sent, caps: Caps) -> Mask:
    """(rows, choices); customers: ascending."""
    found = room_of(night.hours, night.people.zone, customers, sent, caps)
    return found.open.reshape(len(customers), CHOICES)
