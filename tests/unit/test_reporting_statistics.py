"""The mathematics of the reports: published vectors, hand-computed figures, and simulated error rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from include.reporting.statistics import (
    Mean,
    Problem,
    Ratio,
    compare,
    customers_needed,
    rate_interval,
    sample_ratio_p_value,
    wilson_interval,
)

Counts = np.ndarray


def mean_of(values: Counts) -> Mean:
    return Mean(len(values), float(values.sum()), float((values * values).sum()))


def ratio_of(numerators: Counts, denominators: Counts) -> Ratio:
    return Ratio(
        len(numerators),
        float(numerators.sum()),
        float((numerators**2).sum()),
        float(denominators.sum()),
        float((denominators**2).sum()),
        float((numerators * denominators).sum()),
    )


def overdispersed_clicks(rng: np.random.Generator, customers: int) -> tuple[Counts, Counts]:
    """(clicks, sends) per customer: one to eight sends, each customer with a click rate of their own around 10%."""
    sends = rng.integers(1, 9, customers)
    return rng.binomial(sends, rng.beta(1, 9, customers)), sends


class TestPublishedVectors:
    """growthbook/growthbook, packages/stats/tests."""

    def test_means(self) -> None:
        result = compare(Mean(3461, 2422.7, 134698.29), Mean(3407, 1396.87, 52377.9767), 0.95)
        assert result.problem is None
        assert result.difference == pytest.approx(0.29, abs=5e-6)
        assert result.low == pytest.approx(0.04538, abs=5e-6)
        assert result.high == pytest.approx(0.53462, abs=5e-6)
        assert result.p_value == pytest.approx(0.02016, abs=5e-6)

    def test_ratios(self) -> None:
        """The published p-value is of the relative lift, so that lift's error is put together here from our parts."""
        control, treated = Ratio(100, 270, 848.79, 510, 810, -900), Ratio(120, 300, 869, 500, 800, -905)
        lift = treated.mean / control.mean - 1
        parts = np.array([treated.variance / treated.n, control.variance / control.n])
        error = math.sqrt(parts[0] / control.mean**2 + parts[1] * treated.mean**2 / control.mean**4)
        freedom = parts.sum() ** 2 / (parts**2 / [treated.n - 1, control.n - 1]).sum()
        assert lift == pytest.approx(0.1333333, abs=5e-8)
        assert 2 * stats.t.sf(lift / error, freedom) == pytest.approx(0.610663339, abs=5e-10)

    def test_the_ratios_difference_has_one_p_value(self) -> None:
        """0.6 − 270/510; the p-value of the same parts by scipy's Welch test from summary statistics."""
        control, treated = Ratio(100, 270, 848.79, 510, 810, -900), Ratio(120, 300, 869, 500, 800, -905)
        result = compare(treated, control, 0.95)
        expected = stats.ttest_ind_from_stats(
            0.6, math.sqrt(treated.variance), 120, 270 / 510, math.sqrt(control.variance), 100, equal_var=False
        )
        assert result.difference == pytest.approx(0.6 - 270 / 510)
        assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)


class TestSums:
    def test_statistics_of_halves_add_to_those_of_the_whole(self) -> None:
        rng = np.random.default_rng(1)
        clicks, sends = overdispersed_clicks(rng, 200)
        assert mean_of(clicks[:90]) + mean_of(clicks[90:]) == mean_of(clicks)
        whole = ratio_of(clicks, sends)
        assert ratio_of(clicks[:90], sends[:90]) + ratio_of(clicks[90:], sends[90:]) == whole

    def test_mean_and_variance_are_the_samples(self) -> None:
        values = np.array([0.0, 0.0, 3.0, 5.0])
        assert mean_of(values).mean == 2.0
        assert mean_of(values).variance == pytest.approx(values.var(ddof=1))

    def test_a_ratio_over_a_constant_is_a_mean(self) -> None:
        clicks = np.array([0, 1, 1, 2, 0])
        ratio = ratio_of(clicks, np.full(5, 2))
        assert ratio.mean == pytest.approx(clicks.mean() / 2)
        assert ratio.variance == pytest.approx(clicks.var(ddof=1) / 4)


