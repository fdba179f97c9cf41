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
from include.scheduling.assignment import assign_arm, control_salt, hash_share
from include.scheduling.policy import SlotChooser, draw, winning_shares, with_exploration
from include.scheduling.slots import latest_send, send_day
from include.settings import SchedulingSettings

ALPHA = np.array([0.3, 0.6, 0.9, 0.3])
BETA = np.array([30.0, 30.0, 30.0, 30.0])
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def test_probabilities_sum_to_one_and_have_a_floor() -> None:
    probabilities = SlotChooser("7:2017-12-01", draws=1000, exploration=0.05).probabilities(ALPHA, BETA)
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities.min() >= 0.05 / 4
    hopeless = with_exploration(np.array([1.0, 0.0]), 0.05)
    np.testing.assert_allclose(hopeless, [0.975, 0.025])


def test_slots_win_as_often_as_their_posterior_is_best() -> None:
    """Two Beta posteriors of integer parameters: P(X > Y) has a closed form."""
    shares = winning_shares(np.array([3.0, 1.0]), np.ones(2), 200_000, np.random.default_rng(1))
    # X ~ Beta(3, 1), Y uniform: P(X > Y) = E X = 3/4
    assert shares[0] == pytest.approx(0.75, abs=0.005)


def test_chosen_slots_occur_as_often_as_logged() -> None:
    probabilities = SlotChooser("7:2017-12-01", draws=1000, exploration=0.05).probabilities(ALPHA, BETA)
    chosen = [draw(probabilities, hash_share("draw:7", str(customer))) for customer in range(100_000)]
    observed = np.bincount(chosen, minlength=4)
    assert chisquare(observed, probabilities * len(chosen)).pvalue > 0.001
    wrong = np.roll(probabilities, 1)
    assert chisquare(observed, wrong * len(chosen)).pvalue < 1e-6, "the test would see a wrong log"


def test_a_draw_at_the_very_end_is_still_a_slot() -> None:
    assert draw(np.array([0.1] * 10), 1 - 2**-53) == 9
    assert draw(np.array([0.25, 0.75]), 0.25) == 1
    assert draw(np.array([0.25, 0.75]), 0.0) == 0


def test_probabilities_depend_on_the_posterior_seed_and_date_alone() -> None:
    def chooser(seed: str) -> SlotChooser:
        return SlotChooser(seed, draws=1000, exploration=0.05)

    alone = chooser("7:2017-12-01").probabilities(ALPHA, BETA)
    after_another = chooser("7:2017-12-01")
    after_another.probabilities(BETA, ALPHA)
    np.testing.assert_array_equal(after_another.probabilities(ALPHA, BETA), alone)
    assert (chooser("7:2017-12-02").probabilities(ALPHA, BETA) != alone).any()


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
    arm = assign_arm("7", is_held_out=True, campaign_id="spring", control_share=1.0)
    assert arm == "holdout"
    assert assign_arm("7", is_held_out=False, campaign_id="spring", control_share=1.0) == "control"
    assert assign_arm("7", is_held_out=False, campaign_id="spring", control_share=0.0) == "treated"


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
