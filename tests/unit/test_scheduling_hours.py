"""What is learned of customers' hours: against hand-worked numbers, and in shops whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from include.scheduling.hour_counts import HOURS, Counts
from include.scheduling.hour_model import CLASSES, LEVELS, PRIOR_RATE, STRENGTHS, HourModel

DAYTIME = np.arange(7, 22)


def no_counts(customers: int = 1, segments: int = 1) -> Counts:
    return Counts(
        np.zeros((customers, 2, HOURS)),
        np.zeros((customers, 2, HOURS)),
        np.arange(customers) % segments,
        np.zeros((customers, HOURS)),
    )


def bump(peak: np.ndarray) -> np.ndarray:
    return np.exp(2 * (np.cos(2 * np.pi * (np.arange(HOURS) - peak[:, None]) / HOURS) - 1))


def shop(
    seed: int = 1, customers: int = 2000, sends: float = 40.0, gain: float = 1.5, weekend: float = 0.0
) -> tuple[Counts, np.ndarray]:
    """Two segments who peak around 9 and 19, and the true rates (customers, day type, hours).

    gain: how many times more likely than elsewhere a click is at the peak, as a logarithm. weekend: hours by which
    peaks lie later then.
    """
    random = np.random.default_rng(seed)
    segment = random.integers(0, 2, customers)
    peak = np.array([9.0, 19.0])[segment] + random.normal(0, 1.5, customers)
    level = 0.03 * random.lognormal(-0.18, 0.6, customers)
    rates = np.stack([level[:, None] * np.exp(gain * bump(peak + late)) for late in (0.0, weekend)], axis=1)
    rates = np.minimum(rates, 0.9)
    sent = np.zeros((customers, 2, HOURS))
    for kind, share in enumerate((5 / 7, 2 / 7)):
        sent[:, kind, DAYTIME] = random.poisson(sends * share / len(DAYTIME), (customers, len(DAYTIME)))
    clicks = random.binomial(sent.astype(int), rates).astype(float)
    return Counts(sent, clicks, segment, np.zeros((customers, HOURS))), rates


@cache
def learned(**told: Any) -> HourModel:
    """From ``shop`` of these."""
    return HourModel.learn(shop(**told)[0], segments=2)


def test_before_any_send_every_hour_has_the_rate_of_a_large_retailer() -> None:
    model = HourModel.learn(no_counts(), segments=1)
    for kind in range(2):
        np.testing.assert_allclose(model.posterior(no_counts(), kind).mean, PRIOR_RATE, rtol=0.05)


def test_of_nobody_there_is_an_empty_posterior() -> None:
    posterior = HourModel.first(0.01, 1).posterior(no_counts(0), 0)
    assert posterior.mean.shape == posterior.interval()[0].shape == (0, HOURS)


def test_curves_have_mean_one_and_classes_peak_where_they_say() -> None:
    peaks = HourModel.first(0.01, 1).peaks
    assert peaks.shape == (CLASSES, HOURS)
    np.testing.assert_allclose(peaks.mean(axis=1), 1)
    np.testing.assert_array_equal(peaks[0], 1)
    for number in range(len(STRENGTHS)):
        rows = slice(1 + number * HOURS, 1 + (number + 1) * HOURS)
        np.testing.assert_array_equal(peaks[rows].argmax(axis=1), np.arange(HOURS))
    assert (np.diff([peaks[1 + number * HOURS].max() for number in range(len(STRENGTHS))]) > 0).all()


def test_shares_of_classes_by_hand() -> None:
    """One send and one click at 9: by Bayes with r summed out, ω Σ w r θ exp(−r θ) for each class."""
    model, counts = HourModel.first(0.02, 1), no_counts()
    counts.sends[0, 0, 9] = counts.clicks[0, 0, 9] = 1
    curves = model.curves(0)
    rate = LEVELS[:, None] * curves[:, 9]
    weight = model.weights[0] * (model.levels @ (rate * np.exp(-rate)))
    share = model.posterior(counts, 0).share[0]
    np.testing.assert_allclose(share, weight / weight.sum(), rtol=1e-6)


def test_levels_by_hand() -> None:
    """Ten clicks where one was expected: E[r] of the discrete levels, given Poisson counts."""
    model, counts = HourModel.first(0.01, 1), no_counts()
    counts.sends[0, 0, :], counts.clicks[0, 0, 5] = 100 / HOURS, 10
    # Sent to at all hours alike, whichever class it is expects as much.
    weight = model.levels * LEVELS**10 * np.exp(-LEVELS * 1.0)
    expected = (weight @ LEVELS) / weight.sum()
    np.testing.assert_allclose(model.posterior(counts, 0).level[0], expected, rtol=1e-9)


def test_a_click_at_an_hour_speaks_for_the_hours_beside_it_across_midnight() -> None:
    counts = no_counts()
    counts.sends[0, 0, 23] = counts.clicks[0, 0, 23] = 1
    mean = HourModel.first(0.02, 1).posterior(counts, 0).mean[0]
    assert mean[23] > mean[0] > mean[1] > mean[12]
    assert mean[0] == pytest.approx(mean[22])


def test_weekends_follow_the_other_days_and_can_be_turned() -> None:
    counts = no_counts()
    counts.sends[0, 0, 9] = counts.clicks[0, 0, 9] = 3
    model = HourModel.first(0.02, 1)
    assert model.posterior(counts, 1).mean[0].argmax() == 9
    turned = HourModel(**{**vars(model), "turn": np.roll(model.turn, 4)})
    assert turned.posterior(counts, 1).mean[0].argmax() == 13
    assert turned.posterior(counts, 0).mean[0].argmax() == 9


def test_hours_of_a_segment_are_those_of_new_customers_who_belong_to_it() -> None:
    best = learned().posterior(no_counts(2, segments=2), 0).mean.argmax(axis=1)
    assert abs(best[0] - 9) <= 1
    assert abs(best[1] - 19) <= 1


def test_the_shape_is_flat_where_no_hour_is_better() -> None:
    flat, steep = learned(gain=0.0).shape, learned().shape
    assert flat.max() / flat.min() < 1.5
    assert 3 < steep.max() / steep.min() < 6, "e^1.5 is 4.5"


def test_weekends_that_are_later_are_found() -> None:
    turn = learned(customers=4000, sends=80, weekend=5.0).turn
    assert turn.argmax() in (4, 5, 6)


def test_decayed_counts_say_as_much_of_how_customers_differ_as_those_they_stand_for() -> None:
    """Half as many clicks by halving weights are as noisy as the whole ones, not as half of them."""
    counts, _ = shop(customers=500)
    halved = replace(counts, sends=counts.sends / 2, clicks=counts.clicks / 2, worth=2.0)
    of_whole, of_halved = (HourModel.learn(told, segments=2).posterior(told, 0).interval() for told in (counts, halved))
    np.testing.assert_allclose(of_halved, of_whole, rtol=1e-9)


@pytest.mark.parametrize(("sends", "most"), [(5.0, 0.97), (40.0, 0.93)])
@pytest.mark.parametrize("gain", [0.0, 1.5])
def test_intervals_cover_the_truth_as_often_as_they_say(sends: float, most: float, gain: float) -> None:
    """They are wide where some 600 clicks in all must tell everyone's curves apart."""
    counts, rates = shop(customers=4000, sends=sends, gain=gain)
    posterior = learned(customers=4000, sends=sends, gain=gain).posterior(counts, 0)
    low, high = posterior.interval(0.9)
    truth = rates[:, 0]
    inside = ((low <= truth) & (truth <= high))[:, DAYTIME]
    assert 0.87 <= inside.mean() <= most
    mean = posterior.mean[:, DAYTIME]
    top = mean >= np.quantile(mean, 0.9)
    assert mean[top].mean() == pytest.approx(truth[:, DAYTIME][top].mean(), rel=0.1)


