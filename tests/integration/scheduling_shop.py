"""A small shop in the tables that scheduling reads, written row by row as a test needs it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, text

from include.db import tables
from include.scheduling.assignment import control_salt, hash_share

DATE = date(2017, 11, 30)
"""A Thursday; what it plans is sent on a Friday."""
SEND_DATE = DATE + timedelta(days=1)
END_OF_DAY = datetime(2017, 12, 1, 5, tzinfo=UTC)
"""Of DATE in New York."""
LANDED = {"file_id": 1, "row_number": 1}


def treated(prefix: str, *campaigns: str, holdout_share: float = 0.05, control_share: float = 0.1) -> str:
    """An id that starts with ``prefix`` and is in nobody's holdout or control group."""
    return next(
        name
        for name in (f"{prefix}-{number}" for number in range(1000))
        if hash_share("holdout-1", name) >= holdout_share
        and all(hash_share(control_salt(campaign), name) >= control_share for campaign in campaigns)
    )


class Shop:
    """Writes rows; every customer is reachable by email and has recommendations unless told otherwise."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add(self, table: Any, *rows: dict[str, Any]) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(table), list(rows))

    def customer(
        self,
        customer_id: str,
        *,
        business_date: date = DATE,
        segment: str = "regular",
        email: str | None = "",
        push: str | None = None,
        time_zone: str | None = "America/New_York",
        consents: Sequence[str] = ("email",),
        purposes: Sequence[str] = ("next_purchase",),
        active_hours: Sequence[float] = (),
    ) -> str:
        email = f"{customer_id}@example.com" if email == "" else email
        self.add(
            tables.customers,
            {"customer_id": customer_id, "email": email, "push_token": push, "time_zone": time_zone, **LANDED},
        )
        self.features(customer_id, business_date=business_date, segment=segment, active_hours=active_hours)
        for channel in consents:
            self.consent(customer_id, channel, granted=True, at=END_OF_DAY - timedelta(days=100))
        for purpose in purposes:
            self.recommend(customer_id, business_date=business_date, purpose=purpose)
        return customer_id

    def features(
        self, customer_id: str, *, business_date: date, segment: str = "regular", active_hours: Sequence[float] = ()
    ) -> None:
        self.add(
            tables.customer_features,
            {
                "business_date": business_date,
                "customer_id": customer_id,
                "frequency": 1,
                "monetary_value": 10,
                "preferred_categories": [],
                "active_hours": list(active_hours),
                "segment": segment,
            },
        )

    def recommend(self, customer_id: str, *, business_date: date = DATE, purpose: str = "next_purchase") -> None:
        self.add(
            tables.recommendations,
            *(
                {
                    "business_date": business_date,
                    "customer_id": customer_id,
                    "purpose": purpose,
                    "rank": rank,
                    "item_id": f"item-{rank}",
                    "score": 1.0 / rank,
                    "strategy": "als",
                    "reason_item_id": "bought" if rank == 1 else None,
                    "model_id": "model",
                }
                for rank in range(1, 8)
            ),
        )

    def items(self, price: float = 10.0, margin_rate: float | None = 0.5) -> None:
        self.add(
            tables.items,
            *(
                {"item_id": f"item-{rank}", "price": price, "margin_rate": margin_rate, **LANDED}
                for rank in range(1, 8)
            ),
        )

    def consent(self, customer_id: str, channel: str, *, granted: bool, at: datetime) -> None:
        self.add(
            tables.consents,
            {"customer_id": customer_id, "channel": channel, "granted": granted, "occurred_at": at, **LANDED},
        )

    def campaign(self, campaign_id: str, **fields: Any) -> str:
        defaults = {
            "campaign_id": campaign_id,
            "name": f"The {campaign_id} campaign",
            "channels": ["email"],
            "starts_on": SEND_DATE - timedelta(days=30),
            "ends_on": SEND_DATE + timedelta(days=30),
            "template": "standard",
        }
        self.add(tables.campaigns, {**defaults, **fields, **LANDED})
        return campaign_id

    def message(self, customer_id: str, *, send_at: datetime, **fields: Any) -> None:
        """A message of an earlier night."""
        defaults = {
            "message_id": f"earlier-{customer_id}-{send_at:%Y%m%d%H%M%S}",
            "campaign_id": "earlier",
            "customer_id": customer_id,
            "channel": "email",
            "send_date": send_at.date(),
            "business_date": DATE - timedelta(days=1),
            "send_at": send_at,
            "not_after": send_at + timedelta(hours=6),
            "state": "sent",
            "sent_at": send_at,
            "content": {},
        }
        self.add(tables.messages, {**defaults, **fields})

    def click(self, engagement_id: str, *, at: datetime, **fields: Any) -> None:
        self.add(
            tables.engagements,
            {"engagement_id": engagement_id, "engagement_type": "click", "occurred_at": at, **LANDED, **fields},
        )

    # --- what came out -----------------------------------------------------------------------------------------------

    def rows(self, statement: str, **bound: Any) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), bound).mappings()]

    def decisions(self, business_date: date = DATE) -> dict[tuple[str, str], dict[str, Any]]:
        """By (campaign, customer)."""
        rows = self.rows("select * from marketing.message_decisions where business_date = :day", day=business_date)
        return {(row["campaign_id"], row["customer_id"]): row for row in rows}

    def messages(self, business_date: date = DATE) -> list[dict[str, Any]]:
        return self.rows(
            "select * from marketing.messages where business_date = :day order by campaign_id, customer_id",
            day=business_date,
        )

    def fingerprint(self, table: str, columns: str = "*") -> str:
        rows = self.rows(f"select {columns} from marketing.{table}")
        return hashlib.sha256("\n".join(sorted(json.dumps(row, default=str) for row in rows)).encode()).hexdigest()
