"""What one more message risks: the curve never falls, is the prior without data, and recovers a planted one."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.special import expit

from include.scheduling.fatigue import (
    CELLS,
    MOST_RECENT,
    PRIOR_LOST,
    ChannelFatigue,
    Fatigue,
    click_factors,
    learn_curve,
    weekly_messages,
)

NOBODY = np.zeros(CELLS)


def sends_up_to(recent: int, each: float) -> np.ndarray:
    return np.where(np.arange(CELLS) <= recent, each, 0.0)


def fatigue(lost: np.ndarray | None = None, **fields: float) -> Fatigue:
    known = {"value_per_message": 0.01, "messages_per_week": 2.0, "sends": 0, "unsubscribed": 0, "complained": 0}
    curve = np.full(CELLS, 0.002) if lost is None else lost
    return Fatigue({"email": ChannelFatigue(curve, curve, curve, np.ones(CELLS), **(known | fields))}, 180)


def test_the_next_message_is_clicked_less_by_the_step_between_the_factors() -> None:
    known = fatigue().channels["email"]
    factors = np.append([1.2, 0.9], np.full(CELLS - 2, 0.6))
    of = Fatigue({"email": replace(known, click_factor=factors)}, 180)
    recent, more = np.array([0, 0, 1, MOST_RECENT + 3]), np.array([0, 1, 1, 1])
    np.testing.assert_allclose(of.click_factor("email", recent, more), [1, 0.75, 2 / 3, 1])


# --- the curve -------------------------------------------------------------------------------------------------------


def test_without_data_the_curve_is_the_prior() -> None:
    curve = learn_curve(NOBODY, NOBODY)
    np.testing.assert_allclose(curve.mean, PRIOR_LOST, rtol=1e-4)
    assert (curve.low < PRIOR_LOST).all()
    assert (curve.high > PRIOR_LOST).all()


def test_a_few_events_hardly_move_it() -> None:
    curve = learn_curve(sends_up_to(3, 50.0), sends_up_to(0, 2.0))
    assert (curve.mean < 2 * PRIOR_LOST).all(), "two lost of fifty are not four in a hundred"


@given(
    st.lists(st.floats(0, 1e6), min_size=CELLS, max_size=CELLS),
    st.lists(st.floats(0, 1), min_size=CELLS, max_size=CELLS),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_whatever_was_seen_it_never_falls_and_is_a_probability(sends: list[float], shares: list[float]) -> None:
    curve = learn_curve(np.array(sends), np.array(sends) * np.array(shares))
    for bound in (curve.low, curve.mean, curve.high):
        assert (np.diff(bound) >= -1e-15).all()
        assert ((bound >= 0) & (bound <= 1)).all()
    assert (curve.low <= curve.mean).all()
    assert (curve.mean <= curve.high).all()


@pytest.mark.parametrize("kind", ["line", "step", "flat"])
def test_a_planted_curve_is_recovered_within_its_intervals(kind: str) -> None:
    recent = np.arange(CELLS)
    truth = {
        "line": expit(np.log(0.002) + 0.35 * recent),
        "step": np.where(recent < 3, 0.0015, 0.012),
        "flat": np.full(CELLS, 0.003),
    }[kind]
    sends, seen = sends_up_to(6, 30_000.0), slice(0, 7)
    inside, errors = [], []
    for seed in range(40):
        random = np.random.default_rng(seed)
        curve = learn_curve(sends, random.binomial(sends.astype(int), truth).astype(np.float64))
        inside.append((curve.low <= truth) & (truth <= curve.high))
        errors.append(np.abs(curve.mean / truth - 1)[seen])
    # Intervals of 90% that are drawn to a line and pooled: no sharper than they claim by much.
    assert np.mean(np.array(inside)[:, seen]) > 0.8
    assert np.mean(errors) < 0.12


def test_a_flat_world_gives_a_flat_curve() -> None:
    sends = sends_up_to(6, 30_000.0)
    rises = []
    for seed in range(40):
        lost = np.random.default_rng(seed).binomial(sends.astype(int), 0.003).astype(np.float64)
        mean = learn_curve(sends, lost).mean
        rises.append(mean[-1] / mean[0])
    assert np.median(rises) < 1.2
    assert np.max(rises) < 1.6


def test_nothing_is_foretold_beyond_what_was_seen() -> None:
    recent = np.arange(CELLS)
    sends = sends_up_to(3, 100_000.0)
    mean = learn_curve(sends, sends * expit(np.log(0.002) + 0.5 * recent)).mean
    assert mean[3] > 1.5 * mean[1]
    np.testing.assert_allclose(mean[3:], mean[3], rtol=0.05)


# --- clicks ----------------------------------------------------------------------------------------------------------


def test_eager_customers_who_get_more_do_not_look_as_if_messages_made_them_eager() -> None:
    random = np.random.default_rng(3)
    truth = np.where(np.arange(CELLS) < 2, 1.0, 0.5)
    level = random.lognormal(np.log(0.03), 1.0, 20_000).clip(0, 0.5)
    busy = level > 0.03
    sends = np.zeros((20_000, CELLS), np.int64)
    sends[:, 0], sends[:, 1] = 20, 10
    sends[:, 2] = np.where(busy, 20, 2)
    clicks = random.binomial(sends, np.minimum(level[:, None] * truth, 1))
    naive = clicks.sum(axis=0)[:3] / sends.sum(axis=0)[:3]
    assert naive[2] / naive[0] > 0.7, "the world must tempt"
    of_clickers = clicks.any(axis=1)
    factors = click_factors(sends[of_clickers], clicks[of_clickers])
    assert factors[2] / factors[0] == pytest.approx(0.5, abs=0.05)
    assert factors[1] / factors[0] == pytest.approx(1.0, abs=0.05)
    assert (np.diff(factors) <= 1e-12).all()
    mass = sends[of_clickers].sum(axis=0)
    assert mass @ factors / mass.sum() == pytest.approx(1)


def test_without_clicks_no_message_is_worth_less_than_another() -> None:
    np.testing.assert_array_equal(click_factors(*np.zeros((2, 0, CELLS), np.int64)), 1)
    sends, clicks = np.zeros((2, 3, CELLS), np.int64)
    sends[:, 4], clicks[:, 4] = 10, 1
    np.testing.assert_allclose(click_factors(sends, clicks), 1)


# --- money -----------------------------------------------------------------------------------------------------------


def test_an_address_is_worth_the_messages_it_would_get() -> None:
    known, weeks = fatigue(), 180 / 7
    everyone = known.worth("email", np.array([np.nan, 1e9, 0.1, 0.0, -3.0]))
    messages = sum(0.998**number for number in range(round(2 * weeks)))
    assert everyone[0] == pytest.approx(0.01 * messages, rel=0.02)
    assert everyone[1] == everyone[0]
    np.testing.assert_array_equal(everyone[2:], [0.1, 0, 0])


def test_the_price_rises_with_messages_and_with_worth() -> None:
    known = fatigue(np.linspace(0.001, 0.015, CELLS))
    recent = np.array([0, 3, MOST_RECENT, 99])
    cost = known.cost("email", recent, np.full(4, 2.0))
    np.testing.assert_allclose(cost, [0.002, 0.008, 0.03, 0.03])
    assert (known.cost("email", recent, np.zeros(4)) == 0).all()
    np.testing.assert_allclose(known.cost("email", recent, np.full(4, 4.0)), 2 * cost)


def test_the_pace_of_messages() -> None:
    assert weekly_messages(0, 0, 4) == 1
    assert weekly_messages(messages=120_000, customers=10_000, weeks=4) == pytest.approx(3, rel=0.01)


def test_it_comes_back_from_json_exactly() -> None:
    known = fatigue(np.linspace(0.001, 0.0151, CELLS)).channels["email"]
    told = json.loads(json.dumps(known.as_json()))
    assert ChannelFatigue.of_json(told).as_json() == known.as_json()
