"""Ways of choosing the hour that ours is valued beside, as probabilities of the actions of logged sends. Pure.

An action is a channel and an hour of the customer's clock, in this order on the last axis: ``channel × 24 + hour``.
Every policy here does only what was feasible for the send, and keeps the shares of channels as they were logged, so
that what is compared is the hour.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.scheduling.hour_counts import HOURS
from include.scheduling.hour_model import PRIOR_RATE, PRIOR_SENDS

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


def random_hour(feasible: Mask, probabilities: Floats) -> Floats:
    """(sends, actions): of each channel all feasible hours alike.

    probabilities: (sends, actions), as logged; the channels keep their shares.
    """
    of_channel = (len(feasible), feasible.shape[1] // HOURS, HOURS)
    feasible, shares = feasible.reshape(of_channel), probabilities.reshape(of_channel).sum(axis=2)
    share_of_hour = shares / np.maximum(feasible.sum(axis=2), 1)
    return (feasible * share_of_hour[:, :, None]).reshape(probabilities.shape)


def best_hour(scores: Floats, feasible: Mask, probabilities: Floats) -> Floats:
    """(sends, actions): of each channel the feasible hour that scores most, the earlier of equals.

    scores: (sends, 24). probabilities: (sends, actions), as logged; the channels keep their shares.
    """
    of_channel = (len(feasible), feasible.shape[1] // HOURS, HOURS)
    feasible, shares = feasible.reshape(of_channel), probabilities.reshape(of_channel).sum(axis=2)
    chosen = np.where(feasible, scores[:, None, :], -np.inf).argmax(axis=2)
    target = np.zeros(feasible.shape)
    np.put_along_axis(target, chosen[:, :, None], shares[:, :, None], axis=2)
    return target.reshape(probabilities.shape)


def modal_scores(own_clicks: Floats, shop_clicks: Floats) -> Floats:
    """(sends, 24): the hour at which each customer clicked most; among equals and for who never clicked, the shop's.

    own_clicks: (sends, 24), clicks of the send's customer by hour of sending, as known when the send was decided.
    shop_clicks: (sends, 24), of all customers, likewise. So what most tools for sending do.
    """
    return own_clicks + shop_clicks / (shop_clicks.sum(axis=1, keepdims=True) + 1)


def clicks_before(customer: Numbers, decided: Numbers, hour: Numbers, clicked: Numbers, never: int) -> Floats:
    """(sends, 24): of the sends at each hour, how many the customer is known to have clicked when a send is decided.

    customer, decided, hour: (sends,); decided: the day, as a number, at whose end the decision was made. clicked:
    (sends,), the day on which the send's first click came, or ``never``: decisions of this day and later know it.
    """
    _, customer = np.unique(customer, return_inverse=True)
    known = np.zeros((customer.max(initial=-1) + 1, HOURS))
    before = np.zeros((len(customer), HOURS))
    came = np.flatnonzero(clicked != never)
    came = came[np.argsort(clicked[came], kind="stable")]
    order = np.argsort(decided, kind="stable")
    days = np.unique(decided)
    ends = np.searchsorted(decided[order], days, side="right")
    arrivals = np.searchsorted(clicked[came], days, side="right")
    start = arrived = 0
    for end, arrival in zip(ends, arrivals, strict=True):
        new, sends = came[arrived:arrival], order[start:end]
        np.add.at(known, (customer[new], hour[new]), 1)
        before[sends] = known[customer[sends]]
        start, arrived = end, arrival
    return before


def rate_scores(clicks: Floats, sends: Floats) -> Floats:
    """(nights, 24): the shop's click rate by hour as known on each night.

    clicks, sends: (nights, 24), of all customers up to then. An hour hardly tried counts as a usual one.
    """
    usual = (clicks.sum(axis=1, keepdims=True) + PRIOR_RATE * PRIOR_SENDS) / (
        sends.sum(axis=1, keepdims=True) + PRIOR_SENDS
    )
    return (clicks + usual * PRIOR_SENDS) / (sends + PRIOR_SENDS)
