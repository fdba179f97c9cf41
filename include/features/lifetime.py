"""How often customers will buy again, and for how much: the mathematics alone, arrays in, arrays out.

Orders: the BG/NBD model (Fader, Hardie & Lee 2005, "Counting your customers the easy way", Marketing Science 24). A
customer buys at random with a rate of their own, Gamma(r, alpha) over customers, and after each purchase is gone for
good with a probability of their own, Beta(a, b). What is known of a customer is three numbers:

- x: purchases after the first,
- t_x: time from the first to the last of them,
- T: time from the first to now.

Value of an order: the Gamma-Gamma model (Fader & Hardie 2013, "The gamma-gamma model of monetary value"). Order values
scatter around a mean of the customer's own, and the means over customers, whatever their number of orders.

Times are in one unit throughout, here days; money is in whatever unit comes in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import digamma, gammaln, hyp2f1

Floats = NDArray[np.float64]

LOG_BOUND = 8.0
"""Parameters are sought within e^±8 of the data's own scale: what lies beyond cannot be told apart by any shop's data,
and a double cannot hold the terms of the expected orders there."""
SINGULAR_WITHIN = 1e-6
"""The expected orders divide by a - 1; an a this close to 1 is moved this far off, an error of the same size."""


@dataclass(frozen=True)
class OrderModel:
    """BG/NBD: rates are Gamma(r, alpha) in orders a day, chances to be gone after an order Beta(a, b)."""

    r: float
    alpha: float
    a: float
    b: float


@dataclass(frozen=True)
class SpendModel:
    """Gamma-Gamma: an order of a customer is Gamma(p, nu), and nu over customers is Gamma(q, v); q above 1."""

    p: float
    q: float
    v: float

    @property
    def mean(self) -> float:
        """The mean value of an order over customers."""
        return self.p * self.v / (self.q - 1)


def fit_orders(x: ArrayLike, t_x: ArrayLike, t: ArrayLike, counts: ArrayLike) -> OrderModel | None:
    """The likeliest model of customers who bought; None when the search does not end.

    x, t_x, t: shape (n,), with 0 <= t_x <= t and t_x = 0 where x = 0. counts: customers of each triple, shape (n,).
    """
    x, t_x, t, counts = (np.asarray(values, dtype=np.float64) for values in (x, t_x, t, counts))
    # The likelihood knows no unit of time; in that of the mean age all parameters are of order one.
    unit = float(np.average(t, weights=counts))
    if unit <= 0:
        return None
    found = _minimize(lambda logs: _order_loss(logs, x, t_x / unit, t / unit, counts), np.zeros(4))
    if found is None:
        return None
    r, alpha, a, b = np.exp(found)
    return OrderModel(float(r), float(alpha) * unit, float(a), float(b))


def order_log_likelihood(model: OrderModel, x: ArrayLike, t_x: ArrayLike, t: ArrayLike) -> Floats:
    """Of each customer, shape (n,)."""
    x, t_x, t = (np.asarray(values, dtype=np.float64) for values in (x, t_x, t))
    return _order_terms(model, x, t_x, t)[0]


def alive_probability(model: OrderModel, x: ArrayLike, t_x: ArrayLike, t: ArrayLike) -> Floats:
    """That a customer is not gone, shape (n,); 1 for one who bought once, since a purchase comes before the going."""
    x, t_x, t = (np.asarray(values, dtype=np.float64) for values in (x, t_x, t))
    return _order_terms(model, x, t_x, t)[1]


def no_order_probability(model: OrderModel, x: ArrayLike, t_x: ArrayLike, t: ArrayLike, horizon: float) -> Floats:
    """That a customer places no order in the next ``horizon``, shape (n,): gone, or merely silent for so long."""
    x, t = np.asarray(x, dtype=np.float64), np.asarray(t, dtype=np.float64)
    # Of one who is not gone the rate is Gamma(r + x, alpha + T): E[exp(-rate · horizon)] is its Laplace transform.
    silent = np.exp(-(model.r + x) * np.log1p(horizon / (model.alpha + t)))
    return 1 - alive_probability(model, x, t_x, t) * (1 - silent)


def expected_orders(model: OrderModel, x: ArrayLike, t_x: ArrayLike, t: ArrayLike, horizon: float) -> Floats:
    """Orders of a customer in the next ``horizon``, shape (n,); equation (10) of the 2005 paper.

    Where its powers of r + x overflow, after thousands of orders, 2F1 is taken in Euler's transform,
    (1 - z)^(c-a-b) 2F1(c-a, c-b; c; z), in which they cancel.
    """
    x, t = np.asarray(x, dtype=np.float64), np.asarray(t, dtype=np.float64)
    r, b = model.r, model.b
    a = model.a if abs(model.a - 1) > SINGULAR_WITHIN else 1 + SINGULAR_WITHIN
    z = horizon / (model.alpha + t + horizon)
    with np.errstate(over="ignore", invalid="ignore"):
        left = (1 - z) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
    transformed = (1 - z) ** (a - 1) * hyp2f1(a + b - 1 - r, a - 1, a + b + x - 1, z)
    left = np.where(np.isfinite(left), left, transformed)
    of_the_alive = (a + b + x - 1) / (a - 1) * (1 - left)
    return np.maximum(of_the_alive, 0) * alive_probability(model, x, t_x, t)


def fit_spend(orders: ArrayLike, amount: ArrayLike, counts: ArrayLike) -> SpendModel | None:
    """The likeliest model of what an order is worth; None when the search does not end.

    orders: of a customer, from 1 on, shape (n,). amount: of all of them together, above 0, shape (n,). counts:
    customers of each pair, shape (n,).
    """
    orders, amount, counts = (np.asarray(values, dtype=np.float64) for values in (orders, amount, counts))
    unit = float(np.average(amount, weights=counts) / np.average(orders, weights=counts))
    if unit <= 0:
        return None
    found = _minimize(lambda logs: _spend_loss(logs, orders, amount / unit, counts), np.zeros(3))
    if found is None:
        return None
    p, q_above_1, v = np.exp(found)
    return SpendModel(float(p), 1 + float(q_above_1), float(v) * unit)


def spend_log_likelihood(model: SpendModel, orders: ArrayLike, amount: ArrayLike) -> Floats:
    """Of each customer's mean order value, shape (n,)."""
    orders, amount = np.asarray(orders, dtype=np.float64), np.asarray(amount, dtype=np.float64)
    p, q, v = model.p, model.q, model.v
    mean = amount / orders
    return (
        gammaln(p * orders + q)
        - gammaln(p * orders)
        - gammaln(q)
        + q * np.log(v)
        + (p * orders - 1) * np.log(mean)
        + p * orders * np.log(orders)
        - (p * orders + q) * np.log(v + amount)
    )