def test_activity_in_the_shop_speaks_for_whoever_was_never_written_to() -> None:
    counts, rates = shop()
    activity = rates[:, 0] / rates[:, 0].sum(axis=1, keepdims=True)
    model = HourModel.learn(Counts(counts.sends, counts.clicks, counts.segment, activity), segments=2)
    assert model.activity_clicks > 0
    cold = no_counts(1)
    cold.activity[0, 14] = 1.0
    mean = model.posterior(cold, 0).mean[0]
    without = model.posterior(no_counts(1), 0).mean[0]
    assert mean[14] / mean.mean() > 1.05 * without[14] / without.mean()


def test_activity_that_has_nothing_to_do_with_clicks_is_worth_nothing() -> None:
    counts, _ = shop(sends=80)
    random = np.random.default_rng(9)
    activity = np.eye(HOURS)[random.integers(0, HOURS, len(counts))]
    model = HourModel.learn(Counts(counts.sends, counts.clicks, counts.segment, activity), segments=2)
    assert model.activity_clicks <= 0.25


def test_a_model_is_the_same_when_it_comes_back_from_its_table() -> None:
    counts, _ = shop(customers=300)
    model = HourModel.learn(counts, segments=2)
    again = HourModel.of_json(json.loads(json.dumps(model.as_json())))
    for kind in range(2):
        np.testing.assert_array_equal(again.posterior(counts, kind).mean, model.posterior(counts, kind).mean)


def test_the_same_counts_make_the_same_model() -> None:
    counts, _ = shop(customers=300)
    first, second = HourModel.learn(counts, segments=2), HourModel.learn(counts, segments=2)
    assert first.as_json() == second.as_json()
