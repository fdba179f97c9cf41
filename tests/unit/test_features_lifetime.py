"""The models of what customers will do: published figures, known truth recovered, and what must hold of any of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import dblquad, quad
from scipy.stats import beta, gamma

from include.features import lifetime
from include.features.lifetime import (
    OrderModel,
    SpendModel,
    alive_probability,
    expected_order_value,
    expected_orders,
    fit_orders,
    fit_spend,
    no_order_probability,
    order_log_likelihood,
)

CDNOW = OrderModel(r=0.243, alpha=4.414, a=0.793, b=2.426)
"""Table 2 of Fader, Hardie & Lee 2005; weeks."""
CDNOW_SPEND = SpendModel(p=6.25, q=3.74, v=15.44)
"""Fader & Hardie 2013; dollars."""
HISTORIES = [(0, 0.0, 0.0), (0, 0.0, 38.9), (1, 0.3, 38.9), (2, 30.43, 38.86), (7, 12.0, 30.0), (29, 37.71, 38.0)]
X, T_X, T = (np.array(values) for values in zip(*HISTORIES, strict=True))

Floats = NDArray[np.float64]


def simulate(model: OrderModel, ages: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """x and t_x of customers who first bought ``ages`` ago, purchase by purchase."""
    rates = random.gamma(model.r, 1 / model.alpha, len(ages))
    chances = random.beta(model.a, model.b, len(ages))
    x, t_x, now = np.zeros(len(ages)), np.zeros(len(ages)), np.zeros(len(ages))
    buying = np.ones(len(ages), dtype=bool)
    while buying.any():
        now = np.where(buying, now + random.exponential(1 / rates), now)
        buying &= now <= ages
        x, t_x = x + buying, np.where(buying, now, t_x)
        buying &= random.random(len(ages)) >= chances
    return x, t_x


def test_published_expectation_of_orders() -> None:
    assert expected_orders(CDNOW, [2], [30.43], [38.86], 39) == pytest.approx([1.226], abs=5e-4)


def test_published_expectations_of_order_values() -> None:
    """Fader & Hardie's own sheet: customers 1, 2, 3, 6 and 9 of the CDNOW sample."""
    orders = np.array([2, 1, 0, 7, 2])
    means = np.array([22.35, 11.77, 0, 73.74, 25.55])
    published = [24.65, 18.91, 35.17, 71.46, 27.28]
    assert expected_order_value(CDNOW_SPEND, orders, orders * means) == pytest.approx(published, rel=2e-3)
    assert CDNOW_SPEND.mean == pytest.approx(35.2, abs=0.05)


def test_probabilities_and_expectations_are_integrals_over_customers() -> None:
    """From the model's own story, by numeric integration over rates and chances, without its closed forms."""
    model, x, t_x, t, horizon = OrderModel(0.9, 6.0, 1.4, 3.2), 3, 9.0, 14.0, 10.0

    def density(chance: float, rate: float) -> float:
        return float(gamma.pdf(rate, model.r, scale=1 / model.alpha) * beta.pdf(chance, model.a, model.b))

    def alive(chance: float, rate: float) -> float:
        return (1 - chance) ** x * rate**x * np.exp(-rate * t)

    def gone(chance: float, rate: float) -> float:
        return chance * (1 - chance) ** (x - 1) * rate**x * np.exp(-rate * t_x)

    def over_all(weight):  # type: ignore[no-untyped-def]
        return dblquad(lambda chance, rate: weight(chance, rate) * density(chance, rate), 0, 12, 0, 1)[0]

    is_alive, likelihood = over_all(alive), over_all(lambda *at: alive(*at) + gone(*at))
    silent = over_all(lambda chance, rate: alive(chance, rate) * np.exp(-rate * horizon))
    orders = over_all(
        lambda chance, rate: alive(chance, rate) * quad(lambda s: rate * np.exp(-rate * chance * s), 0, horizon)[0]
    )
    history = [x], [t_x], [t]
    assert np.exp(order_log_likelihood(model, *history)) == pytest.approx([likelihood], rel=1e-5)
    assert alive_probability(model, *history) == pytest.approx([is_alive / likelihood], rel=1e-5)
    expected_silence = (likelihood - is_alive + silent) / likelihood
    assert no_order_probability(model, *history, horizon) == pytest.approx([expected_silence], rel=1e-5)
    assert expected_orders(model, *history, horizon) == pytest.approx([orders / likelihood], rel=1e-5)


