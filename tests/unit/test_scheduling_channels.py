"""The choice of channel: its probabilities are those of winning, and sum to one over what is feasible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import norm

from include.scheduling.channel_choice import channel_shares, value_deviation

numbers = st.floats(-10, 10)
spreads = st.floats(0, 5)


def everywhere(mean: np.ndarray) -> np.ndarray:
    return np.ones(mean.shape, bool)


@given(
    st.lists(
        st.lists(st.tuples(numbers, spreads, st.booleans()), min_size=2, max_size=2),
        min_size=1,
        max_size=5,
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
    mean = np.array([[0.3, 0.1 + 0.2]])
    for sd in (np.zeros((1, 2)), np.full((1, 2), 0.7)):
        np.testing.assert_array_equal(channel_shares(mean, sd, everywhere(mean), 1.0), 0.5)


def test_what_is_not_feasible_is_not_read() -> None:
    mean, sd = np.array([[np.nan, 0.2], [np.nan, np.nan]]), np.array([[np.nan, 0.1], [np.nan, np.nan]])
    feasible = np.array([[False, True], [False, False]])
    np.testing.assert_array_equal(channel_shares(mean, sd, feasible, 1.0), [[0, 1], [0, 0]])


def test_a_value_is_as_uncertain_as_the_level_of_clicks() -> None:
    sd = value_deviation(np.array([0.06]), np.array([0.25]))
    level = np.random.default_rng(2).lognormal(-0.125, 0.5, 400_000)
    assert sd[0] == pytest.approx(float(np.std(0.06 * level)), rel=0.02)
