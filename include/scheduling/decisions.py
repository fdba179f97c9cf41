"""A decision with its reason for every candidate of a night: pure, from ``Night`` to a list of ``Decision``.

Campaigns are judged by priority, and within a campaign each candidate by these rules, the first that applies:
not_in_audience, held_out, control, then what stands in a channel's way (no_consent, no_address, suppressed), then
nothing_to_say, capped, quiet_hours and no_capacity. The arm is assigned to every candidate alike before all of them, so
that whoever compares arms can keep to all who were assigned.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.scheduling.assignment import Arm, assign_arm, hash_share
from include.scheduling.campaigns import Campaign
from include.scheduling.candidates import Customer, Night, Reach
from include.scheduling.capacity import Wish, place, utc_hour
from include.scheduling.caps import day_is_full, fits
from include.scheduling.hour_model import HOURS
from include.scheduling.policy import draw, winning_shares, with_exploration
from include.scheduling.slots import SendDay, Slot, send_day
from include.settings import SchedulingSettings

Floats = NDArray[np.float64]

ORDERS_PER_CLICK = 0.03
"""Assumed until reports have measured it: 3 orders of one recommended item in 100 clicks. It scales the value of every
message alike, so it decides which messages get a scarce hour only against their cost."""

OBSTACLES = ("no_consent", "no_address", "suppressed")
"""What can stand in a channel's way, in the order it is asked."""


@dataclass(frozen=True)
class Decision:
    """A row of ``message_decisions``, and for a scheduled one what its message needs besides."""

    campaign: Campaign
    customer_id: str
    arm: Arm
    decision: str
    reason: str
    channel: str | None = None
    slot: Slot | None = None
    propensity: float | None = None
    """Probability the drawn hour had; None when a repair overrode the draw, which off-policy evaluation leaves out."""
    slot_probabilities: dict[str, float] | None = None
    """Local hour ("08") → probability, whole."""
    expected_value: float | None = None
    """click rate × ORDERS_PER_CLICK × mean margin of the items − cost, in money: for ranking, not a forecast."""
    explored: bool | None = None
    """Whether the drawn hour is another than the one of the highest mean rate; None after a repair."""
    items: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class _Draft:
    """A candidate that nothing stands in the way of, with the hour drawn for it."""

    campaign: Campaign
    customer: Customer
    arm: Arm
    channel: str
    slots: tuple[Slot, ...]
    rates: Floats
    values: Floats
    remark: str
    """On the channels not chosen; may be empty."""


@dataclass(frozen=True)
class _Drawn:
    """probabilities: (slots,), of the policy; slot: the one drawn."""

    probabilities: Floats
    slot: int


def decide(night: Night, scheduling: SchedulingSettings) -> list[Decision]:
    """One decision per campaign × customer of ``night``, those whose message is kept left out."""
    return _Judge(night, scheduling).decide()


