"""The choice of hour: its probabilities are what it logs, and its hours are allowed ones in every zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from include.business_time import in_quiet_hours
from include.scheduling.assignment import CONTROL, HOLDOUT, TREATED, arms, control_salt, hash_share, hash_shares
from include.scheduling.draws import WHOLE, draw, in_millionths
from include.scheduling.hour_counts import HOURS
from include.scheduling.hour_model import CLASSES, HourPosterior
from include.scheduling.policy import winning_shares, with_exploration
from include.scheduling.slots import HOUR, Hours, latest_send, microseconds, send_day
from include.settings import SchedulingSettings

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def posterior(customers: int = 1) -> HourPosterior:
    """Whose classes are three: flat, one that peaks at 8 and is likelier, and one that peaks at 20."""
    share, curves = np.zeros((customers, CLASSES)), np.full((CLASSES, HOURS), 0.02)
    share[:, :3] = [0.2, 0.5, 0.3]
    curves[1, 8], curves[2, 20] = 0.06, 0.06
    level = np.ones((customers, CLASSES))
    return HourPosterior(share, level, 0 * level, np.zeros(customers), curves, 0 * curves)


def hours_of(*hours: int) -> np.ndarray:
    return np.isin(np.arange(HOURS), hours)[None]


def test_an_hour_wins_as_often_as_its_class_is_likely() -> None:
    shares = winning_shares(posterior(), hours_of(8, 12, 20), boldness=1.0)[0]
    # Where all hours are alike, each wins as often.
    np.testing.assert_allclose(shares[[8, 12, 20]], [0.5 + 0.2 / 3, 0.2 / 3, 0.3 + 0.2 / 3])
    assert shares.sum() == pytest.approx(1)


def test_the_less_bold_the_more_the_best_hour_wins() -> None:
    feasible = hours_of(8, 12, 20)
    # Means .04, .02 and .032. Drawing class 2 at boldness β: hour 8 is worth .04 (1 − β) + .02 β,
    # hour 20 .032 (1 − β) + .06 β, which is more from β = 1/6 on.
    for boldness, wins in ((0.0, 0.0), (0.16, 0.0), (0.17, 0.3), (0.9, 0.3)):
        assert winning_shares(posterior(), feasible, boldness)[0, 20] == pytest.approx(wins)
    assert winning_shares(posterior(), feasible, 0.0)[0, 8] == pytest.approx(1)


def test_only_feasible_hours_win() -> None:
    shares = winning_shares(posterior(), hours_of(12, 13), boldness=0.1)
    np.testing.assert_allclose(shares[0, [12, 13]], 0.5)
    assert shares.sum() == pytest.approx(1)


def test_of_nobody_no_hour_wins() -> None:
    assert winning_shares(posterior(0), np.zeros((0, HOURS), bool), boldness=0.1).shape == (0, HOURS)


def test_probabilities_sum_to_one_and_have_a_floor() -> None:
    feasible = hours_of(8, 12, 20)
    shares = winning_shares(posterior(), feasible, boldness=0.0)
    probabilities = with_exploration(shares, feasible, 0.06)
    np.testing.assert_allclose(probabilities[0, [8, 12, 20]], [0.96, 0.02, 0.02])
    assert probabilities.sum() == pytest.approx(1)


def test_chosen_hours_occur_as_often_as_logged() -> None:
    feasible = hours_of(8, 12, 20)
    logged = in_millionths(with_exploration(winning_shares(posterior(), feasible, 1.0), feasible, 0.05))
    uniform = hash_shares("draw:7", map(str, range(100_000)))
    observed = np.bincount(draw(np.repeat(logged, len(uniform), axis=0), uniform), minlength=HOURS)
    some = logged[0] > 0
    assert not observed[~some].any()
    expected = logged[0, some] / WHOLE * len(uniform)
    assert chisquare(observed[some], expected).pvalue > 0.001
    assert chisquare(observed[some], np.roll(expected, 1)).pvalue < 1e-6, "the test would see a wrong log"


def test_a_draw_at_either_end_is_an_hour_that_may_be() -> None:
    tenths = in_millionths(np.array([[0.0, *[0.1] * 10, 0.0]]))
    assert draw(tenths, np.array([1 - 2**-53])) == [10]
    assert draw(tenths, np.array([0.0])) == [1]
    assert draw(in_millionths(np.array([[0.25, 0.75]])), np.array([0.25])) == [1]


@given(data=st.data())
def test_millionths_sum_to_a_million_and_leave_nothing_out(data: st.DataObject) -> None:
    weights = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=1, max_size=48)))
    probabilities = (weights / weights.sum())[None]
    rounded = in_millionths(probabilities)
    assert rounded.sum() == WHOLE
    assert (rounded > 0).all()
    np.testing.assert_allclose(rounded / WHOLE, probabilities, atol=len(weights) * 1e-6)


def test_a_handicap_turns_draws_away_as_much_as_the_hour_costs() -> None:
    feasible = hours_of(8, 12, 20)
    handicap = np.zeros((1, HOURS))
    handicap[0, 8] = 0.05
    shares = winning_shares(posterior(), feasible, 0.0, handicap)[0]
    assert shares[20] == pytest.approx(1)
    # Where 8 costs exactly what it gains over the others, class 1 does not care, and the flat class leaves it.
    handicap[0, 8] = 0.04
    shares = winning_shares(posterior(), feasible, 1.0, handicap)[0]
    np.testing.assert_allclose(shares[[8, 12, 20]], [0.5 / 3, 0.5 / 3 + 0.1, 0.5 / 3 + 0.1 + 0.3])


def test_probabilities_are_the_same_among_any_other_customers() -> None:
    many, feasible = posterior(5), np.repeat(hours_of(8, 12, 20), 5, axis=0)
    many.share[1, :3] = [0.0, 0.0, 1.0]
    together = winning_shares(many, feasible, 0.3)
    for number in range(5):
        alone = winning_shares(many.of(np.array([number])), feasible[[number]], 0.3)
        np.testing.assert_array_equal(alone[0], together[number])


# --- assignment ----------------------------------------------------------------------------------------------------


def test_the_hash_is_the_first_eight_bytes_of_sha256() -> None:
    # printf 'holdout-1:7' | sha256sum
    assert hash_share("holdout-1", "7") == pytest.approx(0x9B0AF9BD5493F14E / 2**64)


def test_holdout_and_control_have_their_shares_and_are_independent() -> None:
    customers = [str(number) for number in range(40_000)]
    held = np.array([hash_share("holdout-1", customer) < 0.05 for customer in customers])
    control = np.array([hash_share(control_salt("spring"), customer) < 0.1 for customer in customers])
    other = np.array([hash_share(control_salt("autumn"), customer) < 0.1 for customer in customers])
    assert held.mean() == pytest.approx(0.05, abs=0.005)
    assert control.mean() == pytest.approx(0.1, abs=0.007)
    for first, second in ((held, control), (control, other)):
        table = [[(first & second).sum(), (first & ~second).sum()], [(~first & second).sum(), (~first & ~second).sum()]]
        assert chi2_contingency(table).pvalue > 0.001


def test_the_holdout_outranks_control() -> None:
    told = arms(np.array([True, True, False, False]), np.array([True, False, True, False]))
    assert told.tolist() == [HOLDOUT, HOLDOUT, CONTROL, TREATED]


def test_many_hashes_are_those_of_each() -> None:
    names = ["7", "ä-1", ""]
    assert hash_shares("holdout-1", names).tolist() == [hash_share("holdout-1", name) for name in names]


# --- slots ---------------------------------------------------------------------------------------------------------

ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Pacific/Chatham",
    "Africa/Cairo",
    "UTC",
)
CLOCK_CHANGES = (
    date(2017, 3, 12),
    date(2017, 11, 5),
    date(2017, 3, 26),
    date(2017, 10, 29),
    date(2017, 10, 1),
    date(2017, 4, 2),
    date(2017, 9, 24),
)
days = st.one_of(st.sampled_from(CLOCK_CHANGES), st.dates(date(2015, 1, 1), date(2030, 12, 31)))
clocks = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))


@hypothesis_settings(max_examples=200, deadline=None)
@given(day=days, zone=st.sampled_from(ZONES), quiet_from=clocks, quiet_until=clocks, hours=st.integers(1, 30))
def test_no_slot_and_no_late_send_ever_lies_in_quiet_hours(
    day: date, zone: str, quiet_from: time, quiet_until: time, hours: int
) -> None:
    scheduling = SchedulingSettings(quiet_from=quiet_from, quiet_until=quiet_until, expires_after_hours=hours)
    slots = send_day(day, zone, scheduling, not_before=LONG_AGO).slots
    assert len({slot.hour for slot in slots}) == len(slots)
    for slot in slots:
        local = slot.send_at.astimezone(ZoneInfo(zone))
        assert local.date() == day
        assert (local.hour, local.minute) == (slot.hour, 0)
        assert slot.send_at < slot.not_after <= slot.send_at + timedelta(hours=hours)
        instant = slot.send_at
        while instant < slot.not_after:
            assert not in_quiet_hours(instant, zone, quiet_from, quiet_until), (local, instant)
            instant += timedelta(minutes=15)


def test_a_message_expires_when_quiet_hours_begin() -> None:
    scheduling = SchedulingSettings()
    assert latest_send(datetime(2017, 12, 1, 19, tzinfo=UTC), "UTC", scheduling) == datetime(
        2017, 12, 1, 21, tzinfo=UTC
    )
    assert latest_send(datetime(2017, 12, 1, 9, tzinfo=UTC), "UTC", scheduling) == datetime(2017, 12, 1, 15, tzinfo=UTC)
    odd = SchedulingSettings(quiet_from=time(20, 37), quiet_until=time(8))
    assert latest_send(datetime(2017, 12, 1, 19, tzinfo=UTC), "UTC", odd) == datetime(2017, 12, 1, 20, 37, tzinfo=UTC)


def test_quiet_hours_that_begin_while_the_clock_is_put_forward() -> None:
    """02:30 does not exist in New York on 12 March 2017: at 03:00 it has passed, so quiet hours have begun."""
    scheduling = SchedulingSettings(quiet_from=time(2, 30), quiet_until=time(8))
    one_o_clock = datetime(2017, 3, 12, 6, tzinfo=UTC)
    assert latest_send(one_o_clock, "America/New_York", scheduling) == datetime(2017, 3, 12, 7, tzinfo=UTC)


def test_a_repeated_hour_is_one_slot_its_first() -> None:
    scheduling = SchedulingSettings(quiet_from=time(0), quiet_until=time(0))
    slots = send_day(date(2017, 11, 5), "America/New_York", scheduling, not_before=LONG_AGO).slots
    assert [slot.hour for slot in slots] == list(range(24))
    assert slots[1].send_at == datetime(2017, 11, 5, 5, tzinfo=UTC)


def test_hours_before_the_business_day_has_ended_are_past() -> None:
    end_of_new_york_day = datetime(2017, 12, 1, 5, tzinfo=UTC)
    slots = send_day(date(2017, 12, 1), "Asia/Tokyo", SchedulingSettings(), not_before=end_of_new_york_day).slots
    assert [slot.hour for slot in slots] == [14, 15, 16, 17, 18, 19, 20]


def test_the_hours_of_all_zones_are_those_of_each() -> None:
    scheduling, zones = SchedulingSettings(), ["Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
    not_before = datetime(2017, 9, 30, 12, tzinfo=UTC)
    hours = Hours.of(date(2017, 10, 1), zones, scheduling, not_before=not_before)
    for row, zone in enumerate(zones):
        told = send_day(date(2017, 10, 1), zone, scheduling, not_before=not_before)
        assert np.flatnonzero(hours.is_open[row]).tolist() == [slot.hour for slot in told.slots]
        for slot in told.slots:
            assert hours.send_at[row, slot.hour] == microseconds(slot.send_at)
            assert hours.not_after[row, slot.hour] == microseconds(slot.not_after)
            assert hours.slot[row, slot.hour] == microseconds(slot.send_at) // HOUR - hours.first_hour


def test_a_day_that_a_zone_skips_has_no_hours() -> None:
    """Samoa had no 30 December 2011."""
    hours = Hours.of(date(2011, 12, 30), ["Pacific/Apia"], SchedulingSettings(), not_before=LONG_AGO)
    assert not hours.is_open.any()
    assert not hours.to_come.any()
