"""The global holdout: a share of customers who get no message of any campaign for a term."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
from sqlalchemy import Connection, text

from include.db.sql import statement
from include.scheduling.assignment import hash_shares
from include.settings import SchedulingSettings


def assign_holdout(
    connection: Connection,
    scheduling: SchedulingSettings,
    customer_ids: Sequence[str],
    *,
    business_date: date,
    send_date: date,
) -> frozenset[str]:
    """Everyone held out on ``send_date``; members new on ``business_date`` are added to ``holdouts``.

    A member stays until released, also when the share is lowered; a released member does not come back in the same
    term. A new salt begins a new term and releases the members of the former ones from ``send_date`` on.
    """
    term = {"holdout_id": scheduling.holdout_salt, "business_date": business_date, "send_date": send_date}
    shares = hash_shares(scheduling.holdout_salt, customer_ids)
    members = [customer_ids[place] for place in np.flatnonzero(shares < scheduling.holdout_share).tolist()]
    connection.execute(
        text(
            "update marketing.holdouts set released_on = :send_date "
            "where holdout_id <> :holdout_id and released_on is null"
        ),
        term,
    )
    connection.execute(statement(__file__, "add_holdout_members"), term | {"customer_ids": members})
    held_out = connection.execute(
        text(
            "select customer_id from marketing.holdouts where holdout_id = :holdout_id "
            "and assigned_on <= :business_date and (released_on is null or released_on > :send_date)"
        ),
        term,
    )
    return frozenset(held_out.scalars())
