"""The outbox: planned messages in Postgres, as one delivery run claims them and records what became of each.

How a message is never sent twice:

- A run holds a session advisory lock on its worker's name, and does everything here over that one session. If the
  session is lost, so are the lock and the run's means to claim or record anything further: it stops.
- ``claim`` commits ``sending`` before any network call. Nothing but ``planned`` is ever claimed.
- Claims are sent in order of (send_at, message_id), and each outcome is committed before the next is begun. So of what
  a killed run leaves in ``sending``, only the first can have reached the network. Whoever finds the lock of that
  worker's name free marks that first one ``unknown``, for a person to judge, and puts the others back.

The lock belongs to the session, so a connection pooler in front of Postgres must work in session mode. When a worker's
host vanishes without closing its connection, its claims stay ``sending`` until Postgres notices (tcp_keepalives_idle).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg2 import errors
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from include.db.locks import lock_session
from include.db.sql import statement

logger = logging.getLogger(__name__)

LOCK_WAIT = "5s"
"""How long a run waits for its own name; another run looks after orphans for milliseconds."""

WORKER_LOCK = "lamplighter.delivery.worker."
"""Before a worker's name, the name of the lock it holds."""

ORPHANED = (
    "The outcome is unknown: the delivery run stopped between handing this message over and recording the answer. "
    "Look it up at the provider by its message id; it is not sent again unless you set it back to 'planned'. Run: "
)


@dataclass(frozen=True)
class ClaimedMessage:
    """A message this run has in its hands, state ``sending``."""

    message_id: str
    campaign_id: str
    customer_id: str
    channel: str
    business_date: date
    send_at: datetime
    not_after: datetime
    attempts: int
    """This attempt included."""
    content: dict[str, Any]
    address: str
    address_hash: str


@dataclass(frozen=True)
class Batch:
    """Messages claimed at once, in sending order, and how many more were cancelled instead."""

    messages: list[ClaimedMessage]
    cancelled: int
    items: dict[str, dict[str, Any]]
    """Rows of ``items`` by item_id: what the messages recommend, and the items that are their reasons."""


class Outbox:
    """What one worker does to ``messages``; made by ``open_outbox``, which holds the worker's lock."""

    def __init__(self, connection: Connection, worker: str) -> None:
        self._connection = connection
        self._worker = worker

    def settle_orphans(self) -> tuple[int, int]:
        """Close what dead workers left in ``sending``: (now unknown, back to planned)."""
        with self._connection.begin():
            gone = list(
                self._connection.execute(
                    statement(__file__, "find_orphaned_workers"), {"worker_lock": WORKER_LOCK}
                ).scalars()
            )
            if not gone:
                return 0, 0
            settled = self._connection.execute(
                statement(__file__, "settle_orphaned_messages"), {"workers": gone, "error": ORPHANED}
            ).all()
        unknown = [row.message_id for row in settled if row.state == "unknown"]
        logger.warning(
            "%s delivery runs ended before their time; outcome unknown: %s; put back: %s",
            len(gone),
            ", ".join(unknown) or "none",
            len(settled) - len(unknown),
        )
        return len(unknown), len(settled) - len(unknown)

    def expire(self, as_of: datetime) -> int:
        """Mark what is planned, or awaits approval, and past its ``not_after`` at ``as_of``; returns messages."""
        with self._connection.begin():
            return self._connection.execute(statement(__file__, "expire_messages"), {"as_of": as_of}).rowcount

    def claim(self, as_of: datetime, *, channels: Sequence[str], postponed: Sequence[str], batch_size: int) -> Batch:
        """Take up to ``batch_size`` messages due at ``as_of`` and commit them as ``sending``.

        postponed: message ids to leave for a later instant, since they were tried at this one.
        """
        with self._connection.begin():
            rows = self._connection.execute(
                statement(__file__, "claim_due_messages"),
                {
                    "as_of": as_of,
                    "channels": list(channels),
                    "postponed": list(postponed),
                    "batch_size": batch_size,
                    "worker": self._worker,
                },
            ).all()
            claimed = [
                ClaimedMessage(
                    message_id=row.message_id,
                    campaign_id=row.campaign_id,
                    customer_id=row.customer_id,
                    channel=row.channel,
                    business_date=row.business_date,
                    send_at=row.send_at,
                    not_after=row.not_after,
                    attempts=row.attempts,
                    content=row.content,
                    address=row.address,
                    address_hash=row.address_hash,
                )
                for row in rows
                if row.state == "sending"
            ]
            items = self._items_of(claimed)
        # The order settle_orphaned_messages counts on: code points, as the collation "C".
        claimed.sort(key=lambda message: (message.send_at, message.message_id))
        return Batch(claimed, cancelled=len(rows) - len(claimed), items=items)

    def _items_of(self, messages: Sequence[ClaimedMessage]) -> dict[str, dict[str, Any]]:
        wanted = {
            item_id
            for message in messages
            for entry in message.content.get("items", [])
            for item_id in (entry.get("item_id"), entry.get("reason_item_id"))
            if item_id
        }
        if not wanted:
            return {}
        rows = self._connection.execute(
            text(
                "select item_id, title, category, brand, price, currency, url, image_url, in_stock"
                " from marketing.items where item_id = any(:item_ids)"
            ),
            {"item_ids": sorted(wanted)},
        )
        return {row["item_id"]: dict(row) for row in rows.mappings()}

    def record(
        self,
        message: ClaimedMessage,
        state: str,
        *,
        sent_at: datetime | None = None,
        error: str | None = None,
        attempted: bool = True,
        suppress_since: datetime | None = None,
    ) -> None:
        """Commit what became of ``message``; with ``suppress_since``, also that its address is not to be used again.

        attempted: false for a message that was not at fault, or not tried at all; then it costs it no attempt.
        Raises RuntimeError when the message is no longer this run's.
        """
        with self._connection.begin():
            recorded = self._connection.execute(
                statement(__file__, "record_outcome"),
                {
                    "message_id": message.message_id,
                    "worker": self._worker,
                    "state": state,
                    "sent_at": sent_at,
                    "error": error,
                    "attempts_not_made": 0 if attempted else 1,
                },
            ).rowcount
            if suppress_since is not None:
                self._connection.execute(
                    statement(__file__, "suppress_address"),
                    {
                        "address_hash": message.address_hash,
                        "channel": message.channel,
                        "reason": "hard_bounce",
                        "since": suppress_since,
                    },
                )
        if recorded != 1:
            raise RuntimeError(
                f"message {message.message_id} was to be recorded as {state}, but it is no longer held by "
                f"{self._worker}: somebody else changed its row in marketing.messages during the run"
            )


@contextmanager
def open_outbox(engine: Engine, worker: str) -> Iterator[Outbox]:
    """An outbox for ``worker`` while its name's lock is held.

    Raises RuntimeError when a run of the same name is still at work.
    """
    with engine.connect() as connection:
        connection.execution_options(isolation_level="READ COMMITTED")
        # Not given back to the pool, where the lock would outlive the run.
        connection.detach()
        try:
            with connection.begin():
                connection.execute(text("select set_config('lock_timeout', :wait, true)"), {"wait": LOCK_WAIT})
                lock_session(connection, WORKER_LOCK + worker)
        except OperationalError as error:
            if isinstance(error.orig, errors.LockNotAvailable):
                raise RuntimeError(
                    f"a delivery run named {worker!r} is still at work: wait for it, or give this one another name"
                ) from error
            raise
        yield Outbox(connection, worker)
