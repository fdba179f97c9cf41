"""The choice of channel: its probabilities are those of winning, and sum to one over what is feasible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import norm

from include.scheduling.channel_choice import channel_shares, channel_value

numbers = st.floats(-10, 10)
spreads = st.floats(0, 5)


def everywhere(mean: np.ndarray) -> np.ndarray:
    return np.ones(mean.shape, bool)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.tuples(numbers, spreads, st.booleans()), min_size=width, max_size=width),
            min_size=1,
            max_size=5,
        )
    ),
    st.floats(0, 1),
)
@hypothesis_settings(max_examples=80, deadline=None)
def test_shares_sum_to_one_over_what_is_feasible(rows: list, boldness: float) -> None:
    told = np.array(rows, np.float64)
    mean, sd, feasible = told[..., 0], told[..., 1], told[..., 2].astype(bool)
    shares = channel_shares(mean, sd, feasible, boldness)
    np.testing.assert_allclose(shares.sum(axis=1), feasible.any(axis=1))
    assert (shares >= 0).all()
    assert (shares[~feasible] == 0).all()


def test_two_channels_in_closed_form() -> None:
    mean, sd = np.array([[0.5, 0.2]]), np.array([[0.3, 0.4]])
    for boldness in (1.0, 0.25):
        shares = channel_shares(mean, sd, everywhere(mean), boldness)
        assert shares[0, 0] == pytest.approx(norm.cdf(0.3 / (0.5 * boldness)))
    np.testing.assert_array_equal(channel_shares(mean, sd, everywhere(mean), 0.0), [[1, 0]])


def test_channels_alike_share_alike() -> None:
    for width in (2, 3):
        mean = np.full((1, width), 0.1 + 0.2)
        mean[0, 0] = 0.3
        for sd in (np.zeros((1, width)), np.full((1, width), 0.7)):
            np.testing.assert_allclose(channel_shares(mean, sd, everywhere(mean), 1.0), 1 / width, atol=2e-3)
    mean = np.array([[1.0, 1.0, 0.0]])
    np.testing.assert_allclose(channel_shares(mean, np.zeros((1, 3)), everywhere(mean), 1.0), [[0.5, 0.5, 0]])


def test_what_is_not_feasible_changes_nothing() -> None:
    mean, sd = np.array([[0.1, 0.2, np.nan]]), np.array([[0.1, 0.1, np.nan]])
    three = channel_shares(mean, sd, np.array([[True, True, False]]), 1.0)
    two = channel_shares(mean[:, :2], sd[:, :2], np.ones((1, 2), bool), 1.0)
    np.testing.assert_allclose(three[:, :2], two, atol=1e-3)


def test_three_arms_win_as_often_as_they_do_when_drawn() -> None:
    random = np.random.default_rng(1)
    mean, sd = np.array([0.3, 0.1, 0.0]), np.array([0.2, 0.5, 0.0])
    drawn = (mean + sd * random.standard_normal((400_000, 3))).argmax(axis=1)
    shares = channel_shares(mean[None], sd[None], np.ones((1, 3), bool), 1.0)[0]
    np.testing.assert_allclose(shares, np.bincount(drawn) / len(drawn), atol=3e-3)


def test_the_value_of_a_message() -> None:
    mean, sd = channel_value(np.array([0.02]), np.array([0.25]), np.array([3.0]), 0.002, np.array([0.01]))
    assert mean[0] == pytest.approx(0.06 - 0.012)
    level = np.random.default_rng(2).lognormal(-0.125, 0.5, 400_000)
    assert sd[0] == pytest.approx(float(np.std(0.06 * level)), rel=0.02)
