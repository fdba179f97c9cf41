"""Lift, ROI and the words for them, over worlds whose figures were computed by hand or by scipy."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from reporting_world import DAY, PROVENANCE, World, at, small_world
from scipy import stats
from sqlalchemy import Engine, text

from include.db import tables
from include.reporting import compute_reports
from include.settings import Settings


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


@pytest.fixture
def small(engine: Engine) -> World:
    return small_world(engine)


def trial(world: World, treated: np.ndarray, control: np.ndarray) -> None:
    """A campaign whose customers each buy once for the margin given (zero: nothing), half of the price being margin."""
    world.item("a", margin_rate=0.5)
    margins = {f"t{i}": m for i, m in enumerate(treated)} | {f"c{i}": m for i, m in enumerate(control)}
    world.decide("treated", *(name for name in margins if name[0] == "t"))
    world.decide("control", *(name for name in margins if name[0] == "c"))
    world.insert(
        tables.events,
        [
            {
                "event_id": name,
                "event_type": "purchase",
                "customer_id": name,
                "occurred_at": at("28 12:00"),
                "item_id": "a",
                "quantity": 1,
                "unit_price": 2 * float(margin),
                **PROVENANCE,
            }
            for name, margin in margins.items()
            if margin
        ],
    )


def shop_margins(seed: int, customers: int, mean: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(customers) < 0.5, rng.gamma(4, mean / 2, customers).round(2), 0)


class TestLiftAndRoi:
    def test_a_gain_is_welchs(self, world: World, settings: Settings) -> None:
        world.campaign(control_share=1 / 3)
        treated, control = shop_margins(1, 400, 6), shop_margins(2, 200, 3)
        trial(world, treated, control)
        world.message("m1", "t0", "email", "28 09:00", cost=200)
        compute_reports(world.engine, settings, business_date=DAY)
        row, roi = world.lift(), world.roi()
        expected = stats.ttest_ind(treated, control, equal_var=False)
        interval = expected.confidence_interval(0.95)
        assert (row["treated_n"], row["control_n"]) == (400, 200)
        assert row["difference"] == pytest.approx(treated.mean() - control.mean())
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))
        assert row["p_value"] == pytest.approx(expected.pvalue)
        assert row["srm_p_value"] == pytest.approx(1.0)
        assert row["verdict"] == "gain"
        assert float(roi["incremental_margin"]) == pytest.approx(400 * row["difference"], abs=1e-4)
        assert roi["cost"] == Decimal(200)
        assert roi["roi"] == pytest.approx((400 * row["difference"] - 200) / 200)
        assert roi["roi_low"] == pytest.approx((400 * interval.low - 200) / 200)
        assert roi["roi_high"] == pytest.approx((400 * interval.high - 200) / 200)
        assert roi["verdict"] == "gain"

    def test_orders_and_revenue_are_compared_too(self, world: World, settings: Settings) -> None:
        world.campaign(control_share=1 / 3)
        treated, control = shop_margins(1, 400, 6), shop_margins(2, 200, 3)
        trial(world, treated, control)
        compute_reports(world.engine, settings, business_date=DAY)
        orders = stats.ttest_ind(treated > 0, control > 0, equal_var=False)
        assert world.lift("orders_per_customer")["p_value"] == pytest.approx(orders.pvalue)
        revenue = world.lift("revenue_per_customer")
        assert revenue["difference"] == pytest.approx(2 * world.lift()["difference"])

    def test_a_loss(self, world: World, settings: Settings) -> None:
        world.campaign(control_share=1 / 3)
        trial(world, shop_margins(1, 400, 3), shop_margins(2, 200, 6))
        compute_reports(world.engine, settings, business_date=DAY)
        assert world.lift()["verdict"] == "loss"

    def test_a_campaign_that_cost_nothing_has_no_roi(self, world: World, settings: Settings) -> None:
        world.campaign(control_share=1 / 3)
        trial(world, shop_margins(1, 400, 6), shop_margins(2, 200, 3))
        compute_reports(world.engine, settings, business_date=DAY)
        roi = world.roi()
        assert (roi["roi"], roi["roi_low"], roi["roi_high"]) == (None, None, None)
        assert roi["verdict"] == "no cost recorded: ROI is undefined"
        assert roi["incremental_margin"] > 0

    def test_costs_above_any_margin_are_a_loss_where_margin_shows_nothing(
        self, world: World, settings: Settings
    ) -> None:
        """Equal arms, large and even enough to have seen a tenth."""
        world.campaign(control_share=0.5)
        margins = np.tile([10.0, 10.4], 200)
        trial(world, margins, margins)
        world.message("m1", "t0", "email", "28 09:00", cost=1000)
        compute_reports(world.engine, settings, business_date=DAY)
        assert world.lift()["verdict"] == "no difference shown"
        assert world.roi()["verdict"] == "loss"

    def test_arms_that_are_not_as_configured_get_no_verdict(self, world: World, settings: Settings) -> None:
        world.campaign(control_share=0.5)
        trial(world, shop_margins(1, 400, 6), shop_margins(2, 200, 3))
        compute_reports(world.engine, settings, business_date=DAY)
        assert world.lift()["srm_p_value"] < 0.001
        assert world.lift()["verdict"] == "sample ratio mismatch: no verdict"
        world.message("m1", "t0", "email", "28 09:00", cost=200)
        compute_reports(world.engine, settings, business_date=DAY)
        assert world.roi()["verdict"] == "sample ratio mismatch: no verdict"

    def test_too_few_customers_say_how_many_are_missing(self, world: World, settings: Settings) -> None:
        """40 customers, half of them control: 200 give 100 an arm, 160 are missing; 20 buyers an arm are there."""
        world.campaign(control_share=0.5)
        trial(world, np.full(20, 10.0), np.full(20, 5.0))
        compute_reports(world.engine, settings, business_date=DAY)
        assert world.lift()["verdict"] == "not enough data: about 160 more customers needed"

    def test_too_few_buyers_say_how_many_are_missing(self, world: World, settings: Settings) -> None:
        """One in twenty buys: 20 buyers an arm take 400 customers an arm, 800 in all; 400 are there."""
        world.campaign(control_share=0.5)
        trial(world, np.repeat([5.0, 0], [10, 190]), np.repeat([5.0, 0], [10, 190]))
        compute_reports(world.engine, settings, business_date=DAY)
        assert world.lift()["verdict"] == "not enough data: about 400 more customers needed"

    def test_an_interval_too_wide_says_how_many_are_missing(self, world: World, settings: Settings) -> None:
        """Half buy for 10: mean 5, variance 25.126. For 0.5 it takes 4 · 25.126 · 2.8016² / 0.25 = 3,156."""
        world.campaign(control_share=0.5)
        trial(world, np.tile([10.0, 0], 100), np.tile([10.0, 0], 100))
        compute_reports(world.engine, settings, business_date=DAY)
        assert world.lift()["verdict"] == "not enough data: about 2,800 more customers needed"

    def test_a_night_without_orders_and_a_campaign_without_control(self, world: World, settings: Settings) -> None:
        world.campaign(control_share=0.5)
        world.decide("treated", "t1")
        world.decide("control", "c1")
        world.campaign("everyone", control_share=0)
        world.decide("treated", "t1", "c1", campaign_id="everyone")
        compute_reports(world.engine, settings, business_date=DAY)
        assert world.lift()["verdict"] == "not enough data: no orders since the assignment yet"
        everyone = world.lift(campaign_id="everyone")
        assert everyone["verdict"] == "not enough data: there is no control group to compare with"
        assert (everyone["control_n"], everyone["control_mean"], everyone["difference"]) == (0, None, None)


class TestGlobalHoldout:
    def test_everybody_else_is_compared_with_it(self, small: World, settings: Settings) -> None:
        compute_reports(small.engine, settings, business_date=DAY)
        row = small.lift(campaign_id="all")
        assert (row["treated_n"], row["control_n"]) == (5, 1)  # t1, t2, t3, c1, and x1 outside the audience
        # No campaign's cost per order here: (9.5 + 4 + 0 + 6 + 4) / 5
        assert row["treated_mean"] == pytest.approx(23.5 / 5)
        assert row["control_mean"] == pytest.approx(4)
        roi = small.roi("all")
        assert roi["cost"] == Decimal("0.022")
        assert roi["attributed_revenue"] == small.roi()["attributed_revenue"]

    def test_a_new_term_starts_afresh(self, small: World, settings: Settings) -> None:
        """h1 is released, t3 held out from the night of the 28th on; only those decided since are compared."""
        with small.engine.begin() as connection:
            connection.execute(text("update marketing.holdouts set released_on = date '2017-11-28'"))
        night = date(2017, 11, 28)
        small.hold_out("t3", holdout_id="term-2", since=night)
        small.decide("holdout", "t3", night=night)
        small.decide("treated", "h1", night=night)
        compute_reports(small.engine, settings, business_date=DAY)
        row = small.lift(campaign_id="all")
        assert (row["treated_n"], row["control_n"]) == (2, 1)  # t1 and h1 against t3
        assert row["treated_mean"] == pytest.approx(4 / 2)  # h1's order of the 29th; t1 bought on the 28th

    def test_who_was_messaged_before_joining_the_holdout_is_in_neither_arm(
        self, world: World, settings: Settings
    ) -> None:
        """50 held out from the first night; the share is raised when 400 others have been treated for weeks."""
        first, raised = date(2017, 11, 1), date(2017, 11, 20)
        held_out, moved = [f"h{n}" for n in range(50)], [f"t{n}" for n in range(200)]
        stayed, late = [f"t{n}" for n in range(200, 400)], ["late-held-out"]
        world.campaign()
        world.hold_out(*held_out, since=first)
        world.decide("holdout", *held_out, night=first)
        world.decide("treated", *moved, *stayed, night=first)
        compute_reports(world.engine, settings, business_date=date(2017, 11, 19))
        world.hold_out(*moved, *late, since=raised)
        world.decide("holdout", *held_out, *moved, *late, night=raised)
        world.decide("treated", *stayed, night=raised)
        world.item("a", margin_rate=0.5)
        world.buy("t0", "22 12:00", "a", 1000)
        compute_reports(world.engine, settings, business_date=DAY)
        (before,) = [
            row
            for row in world.rows("campaign_lift", date(2017, 11, 19))
            if (row["campaign_id"], row["metric"]) == ("all", "margin_per_customer")
        ]
        after = world.lift(campaign_id="all")
        assert (before["treated_n"], before["control_n"]) == (400, 50)
        assert (after["treated_n"], after["control_n"]) == (200, 51)
        assert (after["treated_mean"], after["control_mean"]) == (0, 0), "t0 bought, and is in neither arm"
        assert world.lift()["treated_n"] == 400, "in the campaign's own arms the first assignment stands"

    def test_without_a_holdout_there_is_no_row(self, world: World, settings: Settings) -> None:
        world.campaign()
        world.decide("treated", "t1")
        compute_reports(world.engine, settings, business_date=DAY)
        assert {row["campaign_id"] for row in world.rows("campaign_lift")} == {"winter"}