class _Judge:
    """Goes through the campaigns by priority and remembers whom it has given which hour."""

    def __init__(self, night: Night, scheduling: SchedulingSettings) -> None:
        self.night = night
        self.scheduling = scheduling
        self.days: dict[str, SendDay] = {}
        self.given: dict[str, list[datetime]] = defaultdict(list)
        """Hours of this night so far, by customer."""
        self.kept_ahead: dict[str, dict[str, datetime]] = defaultdict(dict)
        """Kept messages of campaigns not yet judged, by customer and campaign."""
        for (campaign_id, customer_id), kept in night.kept.items():
            self.kept_ahead[customer_id][campaign_id] = kept.send_at
        self.used = Counter(utc_hour(kept.send_at) for kept in night.kept.values())
        self.used.update(utc_hour(at) for customer in night.customers for at in customer.earlier_messages)

    def decide(self) -> list[Decision]:
        decisions = []
        for campaign in self.night.campaigns:
            drafts = []
            for customer in self.night.customers:
                kept_at = self.kept_ahead[customer.customer_id].pop(campaign.campaign_id, None)
                if kept_at is not None:
                    self.given[customer.customer_id].append(kept_at)
                    continue
                judged = self._judge(campaign, customer)
                if isinstance(judged, _Draft):
                    drafts.append(judged)
                else:
                    decisions.append(judged)
            decisions += self._place(drafts)
        return decisions

    def _day(self, time_zone: str) -> SendDay:
        if time_zone not in self.days:
            self.days[time_zone] = send_day(
                self.night.send_date, time_zone, self.scheduling, not_before=self.night.end_of_day
            )
        return self.days[time_zone]

    def _others(self, customer: Customer) -> list[datetime]:
        return [*customer.earlier_messages, *self.given[customer.customer_id]]

    # --- the rules ---------------------------------------------------------------------------------------------------

    def _judge(self, campaign: Campaign, customer: Customer) -> Decision | _Draft:
        arm = assign_arm(
            customer.customer_id,
            is_held_out=customer.customer_id in self.night.holdout,
            campaign_id=campaign.campaign_id,
            control_share=campaign.control_share,
        )

        def refuse(decision: str, reason: str) -> Decision:
            return Decision(campaign, customer.customer_id, arm, decision, reason)

        if campaign.audience is not None and customer.segment not in campaign.audience:
            return refuse(
                "not_in_audience",
                f"The campaign is for {', '.join(campaign.audience)}; the customer's segment is {customer.segment}.",
            )
        if arm == "holdout":
            return refuse("held_out", f"Held out of every campaign (holdout {self.scheduling.holdout_salt}).")
        if arm == "control":
            return refuse("control", f"In the campaign's control group ({campaign.control_share:.1%} of customers).")
        obstacles = {channel: _obstacle(customer.reach[channel]) for channel in campaign.channels}
        reachable = [channel for channel, obstacle in obstacles.items() if obstacle is None]
        remark = "; ".join(_obstacle_words(customer, channel) for channel in campaign.channels if obstacles[channel])
        if not reachable:
            # The channel that came furthest names the decision; the sentence tells of each.
            nearest = max(filter(None, obstacles.values()), key=OBSTACLES.index)
            return refuse(nearest, f"No channel can be used: {remark}.")
        if campaign.purpose not in customer.lists:
            return refuse("nothing_to_say", f"No recommendations for {campaign.purpose} are published for this date.")
        day = self._day(customer.time_zone)
        others = self._others(customer)
        if self._is_capped(day, others):
            return refuse("capped", self._cap_words(day, others))
        slots = tuple(slot for slot in day.slots if fits(slot.send_at, day, others, self.scheduling))
        if not slots:
            return refuse(
                "quiet_hours", f"No hour of {day.day} in {day.time_zone} is left outside quiet hours ({self._quiet()})."
            )
        return self._draft(campaign, customer, arm, reachable, slots, remark)

    def _is_capped(self, day: SendDay, others: list[datetime]) -> bool:
        """Whether the caps alone leave no hour: of those outside quiet hours, or of the day if all are quiet."""
        hours = [slot.send_at for slot in day.slots] or list(day.hours)
        return day_is_full(day, others, self.scheduling) or (
            bool(hours) and not any(fits(hour, day, others, self.scheduling) for hour in hours)
        )

    def _cap_words(self, day: SendDay, others: list[datetime]) -> str:
        if day_is_full(day, others, self.scheduling):
            return f"Already has the {self.scheduling.messages_per_day} message(s) allowed on {day.day}."
        return f"Already has the {self.scheduling.messages_per_week} message(s) allowed in any 7 days."

    def _quiet(self) -> str:
        return f"{self.scheduling.quiet_from:%H:%M} to {self.scheduling.quiet_until:%H:%M}"

    # --- channel and hour --------------------------------------------------------------------------------------------

    def _draft(
        self,
        campaign: Campaign,
        customer: Customer,
        arm: Arm,
        reachable: list[str],
        slots: tuple[Slot, ...],
        remark: str,
    ) -> _Draft:
        """Choose the channel whose best hour is worth most, then draw the hour.

        Of channels worth the same it is the one of the higher rate, then the one the campaign names first.
        """
        hours = [slot.hour for slot in slots]
        margin = float(np.mean(customer.lists[campaign.purpose].margins[: campaign.items_per_message]))
        rates = {channel: customer.rates[channel][hours] for channel in reachable}
        values = {
            channel: rates[channel] * ORDERS_PER_CLICK * margin - campaign.cost_per_message for channel in reachable
        }
        channel = max(reachable, key=lambda name: (values[name].max(), rates[name].max()))
        others = [other for other in reachable if other != channel]
        if others:
            remark = f"{', '.join(others)} is expected to be worth no more at its best hour"
        return _Draft(campaign, customer, arm, channel, slots, rates[channel], values[channel], remark)

    def _draw(self, drafts: list[_Draft]) -> list[_Drawn]:
        """An hour for each of the drafts of one campaign, by the policy."""
        drawn: list[_Drawn | None] = [None] * len(drafts)
        for channel in sorted({draft.channel for draft in drafts}):
            numbers = [number for number, draft in enumerate(drafts) if draft.channel == channel]
            some = [drafts[number] for number in numbers]
            feasible = np.zeros((len(some), HOURS), bool)
            for row, draft in enumerate(some):
                feasible[row, [slot.hour for slot in draft.slots]] = True
            posterior = self.night.posteriors[channel].of(np.array([draft.customer.row for draft in some]))
            shares = winning_shares(posterior, feasible, self.scheduling.boldness)
            probabilities = with_exploration(shares, feasible, self.scheduling.exploration)
            salt = f"draw:{self.scheduling.seed}:{self.night.send_date}:{some[0].campaign.campaign_id}"
            uniform = np.array([hash_share(salt, draft.customer.customer_id) for draft in some])
            hours = draw(probabilities, uniform)
            for number, draft, of_draft, hour in zip(numbers, some, probabilities, hours, strict=True):
                of_slots = [slot.hour for slot in draft.slots]
                drawn[number] = _Drawn(of_draft[of_slots], of_slots.index(int(hour)))
        return [one for one in drawn if one is not None]

    def _place(self, drafts: list[_Draft]) -> list[Decision]:
        """Give the drafts of one campaign their hours within the capacity."""
        drawn = self._draw(drafts)
        wishes = [
            Wish(tuple(slot.send_at for slot in draft.slots), draft.values, one.slot)
            for draft, one in zip(drafts, drawn, strict=True)
        ]
        decisions = []
        placements = place(wishes, self.used, self.scheduling.hourly_capacity)
        for draft, one, placed in zip(drafts, drawn, placements, strict=True):
            if placed is None:
                reason = (
                    f"All {len(draft.slots)} feasible hours are full "
                    f"({self.scheduling.hourly_capacity} messages an hour)."
                )
                decision = Decision(draft.campaign, draft.customer.customer_id, draft.arm, "no_capacity", reason)
            else:
                decision = self._give(draft, one, placed)
            decisions.append(decision)
        return decisions

    def _give(self, draft: _Draft, drawn: _Drawn, placed: int) -> Decision:
        """Schedule the draft, unless a message already taken up for a later campaign leaves no room in the caps.

        That happens only in a rerun on changed data: on the same data the first run gave both their hours.
        """
        customer, send_at = draft.customer, draft.slots[placed].send_at
        ahead = self.kept_ahead[customer.customer_id].values()
        day = self._day(customer.time_zone)
        if ahead and not fits(send_at, day, [*self._others(customer), *ahead], self.scheduling):
            self.used[utc_hour(send_at)] -= 1
            reason = "A message taken up before this rerun fills the caps."
            return Decision(draft.campaign, customer.customer_id, draft.arm, "capped", reason)
        self.given[customer.customer_id].append(send_at)
        return _scheduled(draft, drawn, placed)


