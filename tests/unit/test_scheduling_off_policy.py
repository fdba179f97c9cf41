"""Off-policy values: the formulas on figures worked out another way, and no figure where the log cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from include.scheduling.off_policy import (
    Estimate,
    Estimator,
    Experiment,
    Interval,
    LeftOut,
    LoggedSends,
    PolicyTotals,
    Problem,
    usable,
)
from include.scheduling.reward_model import cross_fitted_rates

ACTIONS = 4
SENDS = 4000


def made_log(seed: int = 0, customers: int = 400, floor: float = 0.4) -> tuple[LoggedSends, np.ndarray, np.ndarray]:
    """A log, its true reward rates (sends, actions), and a target policy; the last action is not feasible."""
    random = np.random.default_rng(seed)
    feasible = np.tile([True, True, True, False], (SENDS, 1))
    preferred = random.integers(0, 3, SENDS)
    probabilities = np.where(feasible, floor / 3, 0.0)
    probabilities[np.arange(SENDS), preferred] += 1 - floor
    action = (np.cumsum(probabilities, axis=1) > random.random(SENDS)[:, None]).argmax(axis=1)
    customer = random.integers(0, customers, SENDS)
    level = random.gamma(2, 0.1, customers)[customer]
    rates = np.minimum(level[:, None] * np.array([0.5, 1.0, 1.5, 9.0]), 1)
    reward = (random.random(SENDS) < rates[np.arange(SENDS), action]).astype(float)
    target = np.tile([0.1, 0.2, 0.7, 0.0], (SENDS, 1))
    propensity = probabilities[np.arange(SENDS), action]
    return LoggedSends(customer, feasible, probabilities, action, propensity, reward), rates, target


def interval_of(found: Interval | None) -> Interval:
    assert found is not None
    return found


def test_estimates_are_the_formulas() -> None:
    sends, _, target = made_log()
    q = np.random.default_rng(1).random((SENDS, ACTIONS)) * 0.3
    rows = np.arange(SENDS)
    w = target[rows, sends.action] / sends.propensity
    sums = PolicyTotals.of(sends, target, q)
    expected = {
        Estimator.IPS: (w * sends.reward).mean(),
        Estimator.SNIPS: (w * sends.reward).sum() / w.sum(),
        Estimator.DR: ((target * q).sum(axis=1) + w * (sends.reward - q[rows, sends.action])).mean(),
    }
    for estimator, value in expected.items():
        assert interval_of(sums.value(estimator).value).value == pytest.approx(value, rel=1e-12)
    assert sums.effective_sample_size == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert interval_of(sums.logged_value(Estimator.IPS).value).value == pytest.approx(sends.reward.mean())


@pytest.mark.parametrize("estimator", Estimator)
def test_the_standard_error_is_that_of_leaving_out_one_customer_at_a_time(estimator: Estimator) -> None:
    """The jackknife over customers (Efron & Stein 1981), which knows nothing of the delta method."""
    sends, rates, target = made_log(customers=150)

    def values(kept: np.ndarray) -> list[float]:
        sums = PolicyTotals.of(sends.of(kept), target[kept], rates[kept])
        found = sums.value(estimator)
        return [interval_of(found.value).value, interval_of(found.gain).value]

    left = np.array([values(sends.customer != customer) for customer in range(150)])
    jackknife = np.sqrt(149 / 150 * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    found = PolicyTotals.of(sends, target, rates).value(estimator)
    errors = [interval_of(found.value).standard_error, interval_of(found.gain).standard_error]
    np.testing.assert_allclose(errors, jackknife, rtol=0.03)


def test_ips_and_dr_are_right_on_average_whatever_the_reward_model_says() -> None:
    """Exactly: over every action that could have been drawn, weighted by its probability."""
    sends, rates, target = made_log()
    q = np.random.default_rng(2).random((SENDS, ACTIONS))
    truth = (target * rates).sum(axis=1).sum()
    for figure in (3, 4):  # weighted reward, doubly robust
        mean = 0.0
        for action in range(3):
            drawn = np.full(SENDS, action)
            told = replace(sends, action=drawn, propensity=sends.probabilities[:, action], reward=rates[:, action])
            for send_group in (told.probabilities[:, action] > 0.5, told.probabilities[:, action] < 0.5):
                probability = told.probabilities[send_group, action][0]
                part = PolicyTotals.of(told.of(send_group), target[send_group], q[send_group])
                mean += probability * part.totals.total(figure)
        assert mean == pytest.approx(truth, rel=1e-9)


def test_groups_of_customers_joined_are_the_whole() -> None:
    sends, rates, target = made_log()
    whole = PolicyTotals.of(sends, target, rates)
    odd = sends.customer % 2 == 1
    joined = PolicyTotals.joined([PolicyTotals.of(sends.of(some), target[some], rates[some]) for some in (odd, ~odd)])
    assert joined.totals.customers == whole.totals.customers
    assert joined.effective_sample_size == pytest.approx(whole.effective_sample_size)
    for estimator in Estimator:
        one, other = joined.value(estimator), whole.value(estimator)
        assert interval_of(one.gain).low == pytest.approx(interval_of(other.gain).low)


def test_the_logged_policy_gains_nothing_over_itself() -> None:
    sends, rates, _ = made_log()
    for estimator in Estimator:
        gain = interval_of(PolicyTotals.of(sends, sends.probabilities, rates).value(estimator).gain)
        assert (gain.value, gain.standard_error) == pytest.approx((0, 0), abs=1e-9)


def test_a_difference_is_told_more_closely_than_two_values_apart() -> None:
    sends, rates, _ = made_log()
    near = 0.9 * sends.probabilities + 0.1 * sends.feasible / 3
    sums = PolicyTotals.of(sends, near, rates)
    found, logged = sums.value(Estimator.IPS), sums.logged_value(Estimator.IPS)
    apart = np.hypot(interval_of(found.value).standard_error, interval_of(logged.value).standard_error)
    assert interval_of(found.gain).standard_error < 0.3 * apart


def test_limits_of_a_skewed_sum_are_those_of_halls_transformation() -> None:
    """Inverted here by search: the limits are where g of the studentised distance is ±1.96."""
    terms = np.random.default_rng(5).gamma(0.3, size=50) / 50
    estimate = Estimate(1.0, terms - terms.mean())
    found = estimate.interval(0.95)
    skewness = (estimate.terms**3).sum() / (estimate.terms**2).sum() ** 1.5
    assert skewness > 0.2

    def g(limit: float) -> float:
        t = (1.0 - limit) / found.standard_error
        return t + skewness * t**2 / 3 + skewness**2 * t**3 / 27 + skewness / 6

    assert g(found.low) == pytest.approx(1.959964, rel=1e-5)
    assert g(found.high) == pytest.approx(-1.959964, rel=1e-5)
    assert found.high - 1 > 1.3 * (1 - found.low)
    mirrored = Estimate(1.0, -estimate.terms).interval(0.95)
    assert (mirrored.low, mirrored.high) == pytest.approx((2 - found.high, 2 - found.low))
    even = Estimate(1.0, np.tile([-0.1, 0.1], 50)).interval(0.95)
    assert even.high - 1 == pytest.approx(1.959964 * even.standard_error)


def test_effective_customers_are_those_who_decide_the_error() -> None:
    assert Estimate(0.0, np.array([1.0, -1.0] * 20)).effective_customers == pytest.approx(40)
    assert Estimate(0.0, np.array([100.0, -100.0, *[0.01] * 999])).effective_customers == pytest.approx(2, abs=0.01)
    assert Estimate(0.0, np.zeros(5)).effective_customers == 0


# --- what cannot be told ---------------------------------------------------------------------------------------------


def test_sends_that_cannot_be_used_are_counted_by_reason() -> None:
    sends, _, _ = made_log()
    sends.propensity[0] = np.nan
    sends.propensity[1] = 0.5
    sends.probabilities[2] = [0.3, 0.3, 0.3, 0.0]
    sends.action[3] = 3
    sends.probabilities[4] = [0.99, 0.01, 0.0, 0.0]
    sends.action[4], sends.propensity[4] = 0, 0.99
    sound, left_out = usable(sends, exploration=0.4)
    assert left_out == LeftOut(moved=1, unsound=3, below_floor=1)
    assert left_out.total == 5
    assert not sound[:5].any()
    assert sound[5:].all()
    assert usable(sends, exploration=0.0)[1].below_floor == 0, "a log that claims no floor"
    assert usable(sends, exploration=0.41)[1].below_floor == SENDS - 4


def test_a_log_that_keeps_millionths_reaches_its_floor() -> None:
    """0.05/26 is 0.00192307…, logged as 0.001923."""
    probabilities = np.full((1, 26), 0.001923)
    probabilities[0, 7] = 1 - 25 * 0.001923
    sends = LoggedSends(
        customer=np.zeros(1, np.int64),
        feasible=np.ones((1, 26), bool),
        probabilities=probabilities,
        action=np.array([3]),
        propensity=np.array([0.001923]),
        reward=np.ones(1),
    )
    assert usable(sends, exploration=0.05)[1] == LeftOut()
    assert usable(sends, exploration=0.0502)[1] == LeftOut(below_floor=1)


def test_nothing_feasible_is_unsound() -> None:
    sends, _, _ = made_log()
    sends.feasible[0] = False
    assert usable(sends, exploration=0.4)[1] == LeftOut(unsound=1)


def refusal(sums: PolicyTotals) -> Problem | None:
    for estimator in Estimator:
        found = sums.value(estimator)
        assert (found.value is None) == (found.gain is None) == (found.problem is not None)
    return sums.value(Estimator.DR).problem


def test_what_the_log_could_not_do_is_refused_and_said_how_much() -> None:
    sends, rates, target = made_log()
    target[: SENDS // 2] = [0.0, 0.0, 0.4, 0.6]
    sums = PolicyTotals.of(sends, target, rates)
    assert sums.share_outside == pytest.approx(0.3)
    assert refusal(sums) == Problem.NO_SUPPORT


def test_a_greedy_log_is_refused() -> None:
    sends, rates, target = made_log(floor=0.0)
    assert usable(sends, exploration=0.4)[1].below_floor == SENDS
    assert refusal(PolicyTotals.of(sends, target, rates)) == Problem.NO_SUPPORT


def test_too_little_is_refused() -> None:
    sends, rates, target = made_log(floor=0.001)
    rare = np.where(sends.probabilities > 0.5, 0, sends.feasible) / 2
    assert refusal(PolicyTotals.of(sends, rare, rates)) == Problem.EFFECTIVE_SAMPLE_TOO_SMALL
    sends, rates, target = made_log()
    few = replace(sends, reward=np.where(np.arange(SENDS) < 40, sends.reward, 0.0))
    assert refusal(PolicyTotals.of(few, target, rates)) == Problem.TOO_FEW_CUSTOMERS
    assert PolicyTotals.of(few, target, rates).logged_value(Estimator.IPS).problem == Problem.TOO_FEW_CUSTOMERS
    one = sends.of(sends.customer == 0)
    assert refusal(PolicyTotals.of(one, target[: len(one)], rates[: len(one)])) == Problem.NO_SENDS
    assert refusal(PolicyTotals.joined([])) == Problem.NO_SENDS
    assert PolicyTotals.joined([]).logged_value(Estimator.DR).problem == Problem.NO_SENDS
    none = sends.of(np.zeros(SENDS, bool))
    assert refusal(PolicyTotals.of(none, target[:0], rates[:0])) == Problem.NO_SENDS


# --- coverage, quickly -----------------------------------------------------------------------------------------------


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Of 200 logs: the standard error of 95% is 1.5%. tests/science asks more closely, of the product's own logs."""
    random = np.random.default_rng(3)
    truth = np.array([0.1, 0.2, 0.7]) @ np.array([0.5, 1.0, 1.5]) * 0.1
    covered = dict.fromkeys(Estimator, 0)
    for seed in range(200):
        sends, _, target = made_log(seed)
        level = random.gamma(2, 0.05, 400)[sends.customer]
        rate = level * np.array([0.5, 1.0, 1.5, 0.0])[sends.action]
        sends = replace(sends, reward=(random.random(SENDS) < rate).astype(float))
        q = np.tile([0.05, 0.1, 0.15, 0.0], (SENDS, 1))
        for estimator in Estimator:
            found = interval_of(PolicyTotals.of(sends, target, q).value(estimator).value)
            covered[estimator] += found.low <= truth <= found.high
    for estimator, times in covered.items():
        assert 0.9 <= times / 200 <= 0.99, estimator


