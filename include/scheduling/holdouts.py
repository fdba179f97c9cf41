"""The global holdout: a share of customers who get no message of any campaign for a term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from sqlalchemy import Connection, text

from include.db.sql import statement
from include.scheduling.assignment import hash_shares
from include.settings import SchedulingSettings


@dataclass(frozen=True)
class Holdout:
    """Who is held out on a send date. holdout_id: the salt that names the term, empty if none was in force."""

    holdout_id: str
    members: frozenset[str]


@dataclass(frozen=True)
class _Term:
    holdout_id: str
    started_on: date
    released_on: date | None


def assign_holdout(
    connection: Connection,
    scheduling: SchedulingSettings,
    customer_ids: Sequence[str],
    *,
    business_date: date,
    send_date: date,
) -> Holdout:
    """Everyone held out on ``send_date``; members new on ``business_date`` are added to ``holdouts``.

    A member stays until released, also when the share is lowered; a released member does not come back in the same
    term. A new salt begins a new term and releases the members of the former ones from ``send_date`` on. A night of the
    past is held to what is stored of the term in force then, whatever the settings say by now.
    Raises ValueError for a salt whose term is over.
    """
    night = {"business_date": business_date, "send_date": send_date}
    terms = [_Term(*row) for row in connection.execute(statement(__file__, "holdout_terms"))]
    term = _stored_term(connection, terms, scheduling.holdout_salt, business_date, send_date)
    if term is None:
        term = scheduling.holdout_salt
        _take_in(connection, scheduling, customer_ids, night)
    members = connection.execute(
        text(
            "select customer_id from marketing.holdouts where holdout_id = :holdout_id "
            "and assigned_on <= :business_date and (released_on is null or released_on > :send_date)"
        ),
        night | {"holdout_id": term},
    ).scalars()
    return Holdout(term, frozenset(members))


def _stored_term(
    connection: Connection, terms: list[_Term], salt: str, business_date: date, send_date: date
) -> str | None:
    """The term whose members are known and stay as they are; None: that of ``salt``, which may take in more."""
    if not terms:
        return None
    of_salt = next((term for term in terms if term.holdout_id == salt), None)
    begun = [term for term in terms if term.started_on <= business_date]
    # Before the only term there is no other one that its members' first day could be moved back past.
    if of_salt is terms[-1] and (len(begun) == len(terms) or len(terms) == 1):
        if of_salt.released_on is None:
            return None
        if of_salt.released_on > send_date:
            return salt
    elif len(begun) < len(terms) or _was_followed(connection, business_date):
        return begun[-1].holdout_id if begun else ""
    if of_salt is not None:
        raise ValueError(
            f"the holdout term {salt!r} was released on {of_salt.released_on}, and whom it held out may have been "
            "messaged since: give scheduling.holdout_salt a new name"
        )
    return None


def _was_followed(connection: Connection, business_date: date) -> bool:
    """Whether a later night was decided already: it knows the terms as they are."""
    return connection.execute(
        text("select exists (select from marketing.message_decisions where business_date > :business_date)"),
        {"business_date": business_date},
    ).scalar_one()


def _take_in(
    connection: Connection, scheduling: SchedulingSettings, customer_ids: Sequence[str], night: dict[str, date]
) -> None:
    shares = hash_shares(scheduling.holdout_salt, customer_ids)
    members = [customer_ids[place] for place in np.flatnonzero(shares < scheduling.holdout_share).tolist()]
    term = night | {"holdout_id": scheduling.holdout_salt}
    connection.execute(
        text(
            "update marketing.holdouts set released_on = :send_date "
            "where holdout_id <> :holdout_id and released_on is null"
        ),
        term,
    )
    connection.execute(statement(__file__, "add_holdout_members"), term | {"customer_ids": members})