class TestBadInput:
    """A result with a code, and no NaN anywhere."""

    good = Mean(100, 50, 40)

    @pytest.mark.parametrize(
        ("treated", "problem"),
        [
            (Mean(0, 0, 0), Problem.TOO_FEW_CUSTOMERS),
            (Mean(1, 3, 9), Problem.TOO_FEW_CUSTOMERS),
            (Mean(10, math.nan, 1), Problem.NOT_FINITE),
            (Mean(10, 1, math.inf), Problem.NOT_FINITE),
            (Ratio(10, 0, 0, 0, 0, 0), Problem.ZERO_DENOMINATOR),
            (Ratio(10, math.nan, 0, 1, 1, 0), Problem.NOT_FINITE),
            (Ratio(1, 1, 1, 2, 4, 2), Problem.TOO_FEW_CUSTOMERS),
        ],
    )
    def test_compare(self, treated: Mean | Ratio, problem: Problem) -> None:
        for result in (compare(treated, self.good, 0.95), compare(self.good, treated, 0.95)):
            assert result.problem is problem
            assert (result.difference, result.low, result.high, result.p_value) == (None, None, None, None)

    def test_no_variance_at_all_keeps_the_difference_alone(self) -> None:
        result = compare(Mean(50, 100, 200), Mean(50, 50, 50), 0.95)
        assert (result.difference, result.low, result.p_value) == (1.0, None, None)
        assert result.problem is Problem.ZERO_VARIANCE

    def test_a_rate_without_sends(self) -> None:
        result = rate_interval(Ratio(0, 0, 0, 0, 0, 0), 0.95)
        assert (result.value, result.low, result.high) == (None, None, None)
        assert result.problem is Problem.ZERO_DENOMINATOR

    def test_customers_needed(self) -> None:
        assert customers_needed(Mean(1, 1, 1), self.good, 0.1, 0.95) is None
        assert customers_needed(self.good, self.good, 0, 0.95) is None


class TestRateInterval:
    def test_wilson_by_hand(self) -> None:
        """10 of 100 at 95%: Wilson's published interval is 5.52% to 17.44%."""
        low, high = wilson_interval(0.1, 100, 0.95)
        assert (low, high) == (pytest.approx(0.0552, abs=5e-5), pytest.approx(0.1744, abs=5e-5))

    def test_one_send_each_is_wilsons_interval(self) -> None:
        clicks = np.repeat([1, 0], [10, 90])
        result = rate_interval(ratio_of(clicks, np.ones(100, dtype=int)), 0.95)
        assert (result.low, result.high) == pytest.approx(wilson_interval(0.1, 100, 0.95))

    def test_sends_that_repeat_themselves_count_as_one(self) -> None:
        """Ten customers click all of their five sends, ninety none: 100 trials of information, not 500."""
        sends = np.full(100, 5)
        result = rate_interval(ratio_of(np.repeat([5, 0], [10, 90]), sends), 0.95)
        assert (result.low, result.high) == pytest.approx(wilson_interval(0.1, 100, 0.95))

    @pytest.mark.parametrize("clicks_per_customer", [0, 3])
    def test_none_or_all_clicked_counts_customers(self, clicks_per_customer: int) -> None:
        result = rate_interval(ratio_of(np.full(40, clicks_per_customer), np.full(40, 3)), 0.95)
        assert (result.low, result.high) == pytest.approx(wilson_interval(clicks_per_customer / 3, 40, 0.95))

    def test_customers_alike_are_worth_no_more_than_their_sends(self) -> None:
        result = rate_interval(ratio_of(np.full(40, 1), np.full(40, 2)), 0.95)
        assert (result.low, result.high) == pytest.approx(wilson_interval(0.5, 80, 0.95))

    def test_one_customer(self) -> None:
        result = rate_interval(Ratio(1, 1, 1, 4, 16, 4), 0.95)
        assert (result.value, result.problem) == (0.25, None)
        assert (result.low, result.high) == pytest.approx(wilson_interval(0.25, 1, 0.95))

    def test_it_covers_an_overdispersed_rate(self) -> None:
        rng = np.random.default_rng(11)
        covered = 0
        for _ in range(1000):
            result = rate_interval(ratio_of(*overdispersed_clicks(rng, 300)), 0.95)
            assert result.low is not None
            assert result.high is not None
            covered += result.low <= 0.1 <= result.high
        assert 0.93 <= covered / 1000 <= 0.97