def _obstacle(reach: Reach) -> str | None:
    """The first of ``OBSTACLES`` in the channel's way."""
    if not reach.has_consent:
        return "no_consent"
    if not reach.has_address:
        return "no_address"
    return "suppressed" if reach.suppressed_for is not None else None


def _obstacle_words(customer: Customer, channel: str) -> str:
    reach = customer.reach[channel]
    words = {
        "no_consent": "no consent",
        "no_address": "no address",
        "suppressed": f"address suppressed ({reach.suppressed_for})",
    }
    return f"{channel}: {words[_obstacle(reach) or 'suppressed']}"


def _scheduled(draft: _Draft, drawn: _Drawn, placed: int) -> Decision:
    slot = draft.slots[placed]
    place_and_hour = f"{draft.channel} at {slot.hour:02d}:00 {draft.customer.time_zone}"
    probability = float(drawn.probabilities[drawn.slot])
    remark = f" ({draft.remark})" if draft.remark else ""
    decision = Decision(
        draft.campaign,
        draft.customer.customer_id,
        draft.arm,
        "scheduled",
        reason=f"{place_and_hour}, drawn with probability {probability:.3f} from {len(draft.slots)} feasible "
        f"hours{remark}.",
        channel=draft.channel,
        slot=slot,
        propensity=probability,
        slot_probabilities={
            f"{feasible.hour:02d}": float(share)
            for feasible, share in zip(draft.slots, drawn.probabilities, strict=True)
        },
        expected_value=float(draft.values[placed]),
        explored=bool(drawn.slot != int(draft.rates.argmax())),
        items=tuple(draft.customer.lists[draft.campaign.purpose].items[: draft.campaign.items_per_message]),
    )
    if placed == drawn.slot:
        return decision
    full = f"{draft.slots[drawn.slot].hour:02d}:00"
    return replace(
        decision,
        reason=f"{place_and_hour}, moved there by a repair: the drawn hour, {full}, was full{remark}.",
        propensity=None,
        explored=None,
    )
