"""The decisions of a night, all together: what may never be, in nights of every kind, and what each rule gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import norm

from include.db.tables import DECISIONS
from include.scheduling.assignment import CONTROL, TREATED
from include.scheduling.audience import Audience
from include.scheduling.campaigns import Campaign
from include.scheduling.decide import decide
from include.scheduling.draws import WHOLE
from include.scheduling.night import Night
from include.scheduling.outcome import CHOSEN, CODE, RANDOM_HOUR, Messages, Outcome
from include.settings import SchedulingSettings
from tests.science.nights import Case, faults, made_campaign, made_night, taken_up

CASES = 100


@hypothesis_settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_no_cap_quiet_hour_consent_capacity_or_budget_is_ever_broken(seed: int) -> None:
    case = Case.of(seed)
    outcome = decide(case.night, case.scheduling)
    assert faults(case.night, case.scheduling, outcome) == []
    taken = taken_up(case.night, outcome, seed, 0.5)
    again = decide(taken, case.scheduling)
    np.testing.assert_array_equal(again.decision, outcome.decision)
    np.testing.assert_array_equal(again.ghost, outcome.ghost)
    assert faults(taken, case.scheduling, again) == []


@hypothesis_settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_what_other_data_had_planned_and_delivery_has_taken_up_breaks_nothing(seed: int) -> None:
    case = Case.of(seed)
    before = decide(case.night, case.scheduling.model_copy(update={"seed": 8}))
    changed = taken_up(case.night, before, seed, 0.5)
    outcome = decide(changed, case.scheduling)
    assert faults(changed, case.scheduling, outcome) == []
    assert outcome.is_kept.sum() == changed.kept.decisions


def test_made_up_nights_have_second_messages_and_some_are_taken_up() -> None:
    nights = 0
    for seed in range(40):
        case = Case.of(seed)
        outcome = decide(case.night, case.scheduling)
        kept = taken_up(case.night, outcome, seed, 0.5).kept
        nights += outcome.messages.is_second.any() and len(kept) > kept.decisions
    assert nights >= 4


def crowd(customers: int = 400, **fields: object) -> tuple[SchedulingSettings, list]:
    """Room for a tenth of all in each hour of each channel."""
    room = {"hourly_capacity": customers // 40}
    scheduling = SchedulingSettings(channels={"email": room, "app_push": room}, **fields)
    return scheduling, [made_campaign(number) for number in range(2)]


def test_probabilities_are_true_while_capacity_binds_and_owe_nothing_to_the_draws() -> None:
    scheduling, campaigns = crowd()
    night = made_night(1, scheduling, campaigns=campaigns, customers=400, zones=["Europe/Berlin"])
    expected, variance, drawn = np.zeros((3, 48))
    logged: dict[tuple[int, int], np.ndarray] = {}
    for seed in range(40):
        outcome = decide(night, scheduling.model_copy(update={"seed": seed}))
        messages = outcome.messages
        share = messages.probabilities / WHOLE
        expected += share.sum(axis=0)
        variance += (share * (1 - share)).sum(axis=0)
        drawn += np.bincount(messages.drawn, minlength=48)
        for number in np.flatnonzero(messages.how == CHOSEN):
            key = int(messages.campaign[number]), int(messages.customer[number])
            before = logged.setdefault(key, messages.probabilities[number])
            np.testing.assert_array_equal(messages.probabilities[number], before)
    some = variance > 1
    chi = ((drawn - expected)[some] ** 2 / variance[some]).sum()
    assert some.sum() > 20
    assert norm.sf((chi - some.sum()) / np.sqrt(2 * some.sum())) > 0.001
    wrong = ((drawn - np.roll(expected, 1))[some] ** 2 / variance[some]).sum()
    assert norm.sf((wrong - some.sum()) / np.sqrt(2 * some.sum())) < 1e-6, "the test would see a wrong log"


def test_expected_load_fits_the_capacity_so_few_are_repaired() -> None:
    scheduling, campaigns = crowd(2000)
    night = made_night(2, scheduling, campaigns=campaigns, customers=2000, zones=["Europe/Berlin"])
    outcome = decide(night, scheduling)
    messages = outcome.messages
    assert (outcome.decision == CODE["no_capacity"]).sum() > 100 or len(messages) > 900
    assert 0 < messages.is_repaired.mean() < 0.1
    at_random = messages.how == RANDOM_HOUR
    assert (messages.is_repaired & at_random).any(), "a repair leaves it what it was meant to be"
    assert at_random.mean() == pytest.approx(scheduling.random_hour_share, abs=0.02)


def by_arrival(night: object, scheduling: SchedulingSettings, outcome: Outcome) -> float:
    """Value of the same candidates served in the order of their ids, each at the best hour still free."""
    from include.scheduling.capacity import Capacity
    from include.scheduling.values import values

    capacity = Capacity.of(scheduling, night.hours, night.send_date)
    left = capacity.most - capacity.taken_by(night.sent.channel, night.sent.at, of_night=False).slots
    total = 0.0
    had = np.zeros(len(night.people), bool)
    open_ = _room(night, scheduling)
    for number in range(len(night.campaigns)):
        decided = outcome.decision[number]
        asks = np.isin(decided, [CODE[name] for name in ("scheduled", "capped", "no_capacity")])
        for customer in np.flatnonzero(asks & ~had):
            feasible = open_[[customer]] & (night.people.obstacle[:, [customer]] == 0).T[:, :, None]
            worth = values(night, number, np.array([customer]), feasible)[0]
            slot = capacity.slot_of[night.people.zone[customer]]
            worth = np.where((slot >= 0) & (np.append(left, 0)[slot] > 0), worth, -np.inf)
            if worth.max() > 0:
                total += worth.max()
                left[slot[worth.argmax()]] -= 1
                had[customer] = True
    return total


def _room(night: object, scheduling: SchedulingSettings) -> np.ndarray:
    from include.scheduling.caps import Caps, room_of

    everyone = np.arange(len(night.people))
    return room_of(night.hours, night.people.zone, everyone, night.sent, Caps.of(scheduling)).open


def test_scarce_room_goes_by_value_and_by_arrival_would_earn_plainly_less() -> None:
    """Room for less than half of all, even with what exploring costs."""
    room = {"hourly_capacity": 8}
    scheduling = SchedulingSettings(channels={"email": room, "app_push": room})
    campaigns = [made_campaign(number, control_share=0.0) for number in range(3)]
    night = made_night(
        3, scheduling, campaigns=campaigns, customers=600, zones=["Europe/Berlin"], held_out=0.0, earlier=0.0
    )
    outcome = decide(night, scheduling)
    ours, arrival = float(outcome.messages.value.sum()), by_arrival(night, scheduling, outcome)
    assert ours > 1.15 * arrival


def alike(scheduling: SchedulingSettings, campaign: Campaign, customers: int = 400) -> Night:
    """A night of customers who are all worth the same."""
    night = made_night(
        9,
        scheduling,
        campaigns=[campaign],
        customers=customers,
        zones=["Europe/Berlin"],
        reached=1,
        earlier=0,
        held_out=0,
        clicked=False,
    )
    return replace(
        night,
        margin=np.full_like(night.margin, 5),
        fatigue=np.zeros_like(night.fatigue),
        audiences=[Audience(np.zeros(customers, np.uint8), {}, {})],
    )


def test_how_far_from_the_best_who_goes_may_be_is_told() -> None:
    scheduling = SchedulingSettings()
    night = alike(scheduling, made_campaign(0, control_share=0.2, daily_budget=0.08))
    assert 0 < decide(night, scheduling).gap < 1e-4, "budgets of alike customers are kept nearly, not exactly"
    assert decide(replace(night, campaigns=[made_campaign(0)]), scheduling).gap == 0


def test_a_small_share_goes_at_even_hours_by_the_same_channels_as_the_others() -> None:
    scheduling = SchedulingSettings(random_hour_share=0.2)
    night = made_night(4, scheduling, campaigns=[made_campaign(0)], customers=1000)
    messages = decide(night, scheduling).messages
    even = messages.of(messages.how == RANDOM_HOUR)
    assert len(even) / len(messages) == pytest.approx(0.2, abs=0.05)
    of_channel = even.probabilities.reshape(len(even), 2, 24) / WHOLE
    most, least = of_channel.max(axis=2), np.where(of_channel > 0, of_channel, np.inf).min(axis=2)
    np.testing.assert_allclose(most[most > 0], least[most > 0], atol=5e-5)
    chosen = decide(night, scheduling.model_copy(update={"random_hour_share": 0.0})).messages
    chosen = chosen.of(np.isin(chosen.customer, even.customer))
    shares = chosen.probabilities.reshape(len(even), 2, 24).sum(axis=2) / WHOLE
    np.testing.assert_allclose(of_channel.sum(axis=2), shares, atol=5e-5)
    assert (np.abs(shares - 0.5) > 0.1).sum() > 50, "not all of them are as likely on either channel"


def test_ghosts_are_as_exposed_as_the_treated_and_take_no_room() -> None:
    scheduling, _ = crowd(3000)
    campaigns = [made_campaign(number, control_share=0.3) for number in range(2)]
    night = made_night(5, scheduling, campaigns=campaigns, customers=3000, zones=["Europe/Berlin"])
    outcome = decide(night, scheduling)
    for campaign in range(2):
        treated = outcome.arm[campaign] == TREATED
        went = (outcome.decision[campaign, treated] == CODE["scheduled"]).mean()
        control = outcome.arm[campaign] == CONTROL
        would = outcome.ghost[campaign, control].mean()
        # A control's other campaign is not always in the way, for a treated customer's it may be.
        assert would == pytest.approx(went, abs=0.08)
    assert (outcome.ghost[outcome.arm == TREATED] == -1).all()


@pytest.mark.parametrize("short", ["hours", "money"])
def test_of_alike_customers_as_many_ghosts_go_as_treated(short: str) -> None:
    limits = {"hourly_capacity": 10} if short == "hours" else {}
    scheduling = SchedulingSettings(channels={"email": limits, "app_push": limits})
    budget = None if short == "hours" else 0.25
    night = alike(scheduling, made_campaign(0, control_share=0.4, daily_budget=budget), customers=1500)
    outcome = decide(night, scheduling)
    treated = outcome.arm[0] == TREATED
    went = (outcome.decision[0, treated] == CODE["scheduled"]).mean()
    assert 0.2 < went < 0.4
    assert (outcome.ghost[0, ~treated] == 1).mean() == pytest.approx(went, abs=0.06)


def test_a_decision_does_not_depend_on_who_else_is_there_where_nothing_is_scarce() -> None:
    scheduling = SchedulingSettings()
    night = made_night(6, scheduling, campaigns=[made_campaign(0), made_campaign(1, priority=None)], customers=60)
    whole = decide(night, scheduling)

    def rows(messages: Messages) -> set[tuple[int, ...]]:
        columns = (messages.campaign, messages.customer, messages.choice, messages.drawn)
        return set(zip(*(column.tolist() for column in columns), strict=True))

    alone = replace(night, campaigns=night.campaigns[:1], audiences=night.audiences[:1])
    first = decide(alone, scheduling)
    both = {row for row in rows(whole.messages) if row[0] == 0}
    assert both <= rows(first.messages)


def sentences(outcome: Outcome, decision: str, campaign: int = 0) -> set[str]:
    return {
        outcome.sentences[number] for number in outcome.sentence[campaign, outcome.decision[campaign] == CODE[decision]]
    }


def test_the_second_message_of_a_night_counts_the_first() -> None:
    scheduling = SchedulingSettings(messages_per_day=2)
    campaigns = [made_campaign(number, control_share=0.0) for number in range(2)]
    night = made_night(13, scheduling, campaigns=campaigns, customers=200, earlier=0)
    messages = decide(night, scheduling).messages
    rate, fatigue = (
        night.beliefs.rate[messages.choice // 24, messages.customer, messages.choice % 24],
        night.fatigue[messages.choice // 24, messages.customer],
    )
    both = np.bincount(messages.customer)[messages.customer] == 2
    second = messages.rate < 0.9 * rate
    assert second.sum() == both.sum() / 2 > 20, "one of each pair"
    np.testing.assert_allclose(messages.rate, rate * np.where(second, 0.8, 1), rtol=1e-6)
    np.testing.assert_allclose(messages.fatigue, fatigue * np.where(second, 2, 1), rtol=1e-6)
    earned = messages.unclicked * messages.rate * messages.orders_per_click * messages.margin
    np.testing.assert_allclose(messages.value, earned - messages.cost - messages.fatigue, rtol=1e-5, atol=1e-9)

    def tired(some: np.ndarray, tonight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 1000.0 * np.ones((2, len(some))) * tonight, np.ones((2, len(some)))

    once = decide(replace(night, weary=tired), scheduling).messages
    assert np.bincount(once.customer).max() == 1


def test_a_budget_of_nothing_is_over_and_no_hour_is_called_full() -> None:
    scheduling = SchedulingSettings()
    campaigns = [made_campaign(0, daily_budget=0.0)]
    outcome = decide(made_night(10, scheduling, campaigns=campaigns, customers=60), scheduling)
    assert not (outcome.decision == CODE["no_capacity"]).any()
    assert sentences(outcome, "over_budget") == {"The campaign's budget of 0 a day does not pay for one message."}


def test_two_budgets_are_over_and_no_hour_is_called_full() -> None:
    scheduling = SchedulingSettings(messages_per_day=2)
    for seed in (2, 6):
        campaigns = [made_campaign(number, daily_budget=0.003 + 0.002 * number) for number in range(2)]
        outcome = decide(made_night(seed, scheduling, campaigns=campaigns, customers=60), scheduling)
        assert not (outcome.decision == CODE["no_capacity"]).any()
        assert (outcome.decision == CODE["over_budget"]).any()


def test_full_hours_are_called_full_while_there_is_money() -> None:
    scheduling, _ = crowd(120)
    night = made_night(11, scheduling, campaigns=[made_campaign(0, daily_budget=10.0)], customers=400)
    outcome = decide(night, scheduling)
    assert (outcome.decision == CODE["no_capacity"]).any()
    assert not (outcome.decision == CODE["over_budget"]).any()


@pytest.mark.parametrize("email", [{"warm_up": {"starts_on": "2017-12-05", "first_day": 5}}, {"daily_capacity": 3}])
def test_a_warm_up_that_has_yet_to_begin_says_when(email: dict[str, object]) -> None:
    warm_up = {"starts_on": "2017-12-04", "first_day": 5}
    scheduling = SchedulingSettings(channels={"email": email, "app_push": {"warm_up": warm_up}})
    night = made_night(12, scheduling, campaigns=[made_campaign(0)], customers=100, reached=1, earlier=0)
    outcome = decide(night, scheduling)
    [words] = sentences(outcome, "no_capacity")
    first = "The warm-up of email begins on 2017-12-05: nothing goes there before."
    if "daily_capacity" in email:
        first = "All feasible hours are full: their room goes to messages that are worth more."
    assert words == f"{first} The warm-up of app_push begins on 2017-12-04: nothing goes there before."


def test_every_decision_is_one_of_the_tables() -> None:
    assert {CODE[name] for name in DECISIONS} == set(range(len(DECISIONS)))
