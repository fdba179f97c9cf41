"""Reports over small worlds whose figures were computed by hand, in a real Postgres."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from reporting_world import DAY, PROVENANCE, World, at, small_world
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


COUNTS = ("assigned", "sent", "delivered", "opened", "clicked", "unsubscribed", "bounced", "orders")
MONEY = ("revenue", "margin", "cost")


class TestResults:
    def test_every_figure(self, small: World, settings: Settings) -> None:
        compute_reports(small.engine, settings, business_date=DAY)
        figures = {
            (row["channel"], row["arm"]): (*(row[name] for name in (*COUNTS, *MONEY)),)
            for row in small.rows("campaign_results")
        }
        # 20·0.4 + 5·0.3 − 0.5 = 9 and 10·0.4 − 0.5 = 3.5
        assert figures == {
            ("all", "treated"): (3, 3, 2, 1, 2, 1, 1, 2, Decimal(35), Decimal("12.5"), Decimal("0.022")),
            ("email", "treated"): (3, 2, 1, 1, 1, 0, 1, 2, Decimal(35), Decimal("12.5"), Decimal("0.02")),
            ("app_push", "treated"): (1, 1, 1, 0, 1, 1, 0, 1, Decimal(10), Decimal("3.5"), Decimal("0.002")),
            ("all", "control"): (1, 0, 0, 0, 0, 0, 0, 1, Decimal(20), Decimal("5.5"), Decimal(0)),
            ("all", "holdout"): (1, 0, 0, 0, 0, 0, 0, 1, Decimal(10), Decimal("3.5"), Decimal(0)),
        }

    def test_there_are_no_other_rows(self, small: World, settings: Settings) -> None:
        summary = compute_reports(small.engine, settings, business_date=DAY)
        assert len(small.rows("campaign_results")) == summary.result_rows == 5
        assert (summary.campaigns, summary.sent, summary.clicked) == (1, 3, 2)
        assert (summary.lift_rows, summary.roi_rows) == (6, 2)  # winter, and all

    def test_click_rate_has_an_interval_within_bounds(self, small: World, settings: Settings) -> None:
        compute_reports(small.engine, settings, business_date=DAY)
        row = small.result("all", "treated")
        assert row["click_rate"] == pytest.approx(2 / 3)
        assert 0 <= row["click_rate_low"] < 2 / 3 < row["click_rate_high"] <= 1
        control = small.result("all", "control")
        assert (control["click_rate"], control["click_rate_low"], control["click_rate_high"]) == (None, None, None)

    def test_generated_reactions_are_named(self, small: World, settings: Settings) -> None:
        compute_reports(small.engine, settings, business_date=DAY)
        assert small.result("app_push", "treated")["includes_generated"]
        assert not small.result("all", "control")["includes_generated"]
        assert small.lift()["includes_generated"]
        assert small.roi()["includes_generated"]

    def test_a_generated_machine_open_is_not_counted_and_not_named(self, world: World, settings: Settings) -> None:
        world.campaign()
        world.decide("treated", "t1")
        world.message("m1", "t1", "email", "28 14:00")
        world.engage("open", "28 14:00", "m1", is_machine=True, attributes={"generated": True})
        compute_reports(world.engine, settings, business_date=DAY)
        row = world.result("all", "treated")
        assert (row["opened"], row["includes_generated"]) == (0, False)

    @pytest.mark.parametrize("reaction", ["delivered", "open", "click", "bounce", "unsubscribe", "complaint"])
    def test_an_unknown_message_that_something_came_back_for_was_sent(
        self, world: World, settings: Settings, reaction: str
    ) -> None:
        world.campaign()
        world.decide("treated", "t1", "t2")
        for customer in ("t1", "t2"):
            fields = {"state": "unknown", "sent_at": None, "claimed_at": at("28 14:01"), "cost": 0.01}
            world.message(f"of-{customer}", customer, "email", "28 14:00", **fields)
        world.engage(reaction, "29 14:00", "of-t1")
        day_before = date(2017, 11, 28)
        for day in (day_before, DAY):
            compute_reports(world.engine, settings, business_date=day)
        assert [row["sent"] for row in world.rows("campaign_results", day_before)] == [0, 0], "all, and email"
        row = world.result("email", "treated")
        assert (row["sent"], row["cost"]) == (1, Decimal("0.01"))
        counted = {"open": "opened", "click": "clicked", "bounce": "bounced", "unsubscribe": "unsubscribed"}
        assert [row[name] for name in counted.values()] == [int(reaction == kind) for kind in counted]

    def test_both_messages_of_a_campaign_count_and_a_click_belongs_to_the_one_it_names(
        self, world: World, settings: Settings
    ) -> None:
        world.campaign()
        world.decide("treated", "t1", "t2")
        for customer in ("t1", "t2"):
            world.message(f"{customer}-mail", customer, "email", "28 14:00", cost=0.01)
            world.message(f"{customer}-push", customer, "app_push", "28 20:00", cost=0.002)
        world.engage("click", "28 21:00", "t1-mail")
        world.engage("click", "28 21:00", "t1-push")
        world.engage("click", "28 20:30", "t2-push")
        world.buy("t2", "28 22:00", "a", 10, order_id="o1")
        world.buy("t1", "28 22:00", "a", 10, order_id="o2")
        compute_reports(world.engine, settings, business_date=DAY)
        counts = {
            channel: tuple(world.result(channel, "treated")[name] for name in ("assigned", "sent", "clicked", "orders"))
            for channel in ("all", "email", "app_push")
        }
        assert counts == {"all": (2, 4, 3, 2), "email": (2, 2, 1, 2), "app_push": (2, 2, 2, 2)}
        assert world.result("all", "treated")["cost"] == Decimal("0.024")
        assert world.roi()["attributed_revenue"] == 20, "each order once"

    def test_the_first_arm_is_kept(self, world: World, settings: Settings) -> None:
        """A control customer whose later decision says treated stays with the control."""
        world.campaign()
        world.decide("control", "c1")
        world.decide("treated", "c1", night=DAY)
        compute_reports(world.engine, settings, business_date=DAY)
        assert [row["arm"] for row in world.rows("campaign_results")] == ["control"]


class TestFormerTool:
    def test_its_sends_and_reactions_count(self, world: World, settings: Settings) -> None:
        world.campaign(cost_per_message=0.02)
        history = [
            {"customer_id": "t1", "sent_at": at("10 12:00"), "arm": "treated", "cost": 0.05},
            {"customer_id": "t1", "sent_at": at("12 12:00"), "arm": "treated", "cost": None},
            {"customer_id": "c1", "sent_at": at("10 12:00"), "arm": "control", "cost": None},
        ]
        common = {"campaign_id": "winter", "channel": "email", **PROVENANCE}
        world.insert(tables.message_history, [row | common for row in history])
        who = {"campaign_id": "winter", "customer_id": "t1"}
        world.engage("click", "11 12:00", **who)
        world.engage("click", "10 13:00", **who)  # both of the first send
        world.engage("open", "09 12:00", **who)  # before any send
        world.item("a", margin_rate=0.5)
        world.buy("t1", "10 11:00", "a", 7)
        world.buy("t1", "11 11:00", "a", 8)
        compute_reports(world.engine, settings, business_date=DAY)
        row = world.result("email", "treated")
        assert (row["sent"], row["clicked"], row["opened"], row["orders"]) == (2, 1, 0, 1)
        assert (row["revenue"], row["cost"]) == (Decimal(8), Decimal("0.07"))
        assert world.result("all", "control")["sent"] == 0
        assert world.lift()["srm_p_value"] is None  # nobody says how the former tool drew its control
        assert world.roi()["attributed_revenue"] == Decimal(8)


class TestAttribution:
    def test_each_order_goes_once_to_the_latest_click_in_time(self, world: World, settings: Settings) -> None:
        for campaign_id in ("first", "second"):
            world.campaign(campaign_id)
            world.decide("treated", "t1", "t2", "t3", campaign_id=campaign_id, night=date(2017, 11, 19))
        world.item("a")
        sent = {"business_date": date(2017, 11, 19)}
        world.message("m1", "t1", "email", "20 12:00", campaign_id="first", **sent)
        world.message("m2", "t1", "app_push", "21 12:00", campaign_id="second", **sent)
        world.message("m3", "t2", "app_push", "20 12:00", campaign_id="second", **sent)
        world.message("m4", "t3", "email", "20 12:00", campaign_id="first", **sent)
        world.engage("click", "20 12:00", "m1")
        world.engage("click", "21 12:00", "m2")
        world.engage("click", "20 12:00", "m3")
        world.engage("click", "20 12:00", "m4", is_machine=True)
        world.buy("t1", "20 11:59", "a", 1)  # before the click
        world.buy("t1", "21 11:00", "a", 2)  # first
        world.buy("t1", "22 11:59", "a", 4, order_id="o1")  # second, the later of the two
        world.buy("t1", "22 11:59", "a", 8, order_id="o1")
        world.buy("t1", "22 12:00", "a", 16)  # the push is 24 h old, the email still counts
        world.buy("t1", "25 12:00", "a", 32)  # five days
        world.buy("t2", "21 12:00", "a", 64)  # 24 h
        world.buy("t3", "20 13:00", "a", 128)  # a machine's click
        compute_reports(world.engine, settings, business_date=DAY)
        assert world.roi("first")["attributed_revenue"] == Decimal(2 + 16)
        assert world.roi("second")["attributed_revenue"] == Decimal(4 + 8)


class TestRuns:
    TABLES = ("campaign_results", "campaign_lift", "campaign_roi")

    def state(self, world: World, day: date = DAY) -> list[list[dict[str, Any]]]:
        return [world.rows(table, day) for table in self.TABLES]

    def test_a_rerun_gives_the_same_rows(self, small: World, settings: Settings) -> None:
        first = compute_reports(small.engine, settings, business_date=DAY)
        before = self.state(small)
        assert all(before)
        assert compute_reports(small.engine, settings, business_date=DAY) == first
        assert self.state(small) == before

    def test_what_comes_later_does_not_change_an_earlier_date(self, small: World, settings: Settings) -> None:
        """Rows of the 28th, before and after the 29th is known."""
        day = date(2017, 11, 28)
        compute_reports(small.engine, settings, business_date=day)
        before = self.state(small, day)
        small.decide("treated", "t9", night=DAY)
        small.message("m9", "t9", "email", "29 15:00", business_date=DAY)
        small.engage("click", "29 15:00", "m1")
        small.buy("t1", "29 15:00", "a", 10)
        compute_reports(small.engine, settings, business_date=DAY)
        compute_reports(small.engine, settings, business_date=day)
        assert self.state(small, day) == before
        assert small.result("all", "treated")["assigned"] == 4  # the 29th does know

    def test_a_campaign_gone_from_the_input_leaves_the_date(self, small: World, settings: Settings) -> None:
        compute_reports(small.engine, settings, business_date=DAY)
        with small.engine.begin() as connection:
            for table in ("message_decisions", "messages", "holdouts"):
                connection.execute(text(f"delete from marketing.{table}"))
        summary = compute_reports(small.engine, settings, business_date=DAY)
        assert self.state(small) == [[], [], []]
        assert (summary.campaigns, summary.sent, summary.includes_generated) == (0, 0, False)

    def test_a_failure_leaves_yesterdays_rows(self, small: World, settings: Settings) -> None:
        compute_reports(small.engine, settings, business_date=DAY)
        before = self.state(small)
        small.campaign("all")
        small.decide("treated", "t1", campaign_id="all")
        with pytest.raises(ValueError, match=r"campaign_id 'all' .* is reserved"):
            compute_reports(small.engine, settings, business_date=DAY)
        assert self.state(small) == before

    def test_the_business_zone_ends_the_day(self, small: World, make_settings: Callable[..., Settings]) -> None:
        """In UTC the night of the 27th ends at midnight, so that the purchase of 04:59 counts."""
        compute_reports(small.engine, make_settings(business_time_zone="UTC"), business_date=DAY)
        assert small.result("all", "treated")["revenue"] == Decimal(135)
