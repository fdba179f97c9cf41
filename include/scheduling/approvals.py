"""Campaigns that a person must approve: the question, what the person is shown, and the answer."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, Engine, text

from include.db.locks import lock
from include.db.sql import statement
from include.db.tables import APPROVED, AWAITING_APPROVAL, REFUSED, TIMED_OUT, WAITING
from include.scheduling.answers import settle_answers
from include.scheduling.plan import LOCK_NAME
from include.scheduling.preview import Preview, preview_from, read_previews
from include.scheduling.question import question_body, question_subject
from include.settings import Settings

logger = logging.getLogger(__name__)

ANSWERS = (APPROVED, REFUSED, TIMED_OUT)


@dataclass(frozen=True)
class CampaignsToApprove:
    """What ``find_campaigns_to_approve`` found."""

    business_date: str
    previews: dict[str, str]
    """Of each campaign that waits for an answer, by its id: the key of what is to be shown."""
    messages: int
    """Their messages."""


class QuestionOutdated(Exception):
    """The plan is another one by now, or was answered: what this question shows no longer holds."""


@dataclass(frozen=True)
class Question:
    """What a person is asked about one campaign of one night."""

    campaign_id: str
    subject: str = field(repr=False)
    body: str = field(repr=False)
    """Markdown."""
    hours: float
    """How long an answer is waited for."""


@dataclass(frozen=True)
class ApprovalSummary:
    """What ``record_approval`` made of an answer."""

    campaign_id: str
    status: str
    """The answer that holds: an earlier one, if there was one; still waiting, if another plan was asked about."""
    messages_released: int
    messages_cancelled: int


def find_campaigns_to_approve(engine: Engine, settings: Settings, *, business_date: date) -> CampaignsToApprove:
    """Write a row ``waiting`` of ``campaign_approvals`` for each campaign with messages of the night that await it.

    The row holds the preview (``include.scheduling.preview``) as the plan is now. A campaign that was answered keeps
    its row; one whose messages are gone from a later plan loses its question.
    """
    with engine.begin() as connection:
        lock(connection, LOCK_NAME)
        waiting = [
            preview
            for preview in read_previews(connection, settings, business_date, states=[AWAITING_APPROVAL])[1:]
            if preview.messages
        ]
        connection.execute(
            statement(__file__, "forget_questions"),
            {"business_date": business_date, "campaign_ids": [preview.campaign_id for preview in waiting]},
        )
        for preview in waiting:
            connection.execute(
                statement(__file__, "ask_for_approval"),
                {
                    "business_date": business_date,
                    "campaign_id": preview.campaign_id,
                    "preview": json.dumps(preview.as_json()),
                },
            )
    return CampaignsToApprove(
        business_date=business_date.isoformat(),
        previews={preview.campaign_id: preview.key for preview in waiting},
        messages=sum(preview.messages for preview in waiting),
    )


def read_question(
    engine: Engine, settings: Settings, *, business_date: date, campaign_id: str, preview: str
) -> Question:
    """The open question about a campaign; preview: its key, from ``find_campaigns_to_approve``.

    Raises QuestionOutdated when it was answered, or the plan is no longer the one of that preview.
    """
    with engine.connect() as connection:
        asked = _asked(connection, business_date, campaign_id)
    if asked is None or asked.status != WAITING or asked.preview.key != preview:
        raise QuestionOutdated(f"campaign {campaign_id} of {business_date}: the plan has changed, or it was answered")
    return Question(
        campaign_id=campaign_id,
        subject=question_subject(asked.preview),
        body=question_body(asked.preview, settings),
        hours=settings.scheduling.approval_hours,
    )


def record_approval(
    engine: Engine,
    settings: Settings,
    *,
    business_date: date,
    campaign_id: str,
    preview: str,
    status: str,
    answered_by: str | None,
    answered_at: datetime,
) -> ApprovalSummary:
    """Write the answer and carry it out, in one transaction: the campaign's messages that await it go or do not.

    preview: key of what the person was shown. If the plan has changed since, nothing is done: the campaign waits for
    the answer to another question. status: approved, refused or timed_out. Approved, they are planned; those whose hour
    is over by then leave with the next delivery as long as they may, and lose their probability, since their hour is
    not the one drawn. Else they are cancelled, and their decisions become ``not_approved``. The first answer holds:
    another one later changes nothing.
    Raises ValueError for another status, and when nobody was asked about the campaign.
    """
    if status not in ANSWERS:
        raise ValueError(f"{status!r} is no answer; choose from: {', '.join(ANSWERS)}")
    with engine.begin() as connection:
        lock(connection, LOCK_NAME)
        asked = _asked(connection, business_date, campaign_id)
        if asked is None:
            raise ValueError(
                f"nobody was asked about campaign {campaign_id} of {business_date}, or the night is being planned anew"
            )
        if asked.status == WAITING and asked.preview.key != preview:
            logger.warning("Campaign %s of %s: the plan has changed since; not carried out", campaign_id, business_date)
            return ApprovalSummary(campaign_id, WAITING, 0, 0)
        held = connection.execute(
            statement(__file__, "record_answer"),
            {
                "business_date": business_date,
                "campaign_id": campaign_id,
                "status": status,
                "answered_by": answered_by,
                "answered_at": answered_at,
            },
        ).scalar_one()
        settled = settle_answers(connection, business_date)
    if held != status:
        logger.warning("Campaign %s of %s was %s before; %s comes too late", campaign_id, business_date, held, status)
    return ApprovalSummary(campaign_id, held, settled.released, settled.cancelled)


@dataclass(frozen=True)
class _Asked:
    status: str
    preview: Preview


def _asked(connection: Connection, business_date: date, campaign_id: str) -> _Asked | None:
    row = connection.execute(
        text(
            "select status, preview from marketing.campaign_approvals"
            " where business_date = :business_date and campaign_id = :campaign_id"
        ),
        {"business_date": business_date, "campaign_id": campaign_id},
    ).one_or_none()
    return None if row is None else _Asked(row.status, preview_from(row.preview))
