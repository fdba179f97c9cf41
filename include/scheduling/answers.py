"""What a person is asked and answered about a campaign's plan, carried out on the messages that wait for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from include.db.sql import statement
from include.db.tables import AWAITING_APPROVAL
from include.scheduling.preview import read_previews
from include.settings import Settings


@dataclass(frozen=True)
class Settled:
    """Messages of a night by what the answers given so far made of them."""

    released: int
    cancelled: int
    still_awaiting: int
    not_approved: int
    """Decisions: of a campaign's two messages to a customer there is one."""


def ask_about_plan(connection: Connection, settings: Settings, business_date: date) -> None:
    """Write what is to be asked about the night as it is planned now, within the caller's transaction.

    Each campaign with messages that await approval gets a row ``waiting`` of ``campaign_approvals``, by the key of its
    preview, or keeps the row, and the answer, that this very plan got before. A campaign that was refused, or timed
    out, stays so for the night.
    """
    retired = connection.execute(statement(__file__, "retire_answers"), {"business_date": business_date}).rowcount
    if not retired and not _still_awaiting(connection, business_date):
        return
    for preview in read_previews(connection, settings, business_date)[1:]:
        connection.execute(
            statement(__file__, "ask_about_plan"),
            {
                "business_date": business_date,
                "campaign_id": preview.campaign_id,
                "preview_key": preview.key,
                "preview": json.dumps(preview.as_json()),
                "is_awaiting": preview.awaiting_approval > 0,
            },
        )


def settle_answers(connection: Connection, business_date: date) -> Settled:
    """Plan or cancel the messages of the night whose plan has its answer, within the caller's transaction."""
    row = connection.execute(statement(__file__, "settle_answers"), {"business_date": business_date}).one()
    return Settled(row.released, row.cancelled, _still_awaiting(connection, business_date), row.not_approved)


def _still_awaiting(connection: Connection, business_date: date) -> int:
    """Messages."""
    return connection.execute(
        text("select count(*) from marketing.messages where business_date = :business_date and state = :state"),
        {"business_date": business_date, "state": AWAITING_APPROVAL},
    ).scalar_one()
