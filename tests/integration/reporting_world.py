"""Small worlds for the tests of the reports."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Engine, Table, insert, text

from include.db import tables

NIGHT = date(2017, 11, 27)
DAY = date(2017, 11, 29)
"""The first night decided; what follows counts from 05:00 UTC of the 28th (New York) to 05:00 UTC of the 30th."""

PROVENANCE = {"file_id": 1, "row_number": 1}


def at(moment: str) -> datetime:
    """'28 14:30' is that time of November 2017 in UTC."""
    return datetime.strptime(f"2017-11-{moment}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


class World:
    """Rows for a test's database, with what a test does not care about filled in."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._event = self._engagement = 0

    def insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(table), rows)

    def campaign(self, campaign_id: str = "winter", **fields: Any) -> None:
        defaults = {"name": campaign_id, "channels": ["email"], "starts_on": NIGHT, "ends_on": DAY}
        self.insert(tables.campaigns, [{"campaign_id": campaign_id, **defaults, **fields, **PROVENANCE}])

    def item(self, item_id: str, **fields: Any) -> None:
        self.insert(tables.items, [{"item_id": item_id, **fields, **PROVENANCE}])

    def decide(
        self, arm: str, *customer_ids: str, night: date = NIGHT, decision: str = "", campaign_id: str = "winter"
    ) -> None:
        usual = {"treated": "scheduled", "control": "control", "holdout": "held_out"}
        self.insert(
            tables.message_decisions,
            [
                {
                    "business_date": night,
                    "campaign_id": campaign_id,
                    "customer_id": customer_id,
                    "arm": arm,
                    "decision": decision or usual[arm],
                    "reason": "as the test says",
                    "policy_version": "1",
                }
                for customer_id in customer_ids
            ],
        )

    def hold_out(self, *customer_ids: str, holdout_id: str = "term-1", since: date = NIGHT) -> None:
        self.insert(
            tables.holdouts,
            [{"holdout_id": holdout_id, "customer_id": name, "assigned_on": since} for name in customer_ids],
        )

    def message(self, message_id: str, customer_id: str, channel: str, sent: str, **fields: Any) -> None:
        defaults = {
            "campaign_id": "winter",
            "send_date": at(sent).date(),
            "business_date": NIGHT,
            "send_at": at(sent),
            "not_after": at(sent),
            "sent_at": at(sent),
            "state": "sent",
            "content": {"template": None, "items": []},
            "cost": 0,
        }
        row = {"message_id": message_id, "customer_id": customer_id, "channel": channel, **defaults, **fields}
        self.insert(tables.messages, [row])

    def engage(self, engagement_type: str, when: str, message_id: str | None = None, **fields: Any) -> None:
        self._engagement += 1
        row = {
            "engagement_id": f"g{self._engagement}",
            "message_id": message_id,
            "engagement_type": engagement_type,
            "occurred_at": at(when),
            **fields,
        }
        self.insert(tables.engagements, [{**row, **PROVENANCE}])

    def buy(self, customer_id: str, when: str, item_id: str, price: float, **fields: Any) -> None:
        self._event += 1
        row = {
            "event_id": f"e{self._event}",
            "event_type": "purchase",
            "customer_id": customer_id,
            "occurred_at": at(when),
            "item_id": item_id,
            "unit_price": price,
            **fields,
        }
        self.insert(tables.events, [{**row, **PROVENANCE}])

    def rows(self, table: str, business_date: date = DAY) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            query = text(f"select * from marketing.{table} where business_date = :date order by 2, 3, 4")
            return [dict(row) for row in connection.execute(query, {"date": business_date}).mappings()]

    def result(self, channel: str, arm: str, campaign_id: str = "winter") -> dict[str, Any]:
        (row,) = [
            row
            for row in self.rows("campaign_results")
            if (row["campaign_id"], row["channel"], row["arm"]) == (campaign_id, channel, arm)
        ]
        return row

    def lift(self, metric: str = "margin_per_customer", campaign_id: str = "winter") -> dict[str, Any]:
        (row,) = [
            row for row in self.rows("campaign_lift") if (row["campaign_id"], row["metric"]) == (campaign_id, metric)
        ]
        return row

    def roi(self, campaign_id: str = "winter") -> dict[str, Any]:
        (row,) = [row for row in self.rows("campaign_roi") if row["campaign_id"] == campaign_id]
        return row


def small_world(engine: Engine) -> World:
    """Three treated, one control, one held out, one outside the audience."""
    world = World(engine)
    world.campaign(cost_per_order=0.5)
    world.item("a", margin_rate=0.4)
    world.item("b", price=5)
    world.decide("treated", "t1", "t2", "t3")
    world.decide("treated", "t1", night=date(2017, 11, 28), decision="capped")
    world.decide("control", "c1")
    world.decide("holdout", "h1")
    world.hold_out("h1")
    world.decide("treated", "x1", decision="not_in_audience")
    world.message("m1", "t1", "email", "28 14:00", cost=0.01)
    world.message("m2", "t1", "email", "29 14:00", cost=0.01, business_date=date(2017, 11, 28))
    world.message("m3", "t2", "app_push", "28 14:00", cost=0.002)
    world.message("m4", "t2", "email", "28 14:00", cost=0.01, state="unknown")
    world.message("m5", "t3", "email", "28 14:00", cost=0.01, state="failed")
    for when in ("28 14:30", "28 14:40"):  # twice: one opened, one clicked message
        world.engage("open", when, "m1")
        world.engage("click", when, "m1")
    world.engage("bounce", "29 14:01", "m2")
    world.engage("open", "29 14:00", "m2", is_machine=True)
    world.engage("click", "29 14:00", "m2", is_machine=True)
    world.engage("click", "30 05:00", "m2")  # the next day
    world.engage("click", "28 14:10", "m3", attributes={"generated": True})
    world.engage("unsubscribe", "28 14:11", "m3")
    world.buy("t1", "28 04:59", "a", 100)  # before the night ended
    world.buy("t1", "28 15:00", "a", 10, quantity=2, order_id="o1")
    world.buy("t1", "28 15:00", "b", None, quantity=1, order_id="o1")  # at the item's own price, default margin
    world.buy("t1", "30 05:00", "a", 100)  # the next day
    world.buy("t1", "29 10:00", "a", 100, event_type="add_to_cart")
    world.buy("t2", "29 14:00", "a", 10, properties={"generated": "true"})
    world.buy("c1", "28 12:00", "b", 20, order_id="o1")  # another customer's order of the same number
    world.buy("h1", "29 12:00", "a", 10)
    world.buy("x1", "29 12:00", "a", 10)
    return world
