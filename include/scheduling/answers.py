"""What a person answered for a campaign, carried out on the messages that waited for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from include.db.sql import statement
from include.db.tables import AWAITING_APPROVAL


@dataclass(frozen=True)
class Settled:
    """Messages of a night by what the answers given so far made of them."""

    released: int
    cancelled: int
    still_awaiting: int


def settle_answers(connection: Connection, business_date: date) -> Settled:
    """Plan or cancel the messages of the night whose campaign has its answer, within the caller's transaction."""
    states = Counter(
        connection.execute(statement(__file__, "settle_answers"), {"business_date": business_date}).scalars()
    )
    still_awaiting = connection.execute(
        text("select count(*) from marketing.messages where business_date = :business_date and state = :state"),
        {"business_date": business_date, "state": AWAITING_APPROVAL},
    ).scalar_one()
    return Settled(states["planned"], states["cancelled"], still_awaiting)
