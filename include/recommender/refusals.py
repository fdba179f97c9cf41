"""What is not to be listed for a customer: what was sent or recommended to them not long ago."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sqlalchemy import Connection, Row

from include.db.sql import statement
from include.recommender.learning import PURPOSES
from include.settings import RecommenderSettings


def read(
    connection: Connection, settings: RecommenderSettings, business_date: date, customers: pd.Index, items: pd.Index
) -> Mapping[str, csr_matrix]:
    """(customers, items) by purpose, of the customers in the temporary table shard_customers.

    Sent is what stands in a message of the last ``rest_days_after_sending`` that was sent or is on its way; listed
    what stood at the top of a published list of the last ``rest_days_after_listing``, for the same purpose.
    """
    refused = {}
    for purpose in PURPOSES:
        after_sending = getattr(settings.rest_days_after_sending, purpose)
        after_listing = getattr(settings.rest_days_after_listing, purpose)
        if not after_sending and not after_listing:
            continue
        rows = connection.execute(
            statement(__file__, "select_rested_items"),
            {
                "purpose": purpose,
                "sent_after": business_date - timedelta(days=after_sending),
                "listed_after": business_date - timedelta(days=after_listing),
                "business_date": business_date,
                "ranks": settings.rested_ranks,
            },
        ).all()
        refused[purpose] = _matrix(rows, customers, items)
    return refused


def _matrix(rows: Sequence[Row[Any]], customers: pd.Index, items: pd.Index) -> csr_matrix:
    found = pd.DataFrame(rows, columns=["customer_id", "item_id"], dtype=object)
    row, column = customers.get_indexer(pd.Index(found["customer_id"])), items.get_indexer(pd.Index(found["item_id"]))
    known = (row >= 0) & (column >= 0)
    made = csr_matrix(
        (np.ones(known.sum(), np.float32), (row[known], column[known])), shape=(len(customers), len(items))
    )
    made.sort_indices()
    return made