# --- the experiment --------------------------------------------------------------------------------------------------


def test_the_experiment_compares_sends_of_both_kinds_by_customer() -> None:
    random = np.random.default_rng(4)
    customer = random.integers(0, 300, SENDS)
    is_random = random.random(SENDS) < 0.2
    level = random.gamma(1, 0.2, 300)[customer]
    reward = (random.random(SENDS) < level * np.where(is_random, 0.5, 1.0)).astype(float)
    found = Experiment.of(customer, is_random, reward).value()
    value, gain = interval_of(found.value), interval_of(found.gain)
    assert value.value == pytest.approx(reward[is_random].mean())
    assert gain.value == pytest.approx(reward[~is_random].mean() - reward[is_random].mean())
    left = np.array(
        [
            reward[~is_random & (customer != one)].mean() - reward[is_random & (customer != one)].mean()
            for one in range(300)
        ]
    )
    jackknife = np.sqrt(299 / 300 * ((left - left.mean()) ** 2).sum())
    assert gain.standard_error == pytest.approx(jackknife, rel=0.03)


def test_the_experiment_without_a_control_says_so() -> None:
    customer, reward = np.arange(100), np.ones(100)
    assert Experiment.joined([]).value().problem == Problem.NO_SENDS
    assert Experiment.of(customer, np.zeros(100, bool), reward).value().problem == Problem.NO_SENDS
    assert Experiment.of(customer, np.arange(100) < 9, reward).value().problem == Problem.TOO_FEW_CUSTOMERS


# --- the reward model ------------------------------------------------------------------------------------------------


def test_rates_of_a_fold_do_not_know_its_own_clicks() -> None:
    sends = np.full((3, 2), 1000.0)
    clicks = np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]])
    rates = cross_fitted_rates(sends, clicks)
    clicks[1] = 900.0
    changed = cross_fitted_rates(sends, clicks)
    np.testing.assert_array_equal(rates[1], changed[1])
    assert (rates[[0, 2]] != changed[[0, 2]]).all()
    # Fold 1: (10 + 50 + 100 m)/(2000 + 100) with m = (140 + 2.2)/(4000 + 200).
    assert rates[1, 0] == pytest.approx((60 + 100 * 142.2 / 4200) / 2100)
