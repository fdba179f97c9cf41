"""The send-time posterior against hand-worked numbers and against a world whose truth is known."""

import numpy as np
import pytest

from include.scheduling.posterior import (
    ACTIVITY_SENDS,
    HOURS,
    PRIOR_RATE,
    Strengths,
    activity_curve,
    customer_posterior,
    fit,
    segment_curve,
    shop_curve,
    smoothing_kernel,
)

STRENGTHS = Strengths(segment=200.0, level=2.0, customer=30.0)
NO_ACTIVITY = np.zeros((1, HOURS))


def counts(customers: int = 1) -> np.ndarray:
    return np.zeros((customers, 2, HOURS))


def test_the_kernel_is_a_circle() -> None:
    kernel = smoothing_kernel()
    assert kernel[5, 5] == 1
    assert kernel[0, 23] == pytest.approx(kernel[0, 1]) == pytest.approx(np.exp(6 * (np.cos(np.pi / 12) - 1)))
    assert kernel[0, 12] == pytest.approx(np.exp(-12))
    np.testing.assert_allclose(kernel.sum(axis=0), kernel.sum(axis=0)[0])


def test_smoothing_lends_a_click_to_the_neighbouring_hours_across_midnight() -> None:
    sends, clicks = counts(), counts()
    sends[0, 0, 23], clicks[0, 0, 23] = 1, 1
    flat = np.full((1, 2, HOURS), 0.02)
    posterior = customer_posterior(sends, clicks, flat, STRENGTHS)
    # r = (1 + 2) / (1 · 0.02 + 2), m = r · 0.02
    prior_mean = 3 / 2.02 * 0.02
    neighbour = np.exp(6 * (np.cos(np.pi / 12) - 1))
    assert posterior.alpha[0, 0, 23] == pytest.approx(30 * prior_mean + 1)
    assert posterior.alpha[0, 0, 0] == pytest.approx(30 * prior_mean + neighbour)
    assert posterior.beta[0, 0, 23] == pytest.approx(30 * (1 - prior_mean))
    assert posterior.alpha[0, 1, 23] == pytest.approx(30 * prior_mean), "another day type lends no hours"


def test_shrinkage_by_hand() -> None:
    sends, clicks = counts(2), counts(2)
    sends[:, 0, 10] = [40, 60]
    clicks[:, 0, 10] = [4, 1]
    overall = (5 + 200 * PRIOR_RATE) / (100 + 200)
    shop = shop_curve(sends, clicks, np.ones(HOURS))
    assert shop[0, 10] == pytest.approx((5 + ACTIVITY_SENDS * overall) / (100 + ACTIVITY_SENDS))
    assert shop[0, 11] == pytest.approx(overall)
    segment = segment_curve(sends[:1], clicks[:1], shop, np.ones(HOURS), strength=200)
    assert segment[0, 10] == pytest.approx((4 + 220 * shop[0, 10]) / (40 + 220))
    posterior = customer_posterior(sends[:1], clicks[:1], segment[None], STRENGTHS)
    level = (4 + 2) / (40 * segment[0, 10] + 2)
    assert posterior.alpha[0, 0, 10] == pytest.approx(30 * level * segment[0, 10] + 4)
    assert posterior.beta[0, 0, 10] == pytest.approx(30 * (1 - level * segment[0, 10]) + 36)
    assert 0.02 < posterior.mean[0, 0, 10] < 0.1, "between the shop's rate and the customer's own"


def test_fit_goes_through_the_levels_segment_by_segment() -> None:
    sends, clicks = counts(3), counts(3)
    sends[:, :, 9], clicks[0, :, 9] = 20, 5
    together = fit(sends, clicks, np.array([0, 0, 1]), np.zeros((3, HOURS)), STRENGTHS)
    shop = shop_curve(sends, clicks, np.ones(HOURS))
    first = segment_curve(sends[:2], clicks[:2], shop, np.ones(HOURS), 200)
    second = segment_curve(sends[2:], clicks[2:], shop, np.ones(HOURS), 200)
    by_hand = customer_posterior(sends, clicks, np.stack([first, first, second]), STRENGTHS)
    np.testing.assert_allclose(together.alpha, by_hand.alpha)
    np.testing.assert_allclose(together.beta, by_hand.beta)
    assert together.mean[1, 0, 9] > together.mean[2, 0, 9], "the clicks of others of the segment speak for a customer"


