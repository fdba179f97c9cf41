"""Six nights of a small shop in the tables, with everything a page must cope with."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from shop_models import FULL
from sqlalchemy import Connection, Engine, insert

from include.db import tables

DATE = date(2017, 11, 30)
LANDED = {"file_id": 1, "row_number": 1}

CAMPAIGNS = {
    # C6 has ended. id: name, sent, clicked, roi with interval, verdict
    "C1": ("Pantry favourites", 2140, 78, (1.9, 0.6, 3.2), "gain"),
    "C2": ("Weekend fresh produce", 1820, 41, (0.4, -0.7, 1.5), "no difference shown"),
    "C3": ("Coffee & tea club", 960, 52, (-1.4, -2.5, -0.3), "loss"),
    "C4": ("Come back: we miss you in the bakery", 610, 9, (None, None, None), "not enough data: about 900 more"),
    "C5": ("<script>alert(1)</script>", 240, 6, (0.9, -3.1, 4.9), "not enough data: about 4,100 more customers needed"),
    "C6": ("Summer barbecue", 9000, 90, (0.1, -0.2, 0.4), "no difference shown"),
}
DECISIONS = {"scheduled": 412, "held_out": 118, "control": 203, "no_consent": 377, "capped": 861, "quiet_hours": 14}
STRATEGIES = {
    "next_purchase": ("als", "own_history", "popularity"),
    "discovery": ("trending", "ease", "user_neighbours"),
}
"""Of the recommendations of each purpose, in turn."""
POLICY_VALUES = {
    # policy: effective sample size, click rate with interval, what our choice gains with interval, verdict
    "as_logged": (41_200, (0.0412, 0.0391, 0.0433), (None, None, None), "What was sent, as it was sent. Left out: …"),
    "random_hour": (6120, (0.0298, 0.0261, 0.0335), (0.0114, 0.0071, 0.0157), "A gain over random hours."),
    "modal_hour": (2210, (0.0389, 0.0301, 0.0477), (0.0023, -0.006, 0.0106), "No difference to … is shown."),
    "global_hour": (140, (None, None, None), (None, None, None), "Not enough data: too few sends went as …"),
}
STATES = {"sent": 388, "planned": 20, "expired": 4}


def fill(engine: Engine) -> None:
    """Six nights of a small shop, the last stopped by the gate."""
    nights = [DATE - timedelta(days=back) for back in range(5, -1, -1)]
    with engine.begin() as connection:
        _customers_and_items(connection)
        for night in nights:
            _night(connection, night)
        _reports(connection)
        _policy_values(connection)
        _decisions_and_messages(connection)
        stopped = DATE + timedelta(days=1)
        connection.execute(
            insert(tables.quality_results),
            {
                "business_date": stopped,
                "table_name": "events",
                "expectation": "volume",
                "severity": "critical",
                "success": False,
                "message": "events: 0 rows on 2017-12-01, at least 1 expected",
            },
        )


def _customers_and_items(connection: Connection) -> None:
    connection.execute(
        insert(tables.customers),
        [
            {"customer_id": f"K{n}", "email": f"k{n}@shop.test", "time_zone": zone, **LANDED}
            for n in range(500)
            for zone in ["Europe/Berlin" if n % 5 else "Not/AZone"]
        ],
    )
    connection.execute(
        insert(tables.items),
        [{"item_id": f"I{n}", "title": f"Item {n}", "category": "bakery", **LANDED} for n in range(6)],
    )
    connection.execute(
        insert(tables.campaigns),
        [
            {
                "campaign_id": key,
                "name": name,
                "channels": ["email"],
                "starts_on": date(2017, 11, 1),
                "ends_on": date(2017, 11, 29) if key == "C6" else date(2017, 12, 31),
                **LANDED,
            }
            for key, (name, *_) in CAMPAIGNS.items()
        ],
    )


def _night(connection: Connection, night: date) -> None:
    number = night.toordinal() % 7
    connection.execute(
        insert(tables.quality_results),
        [
            {
                "business_date": night,
                "table_name": table,
                "expectation": "unique",
                "column_name": "id",
                "severity": severity,
                "success": number != 3 or severity != "warning",
                "message": f"{table}: ids repeat",
            }
            for table, severity in (("customers", "critical"), ("items", "warning"), ("events", "critical"))
        ],
    )
    connection.execute(
        insert(tables.landing_files),
        {
            "table_name": "events",
            "business_date": night,
            "file": f"events/{night}/a.csv",
            "sha256": "0",
            "size_bytes": 1,
            "rows_accepted": 4100 + 37 * number,
            "rows_quarantined": number,
        },
    )
    promoted = number % 2 == 0
    connection.execute(
        insert(tables.models),
        {
            "model_id": f"als-{night}",
            "algorithm": "two_stage",
            "business_date": night,
            "status": "champion" if night == DATE else "retired" if promoted else "rejected",
            "parameters": {},
            "metrics": {} if number == 1 else FULL,
            "artifact_uri": "file:///x",
            "artifact_sha256": "0",
            "reason": "nDCG@10 0.0812 is not below the champion's 0.0809."
            if promoted
            else "nDCG@10 0.0797 is below the champion's 0.0812 by more than the tolerance.",
        },
    )
    connection.execute(
        insert(tables.recommendations),
        [
            {
                "business_date": night,
                "customer_id": f"K{customer}",
                "purpose": purpose,
                "rank": rank,
                "item_id": f"I{rank}",
                "score": 1 / rank,
                "strategy": strategies[rank % 3],
                "reason_item_id": "I0" if rank == 1 else None,
                "model_id": f"als-{night}",
            }
            for customer in range(20)
            for purpose, strategies in STRATEGIES.items()
            for rank in range(1, 6)
        ],
    )
    connection.execute(
        insert(tables.customer_features),
        {
            "business_date": night,
            "customer_id": "K1",
            "recency": 3,
            "frequency": 12,
            "monetary_value": 431.5,
            "preferred_categories": ["bakery", "coffee"],
            "active_hours": [],
            "segment": "loyal",
        },
    )


def _reports(connection: Connection) -> None:
    for key, (_, sent, clicked, (roi, low, high), verdict) in CAMPAIGNS.items():
        rate = clicked / sent
        for channel, arm in (("all", "treated"), ("email", "treated"), ("all", "control")):
            treated = arm == "treated"
            connection.execute(
                insert(tables.campaign_results),
                {
                    "business_date": DATE,
                    "campaign_id": key,
                    "channel": channel,
                    "arm": arm,
                    "assigned": 1200,
                    "sent": sent if treated else 0,
                    "delivered": sent if treated else 0,
                    "opened": 300,
                    "clicked": clicked if treated else 0,
                    "unsubscribed": 4 if treated else 0,
                    "bounced": 2,
                    "orders": 77,
                    "revenue": 2310.5,
                    "margin": 693.15,
                    "cost": sent * 0.01,
                    "click_rate": rate if treated else None,
                    "click_rate_low": rate * 0.8 if treated else None,
                    "click_rate_high": rate * 1.22 if treated else None,
                    "includes_generated": True,
                },
            )
        connection.execute(
            insert(tables.campaign_roi),
            {
                "business_date": DATE,
                "campaign_id": key,
                "incremental_margin": None if roi is None else 20 * (1 + roi),
                "cost": 20,
                "roi": roi,
                "roi_low": low,
                "roi_high": high,
                "attributed_revenue": 812.4,
                "verdict": verdict,
                "includes_generated": True,
            },
        )
    connection.execute(
        insert(tables.campaign_roi),
        {
            "business_date": DATE,
            "campaign_id": "all",
            "incremental_margin": 492.45,
            "cost": 157.6,
            "roi": 2.1247,
            "roi_low": -0.5536,
            "roi_high": 4.803,
            "attributed_revenue": 4061.9,
            "verdict": "no difference shown",
            "includes_generated": True,
        },
    )
    for key, verdict in (("all", "gain"), ("C1", "gain")):
        connection.execute(
            insert(tables.campaign_lift),
            {
                "business_date": DATE,
                "campaign_id": key,
                "metric": "margin_per_customer",
                "treated_n": 2345,
                "treated_mean": 3.2,
                "control_n": 124,
                "control_mean": 3.0,
                "difference": 0.21,
                "ci_low": 0.03,
                "ci_high": 0.39,
                "p_value": 0.021,
                "srm_p_value": 0.6,
                "verdict": verdict,
                "includes_generated": True,
            },
        )


def _policy_values(connection: Connection) -> None:
    for policy, (worth, value, difference, verdict) in POLICY_VALUES.items():
        estimators = ("ips", "snips", "dr", "experiment") if policy == "random_hour" else ("ips", "snips", "dr")
        for estimator in estimators:
            experiment = estimator == "experiment"
            connection.execute(
                insert(tables.policy_values),
                {
                    "business_date": DATE,
                    "policy": policy,
                    "estimator": estimator,
                    "metric": "click",
                    "sends": 2090 if experiment else 41_200,
                    "left_out": 0 if experiment else 310,
                    "effective_sample_size": 2090 if experiment else worth,
                    **dict(zip(("value", "ci_low", "ci_high"), value, strict=True)),
                    **dict(zip(("difference", "difference_low", "difference_high"), difference, strict=True)),
                    "verdict": verdict,
                    "includes_generated": True,
                },
            )


def _decisions_and_messages(connection: Connection) -> None:
    customers = iter(range(10**6))
    decisions = [
        {
            "business_date": DATE,
            "campaign_id": "C1",
            "customer_id": f"K{next(customers)}",
            "arm": {"held_out": "holdout", "control": "control"}.get(decision, "treated"),
            "decision": decision,
            "reason": "Best hour of the customer's own day." if decision == "scheduled" else f"Because of {decision}.",
            "channel": "email" if decision == "scheduled" else None,
            "send_at": datetime(2017, 12, 1, 17, tzinfo=UTC) if decision == "scheduled" else None,
            "explored": False,
            "policy_version": "1",
        }
        for decision, count in DECISIONS.items()
        for _ in range(count)
    ]
    connection.execute(insert(tables.message_decisions), decisions)
    customers = iter(range(10**6))
    connection.execute(
        insert(tables.messages),
        [
            {
                "message_id": f"M{n}",
                "campaign_id": "C1",
                "customer_id": f"K{n}",
                "channel": "email",
                "send_date": DATE + timedelta(days=1),
                "business_date": DATE,
                "send_at": datetime(2017, 12, 1, 17, tzinfo=UTC),
                "not_after": datetime(2017, 12, 1, 23, tzinfo=UTC),
                "state": state,
                "content": {},
                "cost": 0.2,
            }
            for state, count in STATES.items()
            for n in (next(customers) for _ in range(count))
        ],
    )
    earlier = [
        {
            "message_id": f"E{n}",
            "campaign_id": "C2",
            "customer_id": f"K{n % 500}",
            "channel": "email",
            "send_date": date(2017, 11, 1) + timedelta(days=n // 500),
            "business_date": date(2017, 10, 31),
            "send_at": datetime(2017, 11, 10 + n // 500, 8 + n % 12, 15, tzinfo=UTC),
            "not_after": datetime(2017, 11, 30, tzinfo=UTC),
            "state": "sent",
            "content": {},
            "cost": 0.02,
        }
        for n in range(4000)
    ]
    connection.execute(insert(tables.messages), earlier)
    connection.execute(
        insert(tables.engagements),
        [
            {
                "engagement_id": message["message_id"],
                "message_id": message["message_id"],
                "engagement_type": "click",
                "occurred_at": message["send_at"] + timedelta(hours=1),
                "is_machine": n % 41 == 0,
                "attributes": {"generated": True},
                **LANDED,
            }
            for n, message in enumerate(earlier)
            if n * 7919 % 1000 < 60 - 6 * abs(message["send_at"].hour - 15)
        ],
    )