def expected_order_value(model: SpendModel, orders: ArrayLike, amount: ArrayLike) -> Floats:
    """The mean value of a customer's orders to come, shape (n,): their own mean, drawn to all customers' mean.

    An amount below 0, of one who returned more than the orders on record, counts as 0.
    """
    orders = np.asarray(orders, dtype=np.float64)
    amount = np.maximum(np.asarray(amount, dtype=np.float64), 0)
    return model.p * (model.v + amount) / (model.p * orders + model.q - 1)


def _order_terms(model: OrderModel, x: Floats, t_x: Floats, t: Floats) -> tuple[Floats, Floats]:
    """Log-likelihood, and the share of the likelihood that is of those not gone."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    again = x > 0
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    chances = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    alive = -(r + x) * np.log(alpha + t)
    # b + x - 1 is only taken where x > 0, and may be as small as b.
    gone = np.where(again, np.log(a) - np.log(np.where(again, b + x - 1, 1)) - (r + x) * np.log(alpha + t_x), -np.inf)
    either = np.logaddexp(alive, gone)
    return common + chances + either, np.exp(alive - either)


def _order_loss(logs: Floats, x: Floats, t_x: Floats, t: Floats, counts: Floats) -> tuple[float, Floats]:
    """Mean negative log-likelihood at the parameters' logarithms, and its gradient."""
    r, alpha, a, b = np.exp(logs)
    likelihood, alive = _order_terms(OrderModel(r, alpha, a, b), x, t_x, t)
    gone = 1 - alive
    drops = np.where(x > 0, gone / np.where(x > 0, b + x - 1, 1), 0)
    slopes = np.stack(
        [
            digamma(r + x) - digamma(r) + np.log(alpha) - alive * np.log(alpha + t) - gone * np.log(alpha + t_x),
            r / alpha - (r + x) * (alive / (alpha + t) + gone / (alpha + t_x)),
            digamma(a + b) - digamma(a + b + x) + gone / a,
            digamma(a + b) + digamma(b + x) - digamma(b) - digamma(a + b + x) - drops,
        ]
    )
    total = counts.sum()
    return float(-(counts @ likelihood) / total), -(slopes @ counts) / total * np.exp(logs)


def _spend_loss(logs: Floats, orders: Floats, amount: Floats, counts: Floats) -> tuple[float, Floats]:
    """Mean negative log-likelihood at the logarithms of p, q - 1 and v, and its gradient."""
    p, q_above_1, v = np.exp(logs)
    q = 1 + q_above_1
    likelihood = spend_log_likelihood(SpendModel(p, q, v), orders, amount)
    pieces = p * orders
    slopes = np.stack(
        [
            orders * (digamma(pieces + q) - digamma(pieces) + np.log(amount) - np.log(v + amount)),
            digamma(pieces + q) - digamma(q) + np.log(v) - np.log(v + amount),
            q / v - (pieces + q) / (v + amount),
        ]
    )
    total = counts.sum()
    return float(-(counts @ likelihood) / total), -(slopes @ counts) / total * np.exp(logs)


def _minimize(loss: Callable[[Floats], tuple[float, Floats]], start: Floats) -> Floats | None:
    """Where ``loss`` is least within the bounds; None when the search does not end there."""
    bounds = [(-LOG_BOUND, LOG_BOUND)] * len(start)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-8}
    )
    return found.x if np.all(np.isfinite(found.x)) and np.isfinite(found.fun) and found.nit < 1000 else None
