"""Campaigns that a person must approve: the question, what the person is shown, and the answer."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, Engine

from include.db.locks import lock
from include.db.sql import statement
from include.db.tables import APPROVED, REFUSED, TIMED_OUT, WAITING
from include.scheduling.answers import settle_answers
from include.scheduling.plan import LOCK_NAME
from include.scheduling.preview import Preview, preview_from
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
    """It was answered, or its campaign was refused for the night: an answer would change nothing."""


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
    """The answer that holds for the plan that was asked about: an earlier one, if there was one."""
    messages_released: int
    messages_cancelled: int


def find_campaigns_to_approve(engine: Engine, settings: Settings, *, business_date: date) -> CampaignsToApprove:
    """The questions that ``schedule_messages`` left open about the plan as it is."""
    with engine.connect() as connection:
        waiting = connection.execute(statement(__file__, "find_questions"), {"business_date": business_date}).all()
    return CampaignsToApprove(
        business_date=business_date.isoformat(),
        previews={row.campaign_id: row.preview_key for row in waiting},
        messages=sum(row.messages for row in waiting),
    )


def read_question(
    engine: Engine, settings: Settings, *, business_date: date, campaign_id: str, preview: str
) -> Question:
    """The open question about a campaign; preview: its key, from ``find_campaigns_to_approve``.

    It is asked also when the night has been planned otherwise since, and may be planned so again. Raises
    QuestionOutdated when it was answered, or the campaign was refused for the night.
    """
    with engine.connect() as connection:
        asked = _asked(connection, business_date, campaign_id, preview)
    if asked is None or asked.status != WAITING or asked.is_refused:
        raise QuestionOutdated(f"campaign {campaign_id} of {business_date}: this plan was answered, or is none")
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
    """Write the answer and carry it out, in one transaction: the messages of that plan that await it go or do not.

    preview: key of what the person was shown. status: approved, refused or timed_out. Approved, the messages are
    planned; those whose hour is over by then leave with the next delivery as long as they may, and lose their
    probability, since their hour is not the one drawn. Else they are cancelled, and their decisions become
    ``not_approved``. If the night has been planned otherwise since, approval and timeout are kept for the plan they
    were given for, and hold should it come back; a refusal cancels what delivery has not taken up of any plan. The
    first answer about a plan holds: another one later changes nothing.
    Raises ValueError for another status, and when nobody was asked about this plan.
    """
    if status not in ANSWERS:
        raise ValueError(f"{status!r} is no answer; choose from: {', '.join(ANSWERS)}")
    plan = {"business_date": business_date, "campaign_id": campaign_id, "preview_key": preview}
    with engine.begin() as connection:
        lock(connection, LOCK_NAME)
        held = connection.execute(
            statement(__file__, "record_answer"),
            plan | {"status": status, "answered_by": answered_by, "answered_at": answered_at},
        ).scalar_one_or_none()
        if held is None:
            raise ValueError(f"nobody was asked about plan {preview} of campaign {campaign_id} of {business_date}")
        if held == REFUSED:
            connection.execute(statement(__file__, "refuse_night"), plan)
        asked = _asked(connection, business_date, campaign_id, preview)
        settled = settle_answers(connection, business_date)
    if held != status:
        logger.warning("Campaign %s of %s was %s before; %s comes too late", campaign_id, business_date, held, status)
    if asked is not None and not asked.is_current:
        logger.warning(
            "Campaign %s of %s is planned otherwise by now, or was refused; %s is kept for the plan that was shown",
            campaign_id,
            business_date,
            held,
        )
    return ApprovalSummary(campaign_id, held, settled.released, settled.cancelled)


@dataclass(frozen=True)
class _Asked:
    status: str
    is_current: bool
    is_refused: bool
    """For the night, by the answer to another plan or to this one."""
    preview: Preview


def _asked(connection: Connection, business_date: date, campaign_id: str, preview: str) -> _Asked | None:
    row = connection.execute(
        statement(__file__, "select_question"),
        {"business_date": business_date, "campaign_id": campaign_id, "preview_key": preview},
    ).one_or_none()
    return None if row is None else _Asked(row.status, row.is_current, row.is_refused, preview_from(row.preview))
