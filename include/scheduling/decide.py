"""A decision with its reason for every customer of every campaign of a night, all of them together. Pure.

The first that applies: not_in_audience, held_out, control, then what stands in a channel's way (no_consent, no_address,
suppressed), then nothing_to_say, capped, quiet_hours, not_worth_sending, over_budget and no_capacity. The arm is
assigned to everyone alike before all of them, so that whoever compares arms can keep to all who were assigned.

Campaigns of one priority compete for a customer's room and for scarce slots by value; a higher priority goes before.
Where caps leave room for it, a campaign's message may then be followed by a second one on the other channel, if that is
still worth sending (``_Seconds``); a second never takes the place of a first of the same priority.
Who may go is settled by the exact allocation, and what it finds scarce has a price. Channel and hour are then drawn for
each message, with values net of these prices; what chance put into a full hour is moved (``capacity.repair``). Control
and held-out customers take the same way as ghosts that take no room: whether a message would have gone to them, at the
prices that the others pay; where many are alike, to as large a share of them as of the others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from include.scheduling.admission import admit
from include.scheduling.assignment import CONTROL, HOLDOUT, TREATED, arms, control_salt
from include.scheduling.balancing import balance
from include.scheduling.campaigns import tiers
from include.scheduling.capacity import UNPLACED, Capacity, repair
from include.scheduling.caps import DAY, FREE, Caps, room_of
from include.scheduling.drawing import Drawing, click_rate
from include.scheduling.eligibility import Eligibility
from include.scheduling.market import NONE, Market
from include.scheduling.night import Floats, Mask, Night, Numbers
from include.scheduling.outcome import (
    CODE,
    NO_GHOST,
    UNDECIDED,
    Messages,
    Outcome,
    Sentences,
)
from include.scheduling.prices import NUDGE
from include.scheduling.rerun import keep
from include.scheduling.slots import HOURS
from include.scheduling.values import CHOICES, after_first, best_values, values
from include.settings import CHANNELS, SchedulingSettings

CLOSE = 1e-9
"""Of a value: nets so near to nothing are nothing."""
TIED = 2 * NUDGE
"""Of a value: of those so near to their price some go and some do not, though they are alike."""
_Gone = tuple[Numbers, Numbers, Numbers, Floats]
"""Campaign, customer, choice and click rate of messages, each (messages,)."""


def decide(night: Night, scheduling: SchedulingSettings) -> Outcome:
    """One decision per campaign × customer of ``night``.

    As if nothing of this night had been taken up yet; then what has been is put in its place, and what no longer fits
    beside it is taken back. So a rerun on the same data decides the same.
    """
    judge = _Judge(night, scheduling)
    for tier in tiers(night.campaigns):
        judge.judge(tier)
    return keep(night, scheduling, judge.outcome())


class _Judge:
    """Goes through the tiers and remembers what room is left, of customers and of slots."""

    def __init__(self, night: Night, scheduling: SchedulingSettings) -> None:
        # Its own: fatigue grows with the messages of the night.
        self.night = replace(night, fatigue=night.fatigue.copy(), click_factor=night.click_factor.copy())
        self.scheduling = scheduling
        campaigns, customers = len(night.campaigns), len(night.people)
        shape = campaigns, customers
        self.sentences = Sentences()
        self.decision = np.full(shape, UNDECIDED, np.uint8)
        self.sentence = np.full(shape, -1, np.int32)
        is_control = np.zeros(shape, bool)
        for number, campaign in enumerate(night.campaigns):
            if campaign.control_share > 0:
                shares = night.shares(control_salt(campaign.campaign_id), None)
                is_control[number] = shares < campaign.control_share
        self.is_control = is_control
        self.arm = np.stack([arms(night.is_held_out, of) for of in is_control]) if campaigns else is_control
        self.ghost = np.where(self.arm == TREATED, NO_GHOST, 0).astype(np.int8)
        self.caps = Caps.of(scheduling)
        self.room = room_of(night.hours, night.people.zone, np.arange(customers), night.sent, self.caps)
        self.sent = night.sent
        self.had = self._had_today()
        self.tonight = np.zeros(customers, np.int64)
        self.capacity = Capacity.of(scheduling, night.hours, night.send_date)
        self.load = self.capacity.taken_by(night.sent.channel, night.sent.at, of_night=False)
        self.spent = np.zeros(campaigns)
        """Money, of tonight's messages."""
        self.messages: list[Messages] = []
        self.value = self.bound = 0.0
        """Money, of all who were admitted where something was scarce, and the most there could be."""

    def outcome(self) -> Outcome:
        messages = Messages.joined(self.messages)
        messages = messages.of(np.lexsort((messages.is_second, messages.customer, messages.campaign)))
        decision = np.where(self.arm == HOLDOUT, CODE["held_out"], CODE["control"])
        in_audience = self.decision != CODE["not_in_audience"]
        self.decision = np.where((self.arm != TREATED) & in_audience, decision, self.decision).astype(np.uint8)
        for number, campaign in enumerate(self.night.campaigns):
            for arm, words in (
                (HOLDOUT, f"Held out of every campaign (holdout {self.night.holdout_id})."),
                (CONTROL, f"In the campaign's control group ({campaign.control_share:.1%} of customers)."),
            ):
                rows = (self.arm[number] == arm) & in_audience[number]
                self.sentence[number, rows] = self.sentences.number(words)
        is_kept = np.zeros(self.decision.shape, bool)
        gap = (self.bound - self.value) / self.bound if self.bound > 0 else 0.0
        return Outcome(self.decision, self.sentence, self.sentences.texts, self.arm, self.ghost, is_kept, messages, gap)

    # --- one tier ----------------------------------------------------------------------------------------------------

    def judge(self, tier: list[int]) -> None:
        usable = {}
        for campaign in tier:
            eligibility = Eligibility.of(self.night, campaign)
            usable[campaign] = eligibility.usable
            for code, sentence, rows in eligibility.refused:
                self.refuse(campaign, rows, code, sentence)
        remaining = np.stack([self.decision[campaign] == UNDECIDED for campaign in tier])
        contest = _Contest(self, tier, usable, remaining)
        contest.run()
        if contest.gone and self.scheduling.messages_per_day > 1:
            _Seconds(contest).run()

    def refuse(self, campaign: int, rows: NDArray[np.int64] | Mask, decision: str, sentence: str) -> None:
        self.decision[campaign, rows] = CODE[decision]
        self.sentence[campaign, rows] = self.sentences.number(sentence)

    def give(self, customers: Numbers, choice: Numbers) -> None:
        """Note messages tonight, and work out anew what room they leave these customers, and how weary of more."""
        self.tonight += np.bincount(customers, minlength=len(self.tonight))
        self.had += np.bincount(customers, minlength=len(self.had))
        is_full = self.had[customers] >= self.scheduling.messages_per_day
        full, again = customers[is_full], customers[~is_full]
        self.room.open[full], self.room.cap[full] = False, DAY
        if len(again):
            at = self.night.hours.send_at[self.night.people.zone[again], choice[~is_full] % HOURS]
            self.sent = self.sent.and_also(again, at, choice[~is_full] // HOURS)
            found = room_of(self.night.hours, self.night.people.zone, again, self.sent, self.caps)
            self.room.open[again], self.room.cap[again] = found.open, found.cap
            weary = self.night.weary(again, self.tonight[again])
            self.night.fatigue[:, again], self.night.click_factor[:, again] = weary

    def _had_today(self) -> Numbers:
        """(customers,): messages of earlier nights on the send date."""
        hours, zone, sent = self.night.hours, self.night.people.zone, self.sent
        today = (sent.at >= hours.day_start[zone[sent.customer]]) & (sent.at < hours.day_end[zone[sent.customer]])
        return np.bincount(sent.customer[today], minlength=len(self.night.people))


class _Contest:
    """The campaigns of one tier, and who of their customers is still to be decided."""

    def __init__(self, judge: _Judge, tier: list[int], usable: dict[int, Mask], remaining: Mask) -> None:
        self.judge, self.tier = judge, tier
        self.usable, self.remaining = usable, remaining
        self.night, self.drawing = self._chances()
        self.gone: list[_Gone] = []
        """Those that go, and the ghosts that take the room of one."""
        self.price: Floats | None = None
        self.draw_price: Floats | None = None
        """(zones, choices), of a message: by the allocation, and as it fits what chance will draw; None: nothing is
        scarce."""
        self.budget_price = np.zeros(len(tier))
        """(campaigns of the tier,), of one message."""
        self.is_admitted: Mask | None = None
        """(campaigns of the tier, customers), by the allocation; None: nothing is scarce."""
        self.has_room = np.zeros((len(self.night.people.zones), CHOICES), bool)
        """(zones, choices): where the allocation leaves room."""
        self.is_lucky: Mask | None = None
        """(campaigns of the tier, customers), ghosts that go though others alike do not."""
        self._refuse_without_room(np.flatnonzero(remaining.any(axis=0)))
        self._allocate()

    def run(self) -> None:
        while self.remaining.any():
            self.round()

    def _chances(self) -> tuple[Night, Drawing]:
        """What messages are worth, and how they are drawn."""
        return self.judge.night, Drawing(self.judge.night, self.judge.scheduling)

    def feasible(self, campaign: int, customers: Numbers) -> Mask:
        """(rows, channels, hours)."""
        return self.judge.room.open[customers] & self.usable[campaign][:, customers].T[:, :, None]

    # --- what is scarce ----------------------------------------------------------------------------------------------

    def _allocate(self) -> None:
        """Who may go, and at which prices, where capacities or budgets could bind."""
        budgets = np.array([_budget(self.night.campaigns[campaign].daily_budget) for campaign in self.tier])
        budgets = np.maximum(budgets - self.judge.spent[self.tier], 0)
        capacity = self.judge.capacity
        if not capacity.is_limited and not np.isfinite(budgets).any():
            return
        rows = [self._worth_sending(position) for position in range(len(self.tier))]
        of_tier = np.repeat(np.arange(len(self.tier)), [len(one) for one in rows])
        customers = np.concatenate(rows)
        worth = [
            (values(self.night, campaign, one, self.feasible(campaign, one)) + self.night.credit[campaign]).astype(
                np.float32
            )
            for campaign, one in zip(self.tier, rows, strict=True)
        ]
        costs = np.array([self.night.campaigns[campaign].cost_per_message for campaign in self.tier])
        most, group_most = capacity.left(self.judge.load)
        market = Market(
            values=np.concatenate(worth),
            zone=self.night.people.zone[customers],
            slot_of=capacity.slot_of,
            owner=customers,
            limit=np.maximum(self.judge.scheduling.messages_per_day - self.judge.had, 0),
            capacity=most,
            group=capacity.group,
            group_capacity=group_most,
            campaign=of_tier,
            cost=costs[of_tier],
            budget=budgets,
        )
        admission = admit(market)
        self.judge.value += admission.value
        self.judge.bound += admission.bound
        goes = np.flatnonzero(admission.choice != NONE)
        self.is_admitted = np.zeros(self.remaining.shape, bool)
        self.is_admitted[of_tier[goes], customers[goes]] = True
        placed = capacity.slot_of[market.zone[goes], admission.choice[goes]]
        self.has_room = capacity.has_room(self.judge.load + capacity.load(placed))
        self.price = np.append(admission.slot_price, 0.0)[capacity.slot_of]
        self.budget_price = admission.budget_price * costs

        def expected(some: Numbers, price: Floats) -> Floats:
            return self._expected(of_tier[some], customers[some], price)

        balanced = balance(market, goes, admission.slot_price, expected)
        self.draw_price = np.append(balanced, 0.0)[capacity.slot_of]

    def _expected(self, of_tier: Numbers, customers: Numbers, price: Floats) -> Floats:
        """(rows, choices): how likely each choice is before it is known whose is drawn evenly."""
        likely = np.empty((len(customers), CHOICES))
        for position, campaign in enumerate(self.tier):
            rows = np.flatnonzero(of_tier == position)
            some = customers[rows]
            likely[rows] = self.drawing.expected(campaign, some, self.feasible(campaign, some), price)
        return likely

    def _worth_sending(self, position: int) -> Numbers:
        """Treated customers of one campaign whose message is worth sending at its best hour."""
        campaign = self.tier[position]
        rows = np.flatnonzero(self.remaining[position] & (self.judge.arm[campaign] == TREATED))
        gross, _ = best_values(self.night, campaign, rows, self.feasible(campaign, rows), None)
        return rows[gross > 0]

    # --- a round -----------------------------------------------------------------------------------------------------

    def round(self) -> None:
        """One message at most for each customer: of the campaigns still undecided the one worth most."""
        customers = np.flatnonzero(self.remaining.any(axis=0))
        self._refuse_without_room(customers)
        customers = np.flatnonzero(self.remaining.any(axis=0))
        if not len(customers):
            return
        gross, net = self._worths(customers)
        goes = self._goes(customers, gross, net)
        leaders: list[list[Numbers]] = [[] for _ in self.tier]
        ghosts: list[tuple[int, Numbers]] = []
        is_free = np.ones(len(customers), bool)
        for place in self._order(customers, net):
            undecided = self.remaining[place, customers] & is_free
            campaign = np.asarray(self.tier)[place]
            arm = self.judge.arm[campaign, customers]
            admitted = goes[place, np.arange(len(customers))]
            self._ghosts(customers, place, undecided & (arm != TREATED), admitted)
            self._refuse_outbid(customers, place, undecided & (arm == TREATED) & ~admitted, gross)
            self.remaining[place[undecided], customers[undecided]] = False
            going = undecided & admitted & ((arm == TREATED) | self._holds_place(campaign, customers, arm))
            for position in range(len(self.tier)):
                rows = np.flatnonzero(going & (place == position))
                leaders[position].append(customers[rows[arm[rows] == TREATED]])
                ghosts.append((position, customers[rows[arm[rows] != TREATED]]))
            is_free &= ~going
        self._send([np.sort(np.concatenate(of)) for of in leaders])
        self._haunt(ghosts)

    def _worths(self, customers: Numbers) -> tuple[Floats, Floats]:
        """(campaigns of the tier, rows) twice: values at the best choice, without and net of all prices."""
        gross, net = np.full((2, len(self.tier), len(customers)), -np.inf)
        for position, campaign in enumerate(self.tier):
            rows = np.flatnonzero(self.remaining[position, customers])
            some = customers[rows]
            gross[position, rows], net[position, rows] = best_values(
                self.night, campaign, some, self.feasible(campaign, some), self.price
            )
        return gross, net - self.budget_price[:, None]

    def _goes(self, customers: Numbers, gross: Floats, net: Floats) -> Mask:
        """(campaigns of the tier, rows): whether the treated were admitted, and the ghosts would have been."""
        if self.is_admitted is None:
            return gross > 0
        is_tied = (gross > 0) & (np.abs(net) <= TIED * np.abs(gross))
        if self.is_lucky is None:
            self.is_lucky = self._lucky_ghosts(customers, is_tied, self.is_admitted)
        would = np.where(is_tied, self.is_lucky[:, customers], net > 0)
        is_treated = self.judge.arm[self.tier][:, customers] == TREATED
        return np.where(is_treated, self.is_admitted[:, customers], would) & (gross > 0)

    def _lucky_ghosts(self, customers: Numbers, is_tied: Mask, is_admitted: Mask) -> Mask:
        """As large a share of the tied ghosts as of the treated who are tied, drawn by the customers' ids."""
        lucky = np.zeros(is_admitted.shape, bool)
        for position, campaign in enumerate(self.tier):
            is_treated = self.judge.arm[campaign, customers] == TREATED
            treated, ghosts = (customers[is_tied[position] & of_arm] for of_arm in (is_treated, ~is_treated))
            share = is_admitted[position, treated].mean() if len(treated) else 1.0
            lucky[position, ghosts] = self.drawing.shares("ghost", campaign, ghosts) < share
        return lucky

    def _order(self, customers: Numbers, net: Floats) -> NDArray[np.int64]:
        """(places, rows): campaigns of the tier by value net of prices, those last that the allocation left out."""
        if self.is_admitted is not None:
            treated = self.judge.arm[self.tier][:, customers] == TREATED
            net = np.where(treated & ~self.is_admitted[:, customers], -np.inf, net)
        return np.argsort(-net, axis=0, kind="stable")

    def _holds_place(self, campaign: NDArray[np.int64], customers: Numbers, arm: NDArray[np.int8]) -> Mask:
        """Whether a ghost stands in the way of the customer's others: of one held out, as if they were not."""
        return (arm == HOLDOUT) & ~self.judge.is_control[campaign, customers]

    def _ghosts(self, customers: Numbers, place: Numbers, rows: Mask, goes: Mask) -> None:
        campaign = np.asarray(self.tier)[place]
        self.judge.ghost[campaign[rows], customers[rows]] = goes[rows]

    # --- refusals ----------------------------------------------------------------------------------------------------

    def _refuse(self, campaign: int, customers: Numbers, decision: str, sentence: str) -> None:
        self.judge.refuse(campaign, customers, decision, sentence)

    def _refuse_without_room(self, customers: Numbers) -> None:
        """Of those whose caps or quiet hours leave no hour on any channel they can be reached on."""
        day, people = self.night.hours.day, self.night.people
        for position, campaign in enumerate(self.tier):
            rows = customers[self.remaining[position, customers]]
            stuck = rows[~self.feasible(campaign, rows).any(axis=(1, 2))]
            self.remaining[position, stuck] = False
            stuck = stuck[self.judge.arm[campaign, stuck] == TREATED]
            channels = [CHANNELS.index(channel) for channel in self.night.campaigns[campaign].channels]
            # The first channel that the customer can be reached on, as the campaign names them, says why.
            first = np.array(channels)[self.usable[campaign][channels][:, stuck].argmax(axis=0)]
            cap = self.judge.room.cap[stuck, first]
            for code, channel in {*zip(cap.tolist(), first.tolist(), strict=True)}:
                if code != FREE:
                    words = self.judge.caps.words(code, channel, day)
                    self._refuse(campaign, stuck[(cap == code) & (first == channel)], "capped", words)
            quiet = stuck[cap == FREE]
            for zone in np.unique(people.zone[quiet]):
                words = f"No hour of {day} in {people.zones[zone]} is left outside quiet hours ({self._quiet()})."
                self._refuse(campaign, quiet[people.zone[quiet] == zone], "quiet_hours", words)

    def _refuse_outbid(self, customers: Numbers, place: Numbers, rows: Mask, gross: Floats) -> None:
        """Of those that are not worth sending, or not what their slot or their budget would earn otherwise."""
        worth = gross[place, np.arange(len(customers))]
        paid = worth - self.budget_price[place]
        for position, campaign in enumerate(self.tier):
            mine = rows & (place == position)
            poor, broke = mine & ~(worth > 0), mine & (worth > 0) & (paid <= CLOSE * np.abs(worth))
            self._refuse(campaign, customers[poor], "not_worth_sending", NOT_WORTH_SENDING)
            broke[mine & ~poor] |= self._only_money_lacks(campaign, customers[mine & ~poor])
            self._refuse(campaign, customers[broke], "over_budget", self._spent(campaign))
            self._refuse_full(campaign, customers[mine & ~poor & ~broke])

    def _only_money_lacks(self, campaign: int, customers: Numbers) -> Mask:
        """(rows,): of customers left out, those whose message would be worth sending where there is room."""
        if self.night.campaigns[campaign].daily_budget is None:
            return np.zeros(len(customers), bool)
        room = self.has_room[self.night.people.zone[customers]].reshape(len(customers), len(CHANNELS), HOURS)
        gross, _ = best_values(self.night, campaign, customers, self.feasible(campaign, customers) & room, None)
        return gross > 0

    def _spent(self, campaign: int) -> str:
        told = self.night.campaigns[campaign]
        budget = told.daily_budget or 0
        if budget < told.cost_per_message:
            return f"The campaign's budget of {budget:g} a day does not pay for one message."
        return f"The campaign's budget of {budget:g} a day goes to messages that are worth more."

    def _refuse_full(self, campaign: int, customers: Numbers) -> None:
        """By the channels that have hours for them, were there room."""
        channels, kind = np.unique(self.feasible(campaign, customers).any(axis=2), axis=0, return_inverse=True)
        for number, of_kind in enumerate(channels):
            full = customers[kind.ravel() == number]
            self._refuse(campaign, full, "no_capacity", self._full(np.flatnonzero(of_kind)))

    def _full(self, channels: Numbers) -> str:
        limits = {CHANNELS[channel]: self.judge.scheduling.channels.of(CHANNELS[channel]) for channel in channels}
        begins = {
            name: of.warm_up.starts_on
            for name, of in limits.items()
            if of.warm_up is not None and of.warm_up.starts_on > self.night.send_date
        }
        words = [f"The warm-up of {name} begins on {day}: nothing goes there before." for name, day in begins.items()]
        return " ".join([FULL] * (len(begins) < len(limits)) + words)

    def _quiet(self) -> str:
        rules = self.judge.scheduling
        return f"{rules.quiet_from:%H:%M} to {rules.quiet_until:%H:%M}"

    # --- messages ----------------------------------------------------------------------------------------------------

    def _send(self, leaders: list[Numbers]) -> None:
        """Draw channel and hour of each, and repair what chance overfilled."""
        judge, zone = self.judge, self.night.people.zone
        drawn = Messages.joined(
            [
                self.drawing.messages(campaign, rows, self.feasible(campaign, rows), self.draw_price)
                for campaign, rows in zip(self.tier, leaders, strict=True)
                if len(rows)
            ]
        )
        if not len(drawn):
            return
        if judge.capacity.is_limited:
            drawn = self._repaired(drawn)
        judge.messages.append(self._marked(drawn))
        judge.spent += np.bincount(drawn.campaign, drawn.cost, minlength=len(judge.spent))
        self.gone.append((drawn.campaign, drawn.customer, drawn.choice, drawn.rate))
        judge.load = judge.load + judge.capacity.load(judge.capacity.slot_of[zone[drawn.customer], drawn.choice])
        for campaign in self.tier:
            judge.decision[campaign, drawn.customer[drawn.campaign == campaign]] = CODE["scheduled"]
        judge.give(drawn.customer, drawn.choice)

    def _marked(self, drawn: Messages) -> Messages:
        return drawn

    def _repaired(self, drawn: Messages) -> Messages:
        judge, zone = self.judge, self.night.people.zone[drawn.customer]
        slot = judge.capacity.slot_of[zone, drawn.choice]
        if not judge.capacity.is_over(judge.load + judge.capacity.load(slot)).any():
            return drawn
        worth = np.empty((len(drawn), CHOICES))
        for campaign in self.tier:
            rows = np.flatnonzero(drawn.campaign == campaign)
            some = drawn.customer[rows]
            worth[rows] = values(self.night, campaign, some, self.feasible(campaign, some))
        choice = repair(worth, zone, drawn.drawn, judge.capacity, judge.load)
        for campaign in self.tier:
            lost = drawn.customer[(choice == UNPLACED) & (drawn.campaign == campaign)]
            self._refuse_full(campaign, lost)
        placed = np.flatnonzero(choice != UNPLACED)
        moved = np.flatnonzero(choice[placed] != drawn.drawn[placed])
        return self.drawing.moved(drawn.of(placed), moved, choice[placed][moved], self.draw_price)

    def _haunt(self, ghosts: list[tuple[int, Numbers]]) -> None:
        """A held-out customer's message that would have gone takes their room, at its best hour."""
        for position, rows in ghosts:
            if len(rows):
                campaign = self.tier[position]
                worth = values(self.night, campaign, rows, self.feasible(campaign, rows))
                if self.price is not None:
                    worth -= self.price[self.night.people.zone[rows]]
                choice = worth.argmax(axis=1)
                rate = click_rate(self.night, choice // HOURS, rows, choice % HOURS)
                self.gone.append((np.full(len(rows), campaign), rows, choice, rate))
                self.judge.give(rows, choice)


class _Seconds(_Contest):
    """Second messages of the campaigns of one tier, on the other channel, to whom the first goes.

    The same contest once more, for what the first ones leave: of capacities, budgets, the customer's room and the
    clicks. The channel is given, the hour drawn; none is drawn evenly, as a control, since what is compared with are
    first messages. Whoever gets no second keeps the first, so nobody is refused; nor is one needed to learn.
    """

    def __init__(self, firsts: _Contest) -> None:
        campaign, customer, choice, rate = map(np.concatenate, zip(*firsts.gone, strict=True))
        self._firsts = campaign, customer, 1 - rate
        usable = {number: of.copy() for number, of in firsts.usable.items()}
        remaining = np.zeros(firsts.remaining.shape, bool)
        self._unclicked = np.ones(remaining.shape)
        for position, number in enumerate(firsts.tier):
            mine = np.flatnonzero(campaign == number)
            usable[number][choice[mine] // HOURS, customer[mine]] = False
            remaining[position, customer[mine]] = True
            self._unclicked[position, customer[mine]] = 1 - rate[mine]
        super().__init__(firsts.judge, firsts.tier, usable, remaining)

    def _chances(self) -> tuple[Night, Drawing]:
        night = after_first(self.judge.night, *self._firsts)
        chosen = self.judge.scheduling.model_copy(update={"random_hour_share": 0.0})
        return night, Drawing(night, chosen, salt="second ")

    def _marked(self, drawn: Messages) -> Messages:
        position = np.searchsorted(self.tier, drawn.campaign)
        return replace(
            drawn,
            is_second=np.ones(len(drawn), bool),
            unclicked=self._unclicked[position, drawn.customer],
            margin=self.judge.night.margin[drawn.campaign, drawn.customer].astype(np.float64),
        )

    def _refuse(self, campaign: int, customers: Numbers, decision: str, sentence: str) -> None:
        pass

    def _ghosts(self, customers: Numbers, place: Numbers, rows: Mask, goes: Mask) -> None:
        pass


FULL = "All feasible hours are full: their room goes to messages that are worth more."
NOT_WORTH_SENDING = "At no feasible hour is a message expected to earn what it costs."


def _budget(most: float | None) -> float:
    return np.inf if most is None else most
