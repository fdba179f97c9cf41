"""Which customers a shard holds: the first 8 bytes of sha256(customer_id), modulo the number of shards.

The split depends on ids and on how many shards there are, so a task of a shard finds its customers by itself.
"""

from __future__ import annotations

import hashlib
from datetime import date

from sqlalchemy import Connection, func, select

from include.db.tables import customer_features
from include.settings import Settings


def shard_count(connection: Connection, settings: Settings, business_date: date) -> int:
    """Shards of ``business_date``: as many as the setting says, but no more than customers, and at least one."""
    customers = connection.execute(
        select(func.count()).where(customer_features.c.business_date == business_date)
    ).scalar_one()
    return max(1, min(settings.recommender.shards, customers))


def shard_of(customer_id: str, shards: int) -> int:
    """The shard of a customer, 0 to ``shards`` − 1.

    >>> [shard_of(customer, 4) for customer in ("1", "2", "3")]
    [1, 2, 3]
    """
    return int.from_bytes(hashlib.sha256(customer_id.encode()).digest()[:8], "big") % shards