def test_the_gradients_are_those_of_finite_differences() -> None:
    counts = np.arange(1.0, len(X) + 1)
    amount = np.array([0.5, 2.0, 9.0, 40.0, 3.0, 80.0])
    for loss, logs, data in (
        (lifetime._order_loss, np.log([0.243, 4.414, 0.793, 2.426]), (X, T_X, T, counts)),
        (lifetime._spend_loss, np.log([6.25, 2.74, 15.44]), (X + 1.0, amount, counts)),
    ):
        _, slopes = loss(logs, *data)
        for place, slope in enumerate(slopes):
            step = np.zeros(len(logs))
            step[place] = 1e-5
            difference = (loss(logs + step, *data)[0] - loss(logs - step, *data)[0]) / 2e-5
            assert slope == pytest.approx(difference, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("truth", [CDNOW, OrderModel(1.4, 9.4, 0.9, 14.0)], ids=["books", "groceries"])
def test_the_fit_finds_who_was_simulated(truth: OrderModel) -> None:
    random = np.random.default_rng(4)
    ages = random.uniform(30, 365, 30_000)
    x, t_x = simulate(truth, ages, random)
    found = fit_orders(x, t_x, ages, np.ones(len(ages)))
    assert found is not None
    assert (found.r, found.alpha) == pytest.approx((truth.r, truth.alpha), rel=0.06)
    # a and b apart are known less well than the share of customers who are gone after an order.
    assert found.a / (found.a + found.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.1)
    assert (found.a, found.b) == pytest.approx((truth.a, truth.b), rel=0.35)


def test_the_spend_fit_finds_who_was_simulated() -> None:
    random = np.random.default_rng(5)
    orders = random.integers(1, 12, 30_000)
    amount = random.gamma(6.25 * orders, 1 / random.gamma(3.74, 1 / 15.44, len(orders)))
    found = fit_spend(orders, amount, np.ones(len(orders)))
    assert found is not None
    assert (found.p, found.q, found.v) == pytest.approx((6.25, 3.74, 15.44), rel=0.1)
    assert found.mean == pytest.approx(CDNOW_SPEND.mean, rel=0.02)


def test_the_unit_of_time_or_money_changes_nothing() -> None:
    random = np.random.default_rng(6)
    ages = random.uniform(10, 100, 2000)
    x, t_x = simulate(OrderModel(0.7, 8.0, 0.9, 3.0), ages, random)
    days, hours = fit_orders(x, t_x, ages, np.ones(2000)), fit_orders(x, t_x * 24, ages * 24, np.ones(2000))
    assert days is not None
    assert hours is not None
    assert (hours.r, hours.alpha / 24, hours.a, hours.b) == pytest.approx((days.r, days.alpha, days.a, days.b))
    amount = random.gamma(2.0 * (x + 1), 5.0)
    euros, cents = fit_spend(x + 1, amount, np.ones(2000)), fit_spend(x + 1, amount * 100, np.ones(2000))
    assert euros is not None
    assert cents is not None
    assert (cents.p, cents.q, cents.v / 100) == pytest.approx((euros.p, euros.q, euros.v))


def test_customers_alike_may_be_counted_together() -> None:
    repeated = fit_orders(np.repeat(X, 50), np.repeat(T_X, 50), np.repeat(T, 50), np.ones(300))
    counted = fit_orders(X, T_X, T, np.full(6, 50))
    assert repeated is not None
    assert counted is not None
    assert expected_orders(counted, X, T_X, T, 30) == pytest.approx(expected_orders(repeated, X, T_X, T, 30), rel=1e-4)


MODELS = [
    CDNOW,
    OrderModel(1.4, 9.4, 0.028, 26.5),
    OrderModel(1.0, 10.0, 1.0, 2.0),  # a = 1, where equation (10) divides by nothing
    OrderModel(1.0, 10.0, 1.0 + 1e-9, 2.0),
    OrderModel(0.01, 300.0, 40.0, 0.1),
    OrderModel(50.0, 50.0, 4e-4, 2500.0),
    OrderModel(2500.0, 5000.0, 300.0, 300.0),
]


@pytest.mark.parametrize("model", MODELS)
def test_forecasts_are_probabilities_and_counts_and_grow_with_the_horizon(model: OrderModel) -> None:
    x, t_x, t = np.array([0, 1, 5, 400, 3000]), np.array([0, 5, 300, 800, 3000.0]), np.array([0, 400, 301, 900, 3000.0])
    former_orders, former_silence = np.zeros(5), np.ones(5)
    for horizon in (1, 30, 365, 3650):
        orders, silence = expected_orders(model, x, t_x, t, horizon), no_order_probability(model, x, t_x, t, horizon)
        assert np.isfinite(orders).all()
        assert (orders >= former_orders).all()
        assert ((silence >= 0) & (silence <= former_silence)).all()
        # Who orders at all orders at least once.
        assert (orders >= (1 - silence) * (1 - 1e-6) - 1e-12).all()
        former_orders, former_silence = orders, silence


@pytest.mark.parametrize("model", MODELS)
def test_the_longer_the_silence_the_likelier_the_end(model: OrderModel) -> None:
    last = np.linspace(300, 10, 30)  # each of ten orders, the last of them ever longer ago
    silence = no_order_probability(model, np.full(30, 10), last, np.full(30, 300.0), 60)
    assert (np.diff(silence) >= 0).all()


def test_near_the_singular_parameter_nothing_jumps() -> None:
    at = [expected_orders(OrderModel(1.0, 10.0, 1.0 + gap, 2.0), X, T_X, T, 30) for gap in (-1e-4, 0.0, 1e-4)]
    assert at[0] == pytest.approx(at[1], rel=1e-3)
    assert at[1] == pytest.approx(at[2], rel=1e-3)


def test_who_bought_once_is_there_and_who_returned_all_spends_something() -> None:
    assert alive_probability(CDNOW, [0, 0], [0, 0], [1, 500]) == pytest.approx([1, 1])
    refunded, nothing = expected_order_value(CDNOW_SPEND, [3, 3], [-50, 0])
    assert refunded == nothing > 0


def test_those_who_bought_only_today_teach_nothing() -> None:
    assert fit_orders(np.zeros(5), np.zeros(5), np.zeros(5), np.ones(5)) is None