class TestErrorRates:
    """Simulated: what the intervals and p-values promise is what happens."""

    RUNS = 2000

    def test_equal_arms_are_told_apart_no_more_than_promised(self) -> None:
        """Margins like a shop's: most buy nothing, a few buy much."""
        rng = np.random.default_rng(3)
        buys = rng.random((self.RUNS, 2, 1000)) < 0.3
        margins = np.where(buys, rng.lognormal(2, 0.8, buys.shape), 0)
        rejected = sum(
            (compare(mean_of(a), mean_of(b), 0.95).p_value or 0) < 0.05
            for a, b in zip(margins[:, 0], margins[:, 1], strict=True)
        )
        assert 0.040 <= rejected / self.RUNS <= 0.061

    def test_overdispersed_clicks_reject_as_promised_per_customer_and_not_per_send(self) -> None:
        """The test that treats sends as independent must fail here, or this simulation proves nothing."""
        rng = np.random.default_rng(4)
        per_customer = per_send = 0
        for _ in range(self.RUNS):
            treated, control = (overdispersed_clicks(rng, 500) for _ in range(2))
            per_customer += (compare(ratio_of(*treated), ratio_of(*control), 0.95).p_value or 0) < 0.05
            (a, n), (b, m) = ((clicks.sum(), sends.sum()) for clicks, sends in (treated, control))
            pooled = (a + b) / (n + m)
            z = (a / n - b / m) / math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
            per_send += abs(z) > stats.norm.ppf(0.975)
        assert 0.040 <= per_customer / self.RUNS <= 0.061
        assert per_send / self.RUNS > 0.08

    def test_intervals_cover_an_injected_effect(self) -> None:
        rng = np.random.default_rng(5)
        runs, effect, covered, right = 500, 0.5, 0, 0
        for _ in range(runs):
            control = rng.gamma(0.5, 10, 800)
            treated = rng.gamma(0.5, 10, 1600) + effect
            result = compare(mean_of(treated), mean_of(control), 0.95)
            assert result.low is not None
            assert result.high is not None
            covered += result.low <= effect <= result.high
            right += (result.low > 0) == ((result.p_value or 0) < 0.05 and (result.difference or 0) > 0)
        assert 0.93 <= covered / runs <= 0.97
        assert right == runs  # the interval and the p-value never disagree

    def test_sample_ratio_false_alarms_and_power(self) -> None:
        rng = np.random.default_rng(6)
        fair = rng.binomial(10_000, 0.5, self.RUNS)
        tilted = rng.binomial(10_000, 0.48, self.RUNS)

        def alarms(counts: Counts) -> float:
            p_values = [sample_ratio_p_value((int(count), 10_000 - int(count)), (0.5, 0.5)) for count in counts]
            return sum(p is not None and p < 0.001 for p in p_values) / self.RUNS

        assert alarms(fair) <= 0.003
        assert alarms(tilted) >= 0.73


class TestSampleRatio:
    def test_by_hand(self) -> None:
        """520 against 480 at even shares: χ² = 20²/500 + 20²/500 = 1.6."""
        assert sample_ratio_p_value((520, 480), (1, 1)) == pytest.approx(stats.chi2.sf(1.6, 1))

    def test_uneven_shares(self) -> None:
        assert sample_ratio_p_value((900, 100), (0.9, 0.1)) == pytest.approx(1.0)

    def test_it_is_silent_where_it_knows_nothing(self) -> None:
        assert sample_ratio_p_value((40, 0), (0.9, 0.1)) is None
        assert sample_ratio_p_value((100, 0), (1.0, 0.0)) is None
        assert sample_ratio_p_value((0, 0), (0.0, 0.0)) is None


class TestCustomersNeeded:
    def test_by_hand(self) -> None:
        """Even arms, variance 1, difference 0.1: 2 · 2 · (1.960 + 0.842)² / 0.01 = 3,140 customers, 1,570 an arm."""
        arm = Mean(1001, 0, 1000)
        assert customers_needed(arm, arm, 0.1, 0.95) == 3140

    def test_that_many_have_the_power(self) -> None:
        rng = np.random.default_rng(7)
        pilot = mean_of(rng.normal(1, 2, 2000)), mean_of(rng.normal(1, 2, 500))
        n = customers_needed(*pilot, 0.4, 0.95)
        assert n is not None
        treated_n = n * 4 // 5
        found = 0
        for _ in range(1000):
            result = compare(mean_of(rng.normal(1.4, 2, treated_n)), mean_of(rng.normal(1, 2, n - treated_n)), 0.95)
            found += (result.p_value or 1) < 0.05
        assert 0.76 <= found / 1000 <= 0.84
