"""A campaign's second message to a customer, on the other channel: when it goes, what it is worth, how it is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from include.scheduling.decide import decide
from include.scheduling.draws import WHOLE
from include.scheduling.night import Kept, Night
from include.scheduling.outcome import CHOSEN, CODE
from include.settings import SchedulingSettings
from tests.science.nights import faults, made_campaign, made_night, taken_up

TWO_A_DAY = SchedulingSettings(messages_per_day=2)


def of_both(scheduling: SchedulingSettings, seed: int = 14, **fields: object) -> Night:
    """A night of one campaign to customers whom both channels reach, nothing sent before."""
    campaign = made_campaign(0, control_share=0.0, cost_per_message=0.0, **fields)
    return made_night(
        seed, scheduling, campaigns=[campaign], customers=200, zones=["Europe/Berlin"], reached=1, earlier=0, held_out=0
    )


def test_a_second_message_is_worth_what_the_first_leaves() -> None:
    night = of_both(TWO_A_DAY)
    messages = decide(night, TWO_A_DAY).messages
    first, second = messages.of(~messages.is_second), messages.of(messages.is_second)
    assert 50 < len(second) < len(first)
    first_of = dict(zip(first.customer.tolist(), range(len(first)), strict=True))
    for number in range(len(second)):
        customer, choice = second.customer[number], second.choice[number]
        channel, hour = divmod(choice, 24)
        of_first = first.choice[first_of[customer]]
        assert channel == 1 - of_first // 24
        unclicked = 1 - night.beliefs.rate[of_first // 24, customer, of_first % 24]
        clicked = night.beliefs.rate[channel, customer, hour] * 0.8  # weary of the first
        earned = unclicked * clicked * night.orders_per_click[0, channel] * night.margin[0, customer]
        fatigue = 2 * night.fatigue[channel, customer]
        assert second.value[number] == pytest.approx(earned - fatigue, rel=1e-4, abs=1e-9)
        assert second.unclicked[number] == pytest.approx(unclicked)
    earned = second.unclicked * second.rate * second.orders_per_click * second.margin
    np.testing.assert_allclose(second.value, earned - second.cost - second.fatigue, rtol=1e-5, atol=1e-9)


def test_both_go_where_that_pays_and_one_alone_where_it_does_not() -> None:
    messages = decide(of_both(TWO_A_DAY), TWO_A_DAY).messages
    assert messages.is_second.sum() > 50
    dear = of_both(TWO_A_DAY)
    dear = replace(dear, weary=lambda some, tonight: (np.ones((2, len(some))) * tonight, np.ones((2, len(some)))))
    assert not decide(dear, TWO_A_DAY).messages.is_second.any()
    # Worth sending to learn from, but not in itself; to learn, one is enough.
    learning = replace(of_both(TWO_A_DAY), orders_per_click=np.zeros((1, 2)), credit=np.ones(1))
    messages = decide(learning, TWO_A_DAY).messages
    assert len(messages) > 100
    assert not messages.is_second.any()


@pytest.mark.parametrize(
    "once",
    [
        {"messages_per_day": 1},
        {"messages_per_day": 2, "messages_per_week": 1},
        {"messages_per_day": 2, "messages_per_calendar_week": 1},
    ],
    ids=str,
)
def test_no_second_goes_where_a_cap_says_one(once: dict[str, int]) -> None:
    scheduling = SchedulingSettings(**once)
    messages = decide(of_both(scheduling), scheduling).messages
    assert len(messages) > 100
    assert not messages.is_second.any()


def test_no_second_goes_where_one_channel_alone_may_be_used() -> None:
    night = of_both(TWO_A_DAY)
    night.people.obstacle[1, ::2] = 1
    second = decide(night, TWO_A_DAY).messages
    second = second.of(second.is_second)
    assert len(second) > 20
    assert (second.customer % 2 == 1).all()
    email_alone = of_both(TWO_A_DAY, channels=("email",))
    assert not decide(email_alone, TWO_A_DAY).messages.is_second.any()


def test_seconds_have_what_firsts_leave_of_hours_and_money() -> None:
    room = {"daily_capacity": 70}
    short = SchedulingSettings(messages_per_day=2, channels={"email": room, "app_push": room})
    messages = decide(of_both(short), short).messages
    assert np.bincount(messages.choice // 24).tolist() == [70, 70]
    assert not messages.is_second.any(), "more than 140 first messages are worth sending"
    room = {"daily_capacity": 120}
    wider = SchedulingSettings(messages_per_day=2, channels={"email": room, "app_push": room})
    messages = decide(of_both(wider), wider).messages
    free = decide(of_both(TWO_A_DAY), TWO_A_DAY).messages
    assert np.bincount(messages.choice // 24).max() <= 120
    assert 0 < messages.is_second.sum() < free.is_second.sum()
    assert (~messages.is_second).sum() == (~free.is_second).sum(), "no first gave way"

    firsts = int((~free.is_second).sum())
    campaign = made_campaign(0, control_share=0.0, cost_per_message=0.0001, daily_budget=0.0001 * (firsts + 10))
    paid = replace(of_both(TWO_A_DAY), campaigns=[campaign])
    messages = decide(paid, TWO_A_DAY).messages
    assert messages.cost.sum() <= campaign.daily_budget + 1e-9
    assert 0 < messages.is_second.sum() <= firsts + 10 - (~messages.is_second).sum()


def test_a_lower_campaign_has_the_room_that_seconds_leave() -> None:
    night = made_night(
        15,
        TWO_A_DAY,
        campaigns=[made_campaign(0, priority=1, control_share=0.0), made_campaign(1, control_share=0.0)],
        customers=200,
        reached=1,
        earlier=0,
    )
    outcome = decide(night, TWO_A_DAY)
    messages = outcome.messages
    twice = messages.customer[messages.is_second & (messages.campaign == 0)]
    assert len(twice) > 30
    assert not np.isin(outcome.decision[1, twice], [CODE["scheduled"]]).any()
    equals = replace(night, campaigns=[made_campaign(number, control_share=0.0) for number in range(2)])
    messages = decide(equals, TWO_A_DAY).messages
    firsts = np.bincount(messages.customer[~messages.is_second], minlength=200)
    assert (firsts[messages.customer[messages.is_second]] == 1).all(), "first messages of equals go before"


def test_hours_of_seconds_are_drawn_as_logged_and_owe_nothing_to_the_first() -> None:
    night = of_both(TWO_A_DAY)
    expected, variance, drawn = np.zeros((3, 48))
    together: list[np.ndarray] = []
    for seed in range(25):
        messages = decide(night, TWO_A_DAY.model_copy(update={"seed": seed})).messages
        second = messages.of(messages.is_second)
        share = second.probabilities / WHOLE
        assert (second.probabilities.sum(axis=1) == WHOLE).all()
        at_all = share > 0
        assert (at_all.reshape(-1, 2, 24).any(axis=2).sum(axis=1) == 1).all(), "its channel is given"
        assert share[at_all].min() >= TWO_A_DAY.exploration / 24
        assert (second.how == CHOSEN).all()
        expected += share.sum(axis=0)
        variance += (share * (1 - share)).sum(axis=0)
        drawn += np.bincount(second.drawn, minlength=48)
        first = messages.of(~messages.is_second)
        first = first.of(np.searchsorted(first.customer, second.customer))
        together.append(np.stack([first.drawn % 24, second.drawn % 24]))
    some = variance > 1
    chi = ((drawn - expected)[some] ** 2 / variance[some]).sum()
    assert norm.sf((chi - some.sum()) / np.sqrt(2 * some.sum())) > 0.001
    hours = np.concatenate(together, axis=1)
    assert abs(np.corrcoef(hours)[0, 1]) < 0.1, "the same chance for both would put them at like hours"


# --- beside messages taken up before a rerun --------------------------------------------------------------------------


def kept_of(night: Night, customers: np.ndarray, channel: int, campaign: int) -> Kept:
    """One message each that delivery has taken up, at noon."""
    count = len(customers)
    at = night.hours.send_at[night.people.zone[customers], 12]
    return Kept(np.full(count, campaign), customers, np.full(count, channel, np.int8), at)


def without(night: Night, customers: np.ndarray) -> Night:
    """Nobody of ``customers`` can be reached any more."""
    night.people.obstacle[:, customers] = 1
    return night


@pytest.mark.parametrize("seed", range(12))
def test_no_second_stays_on_the_channel_that_its_first_has_moved_to(seed: int) -> None:
    room = {"daily_capacity": 40, "hourly_capacity": 5}
    scheduling = SchedulingSettings(messages_per_day=2, channels={"email": room, "app_push": room})

    def night(number: int) -> Night:
        campaigns = [made_campaign(0, control_share=0.0, cost_per_message=0.0)]
        berlin = {"customers": 60, "zones": ["Europe/Berlin"], "reached": 1, "earlier": 0, "held_out": 0}
        return made_night(number, scheduling, campaigns=campaigns, **berlin)

    kept = taken_up(night(seed), decide(night(seed), scheduling), seed, 0.4).kept
    changed = replace(night(seed + 100), kept=kept)
    outcome = decide(changed, scheduling)
    assert outcome.messages.is_repaired.any()
    assert faults(changed, scheduling, outcome) == []


def test_seconds_give_way_to_firsts_where_messages_taken_up_have_spent_the_money() -> None:
    gone = np.arange(5)
    firsts = int((~decide(without(of_both(TWO_A_DAY), gone), TWO_A_DAY).messages.is_second).sum())
    campaign = made_campaign(0, control_share=0.0, cost_per_message=0.0001, daily_budget=0.0001 * (firsts + 10))
    night = replace(without(of_both(TWO_A_DAY), gone), campaigns=[campaign])
    before = decide(night, TWO_A_DAY).messages
    assert before.is_second.sum() > len(gone)
    after = decide(replace(night, kept=kept_of(night, gone, 0, 0)), TWO_A_DAY)
    assert len(after.messages) + len(gone) == firsts + 10
    assert (~after.messages.is_second).sum() == (~before.is_second).sum()
    assert not (after.decision == CODE["over_budget"]).any()


def test_seconds_give_way_to_firsts_where_messages_taken_up_have_filled_a_day() -> None:
    gone = np.arange(5)
    room = {"daily_capacity": 120}
    scheduling = SchedulingSettings(messages_per_day=2, channels={"email": room, "app_push": room})
    night = without(of_both(scheduling), gone)
    before = decide(night, scheduling).messages
    of_email = before.choice // 24 == 0
    assert of_email.sum() == 120
    assert (of_email & before.is_second).sum() > len(gone)
    after = decide(replace(night, kept=kept_of(night, gone, 0, -1)), scheduling)
    assert (after.messages.choice // 24 == 0).sum() == 115
    first = before.of(~before.is_second)
    np.testing.assert_array_equal(after.messages.choice[~after.messages.is_second], first.choice)


def test_a_second_whose_first_is_taken_back_stands_in_nobodys_way() -> None:
    scheduling = SchedulingSettings(messages_per_day=3, channels={"email": {"messages_per_day": 1}})
    of_push = made_campaign(1, control_share=0.0, cost_per_message=0.0, channels=("app_push",))
    campaigns = [made_campaign(0, priority=1, control_share=0.0, cost_per_message=0.0), of_push]
    berlin = {"customers": 200, "zones": ["Europe/Berlin"], "reached": 1, "earlier": 0, "held_out": 0}
    night = made_night(16, scheduling, campaigns=campaigns, **berlin)
    before = decide(night, scheduling).messages
    first = before.of(~before.is_second & (before.campaign == 0) & (before.choice < 24))
    twice = before.customer[before.is_second]
    three = np.intersect1d(np.intersect1d(first.customer, twice), before.customer[before.campaign == 1])
    assert len(three) > 10
    by_email, by_push = kept_of(night, three, 0, -1), kept_of(night, three, 1, -2)
    both = Kept(*(np.concatenate(pair) for pair in zip(vars(by_email).values(), vars(by_push).values(), strict=True)))
    after = decide(replace(night, kept=both), scheduling)
    assert (after.decision[0, three] == CODE["capped"]).all(), "the day's email is taken"
    assert (after.decision[1, three] == CODE["scheduled"]).all()