def test_a_cold_start_follows_shop_activity_around_the_base_rate() -> None:
    active = np.zeros((2, HOURS))
    active[0, 18], active[1, 7] = 1.0, 1.0
    posterior = fit(counts(2), counts(2), np.array([0, 1]), active, STRENGTHS)
    evening, morning = posterior.mean[0, 0], posterior.mean[1, 0]
    assert evening[18] > evening[7]
    assert evening[18] > morning[18], "the segment's own hours tilt the shop's curve"
    assert posterior.mean.mean() == pytest.approx(PRIOR_RATE, rel=0.05)
    flat = fit(counts(), counts(), np.array([0]), NO_ACTIVITY, STRENGTHS)
    np.testing.assert_allclose(flat.mean, PRIOR_RATE)


def test_the_activity_curve_has_mean_one_and_is_flat_without_activity() -> None:
    active = np.zeros((3, HOURS))
    active[0, 12] = 1.0
    curve = activity_curve(active)
    assert curve.mean() == pytest.approx(1)
    assert curve.argmax() == 12
    assert curve.min() > 0.49
    np.testing.assert_array_equal(activity_curve(NO_ACTIVITY), np.ones(HOURS))


def test_sends_wear_the_activity_down() -> None:
    sends, clicks = counts(), counts()
    sends[0], clicks[0, :, 8] = 1000, 100
    active = np.zeros((1, HOURS))
    active[0, 20] = 1.0
    posterior = fit(sends, clicks, np.array([0]), active, STRENGTHS)
    assert posterior.mean[0, 0].argmax() == 8


@pytest.mark.parametrize("sends_per_customer", [2, 10, 40])
def test_intervals_cover_the_truth(sends_per_customer: int) -> None:
    """Customers of three segments, each with a level and a peak of its own; 90% intervals of the hours sent at."""
    random = np.random.default_rng(20171130)
    customers, hours = 3000, np.arange(HOURS)
    segments = random.integers(0, 3, customers)
    peak = np.array([8, 12.5, 19.5])[segments] + random.normal(0, 1.5, customers)
    level = random.gamma(2, 0.5, customers)
    truth = level[:, None] * 0.04 * np.exp(np.cos(2 * np.pi * (hours - peak[:, None]) / HOURS) - 1)
    sends = counts(customers)
    sends[:, 0] = random.poisson(sends_per_customer / 15, (customers, HOURS)) * ((hours >= 7) & (hours <= 21))
    clicks = random.binomial(sends.astype(int), np.stack([truth, truth], axis=1)).astype(float)
    posterior = fit(sends, clicks, segments, np.zeros((customers, HOURS)), STRENGTHS)
    low, high = (bound[:, 0, 7:22] for bound in posterior.interval(0.9))
    inside = truth[:, 7:22]
    # The pooling is wider than need be where data are many, so the upper end is generous.
    assert 0.87 <= ((low <= inside) & (inside <= high)).mean() <= 0.985
    # Each cell by itself, with one pseudo-send at the shop's true mean.
    alone = (clicks[:, 0, 7:22] + inside.mean()) / (sends[:, 0, 7:22] + 1)
    assert ((posterior.mean[:, 0, 7:22] - inside) ** 2).mean() < 0.7 * ((alone - inside) ** 2).mean()


def test_the_interval_is_the_equal_tailed_one() -> None:
    from scipy.stats import beta

    posterior = fit(counts(2), counts(2), np.array([0, 0]), np.zeros((2, HOURS)), STRENGTHS)
    low, high = posterior.interval(0.9)
    assert low.shape == posterior.alpha.shape
    a, b = posterior.alpha[1, 1, 5], posterior.beta[1, 1, 5]
    assert beta.cdf(low[1, 1, 5], a, b) == pytest.approx(0.05)
    assert beta.cdf(high[1, 1, 5], a, b) == pytest.approx(0.95)
