"""Ways of choosing the hour: what each would have done, knowing only what was known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from include.scheduling.hour_counts import HOURS
from include.scheduling.target_policies import best_hour, clicks_before, modal_scores, random_hour, rate_scores

NEVER = -1


def actions(**channels: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Feasible and probabilities (1, 48) of the hours named for email and app_push."""
    probabilities = np.zeros((1, 2 * HOURS))
    for number, name in enumerate(("email", "app_push")):
        for hour, probability in channels.get(name, {}).items():
            probabilities[0, number * HOURS + hour] = probability
    return probabilities > 0, probabilities


def test_a_random_hour_is_any_feasible_one_of_a_channel_as_often_as_logged() -> None:
    feasible, probabilities = actions(email={8: 0.5, 9: 0.1}, app_push={8: 0.05, 12: 0.05, 20: 0.3})
    target = random_hour(feasible, probabilities)
    np.testing.assert_allclose(target[feasible], [0.3, 0.3, *[0.4 / 3] * 3])
    assert target.sum() == pytest.approx(1)


def test_a_random_hour_of_one_channel_is_of_that_channel() -> None:
    feasible, probabilities = actions(app_push={8: 0.9, 20: 0.1})
    target = random_hour(feasible, probabilities)
    assert target[0, [HOURS + 8, HOURS + 20]].tolist() == [0.5, 0.5]


def test_the_best_hour_keeps_the_shares_of_the_channels() -> None:
    feasible, probabilities = actions(email={8: 0.5, 9: 0.1}, app_push={8: 0.1, 20: 0.3})
    scores = np.zeros((1, HOURS))
    scores[0, [8, 9, 20, 3]] = [1, 2, 3, 99]
    target = best_hour(scores, feasible, probabilities)
    assert {action: float(target[0, action]) for action in np.flatnonzero(target)} == pytest.approx(
        {9: 0.6, HOURS + 20: 0.4}
    )


def test_a_channel_that_was_not_feasible_is_never_taken() -> None:
    feasible, probabilities = actions(app_push={8: 0.5, 20: 0.5})
    target = best_hour(np.zeros((1, HOURS)), feasible, probabilities)
    assert np.flatnonzero(target).tolist() == [HOURS + 8]


def test_the_modal_hour_is_the_customers_own_and_else_the_shops() -> None:
    feasible, probabilities = (np.repeat(told, 3, axis=0) for told in actions(email={8: 0.4, 12: 0.3, 20: 0.3}))
    own, shop = np.zeros((3, HOURS)), np.zeros((3, HOURS))
    shop[:, [8, 12, 20, 23]] = [50, 90, 70, 10_000]
    own[1, [8, 20]] = [1, 1]  # of equals the one the shop prefers
    own[2, [3, 8]] = [9, 1]  # the customer's modal hour is not feasible
    target = best_hour(modal_scores(own, shop), feasible, probabilities)
    assert target.argmax(axis=1).tolist() == [12, 20, 8]
    assert modal_scores(own, np.zeros((3, HOURS)))[1].argmax() == 8


def test_the_shops_best_hour_is_the_one_of_the_highest_rate_not_of_most_clicks() -> None:
    sends, clicks = np.full((1, HOURS), 1000.0), np.full((1, HOURS), 10.0)
    sends[0, 18], clicks[0, 18] = 5000, 50
    clicks[0, 7] = 30
    sends[0, 9], clicks[0, 9] = 1, 1
    assert rate_scores(clicks, sends).argmax() == 7


def test_clicks_are_known_from_their_day_on() -> None:
    customer = np.array([5, 5, 5, 9])
    decided, clicked = np.array([10, 11, 12, 12]), np.array([11, NEVER, 12, 3])
    hour = np.array([8, 9, 10, 20])
    before = clicks_before(customer, decided, hour, clicked, NEVER)
    known = [{int(at): int(row[at]) for at in np.flatnonzero(row)} for row in before]
    assert known == [{}, {8: 1}, {8: 1, 10: 1}, {20: 1}]


def test_no_sends() -> None:
    empty = np.zeros(0, np.int64)
    assert clicks_before(empty, empty, empty, empty, NEVER).shape == (0, HOURS)


sends = st.tuples(st.integers(0, 3), st.integers(-1, 9), st.integers(0, 23), st.integers(-1, 12))


@hypothesis_settings(max_examples=100, deadline=None)
@given(told=st.lists(sends, min_size=1, max_size=30), day=st.integers(0, 9))
def test_later_clicks_change_nothing(told: list[tuple[int, int, int, int]], day: int) -> None:
    customer, decided, hour, clicked = np.array(told).T
    before = clicks_before(customer, decided, hour, clicked, NEVER)
    for row in range(len(told)):
        expected = np.zeros(HOURS)
        for other in range(len(told)):
            if customer[other] == customer[row] and NEVER < clicked[other] <= decided[row]:
                expected[hour[other]] += 1
        np.testing.assert_array_equal(before[row], expected)
    without = np.where(clicked > day, NEVER, clicked)
    early = decided <= day
    np.testing.assert_array_equal(clicks_before(customer, decided, hour, without, NEVER)[early], before[early])
