"""A small world for delivery: customers, items, consents and planned messages, and sinks to send to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, select, update

from include.db import tables
from include.delivery import DeliverySummary, deliver_due_messages
from include.demo.sinks import Sinks
from include.settings import Settings

NINE = datetime(2017, 11, 30, 9, tzinfo=UTC)
PROVENANCE = {"file_id": 1, "row_number": 1}
ITEMS = (
    {"item_id": "ice", "title": "ICE CREAM - BULK", "category": "FROZEN", "brand": "National", "price": 3.99},
    {"item_id": "milk", "title": "FLUID MILK", "category": "DAIRY", "brand": "Private", "price": 2.5},
    {"item_id": "tea", "title": "TEA", "category": "DRINKS", "brand": None, "price": None},
)
CONTENT = {
    "template": None,
    "items": [
        {"item_id": "ice", "strategy": "als", "reason_item_id": "milk"},
        {"item_id": "tea", "strategy": "own_history", "reason_item_id": None},
    ],
}


class World:
    """Writes rows as landing and scheduling would; reads back what delivery made of them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.insert(tables.items, *(item | PROVENANCE for item in ITEMS))

    def insert(self, table: Any, *rows: dict[str, Any]) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(table), list(rows))

    def plan(self, message_id: str, **fields: Any) -> str:
        """One planned message to a customer of its own, who consented."""
        self.plan_many([message_id], **fields)
        return message_id

    def plan_many(
        self,
        message_ids: Iterable[str],
        *,
        local_part: str = "customer",
        email: str | None = None,
        channel: str = "email",
        send_at: datetime = NINE,
        not_after: datetime | None = None,
        content: dict[str, Any] = CONTENT,
        consented: bool = True,
        campaign_id: str = "c1",
    ) -> None:
        ids = list(message_ids)
        self.insert(
            tables.customers,
            *(
                {
                    "customer_id": f"of-{message_id}",
                    "email": email or f"{local_part}+{message_id}@example.com",
                    "push_token": f"{local_part}-{message_id}",
                }
                | PROVENANCE
                for message_id in ids
            ),
        )
        if consented:
            for message_id in ids:
                self.consent(f"of-{message_id}", channel, True, datetime(2017, 1, 1, tzinfo=UTC))
        self.insert(
            tables.messages,
            *(
                {
                    "message_id": message_id,
                    "campaign_id": campaign_id,
                    "customer_id": f"of-{message_id}",
                    "channel": channel,
                    "send_date": send_at.date(),
                    "business_date": date(2017, 11, 29),
                    "send_at": send_at,
                    "not_after": not_after or send_at + timedelta(hours=6),
                    "content": content,
                }
                for message_id in ids
            ),
        )

    def consent(self, customer_id: str, channel: str, granted: bool, occurred_at: datetime) -> None:
        row = {"customer_id": customer_id, "channel": channel, "granted": granted, "occurred_at": occurred_at}
        self.insert(tables.consents, row | PROVENANCE)

    def engage(self, engagement_type: str, occurred_at: datetime, **fields: Any) -> str:
        """One engagement; ``bounce_type`` goes where landing puts an unknown column."""
        with self.engine.begin() as connection:
            engagement_id = f"e{len(connection.execute(select(tables.engagements.c.engagement_id)).all())}"
            bounce_type = fields.pop("bounce_type", None)
            attributes = {} if bounce_type is None else {"bounce_type": bounce_type}
            row = {"engagement_id": engagement_id, "engagement_type": engagement_type, "occurred_at": occurred_at}
            connection.execute(insert(tables.engagements), [row | fields | {"attributes": attributes} | PROVENANCE])
        return engagement_id

    def message(self, message_id: str) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(select(tables.messages).where(tables.messages.c.message_id == message_id)).one()

    def states(self) -> dict[str, str]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(tables.messages.c.message_id, tables.messages.c.state)).all()
        return {row.message_id: row.state for row in rows}

    def move(self, customer_id: str, **addresses: str) -> None:
        """The customer has another ``email`` or ``push_token`` from now on."""
        with self.engine.begin() as connection:
            connection.execute(
                update(tables.customers).where(tables.customers.c.customer_id == customer_id).values(**addresses)
            )

    def release(self, address: tuple[str, str], released_at: datetime) -> None:
        """What an operator does about a suppression, ``address`` being (hash, channel)."""
        columns = tables.suppressions.c
        with self.engine.begin() as connection:
            released = connection.execute(
                update(tables.suppressions)
                .where(columns.address_hash == address[0], columns.channel == address[1])
                .values(released_at=released_at)
            ).rowcount
        assert released == 1

    def suppressions(self) -> dict[tuple[str, str], tuple[str, datetime]]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(tables.suppressions)).all()
        return {(row.address_hash, row.channel): (row.reason, row.since) for row in rows}


def settings_for(make_settings: Callable[..., Settings], sinks: Sinks | None = None, **delivery: Any) -> Settings:
    """Settings that deliver to ``sinks``."""
    where = {"smtp_host": "127.0.0.1", "timeout_seconds": 5, "sender": "Corner Shop <hello@corner.example>"}
    if sinks is not None:
        where |= {"smtp_port": sinks.smtp_port, "push_url": sinks.push_url}
    return make_settings(delivery={**where, **delivery})


def deliver(engine: Engine, settings: Settings, as_of: datetime = NINE, **arguments: Any) -> DeliverySummary:
    return deliver_due_messages(engine, settings, **{"as_of": as_of, "since": None, "worker": "test", **arguments})


def arrivals(sinks: Sinks) -> list[str]:
    """Message ids at both sinks, one for each arrival, a repeated one repeated."""
    mails = [mail["X-Lamplighter-Message"] for mail in sinks.mails()]
    return sorted(mails + [push["idempotency_key"] for push in sinks.pushes()])
