"""What the pages show, read from the tables in one read-only snapshot; nothing here writes or knows HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from include.business_time import day_bounds
from include.db.sql import statement
from include.db.tables import EVERY_CAMPAIGN, MESSAGE_STATES, NEXT_PURCHASE
from include.reporting.choice_data import ChoiceWorth, choice_worth
from include.reporting.compute import MARGIN
from include.reporting.estimates import Estimate
from include.reporting.statistics import Ratio, rate_interval, wilson_interval
from include.settings import Settings

NIGHTS_SHOWN = 7
HOUR_WINDOW_DAYS = 28
"""The click rate by hour looks back this many days, so that its query stays small as history grows."""
STATE_ORDER = ("sent", *(state for state in MESSAGE_STATES if state != "sent"))

CAMPAIGN_ROI = text(
    "select * from marketing.campaign_roi where campaign_id = :campaign_id and business_date = :business_date"
)
LATEST_RESULTS = text("select max(business_date) from marketing.campaign_results")
LATEST_DECISIONS = text("select max(business_date) from marketing.message_decisions")
MARGIN_LIFT = text(
    "select * from marketing.campaign_lift "
    "where campaign_id = :campaign_id and business_date = :business_date and metric = :metric"
)
DECISION_COUNTS = text(
    "select decision, count(*) as customers from marketing.message_decisions "
    "where business_date = :business_date group by decision order by customers desc, decision"
)


@dataclass(frozen=True)
class Campaign:
    """A campaign's treated customers over all channels, up to the end of the reported date."""

    campaign_id: str
    name: str
    running: bool
    """Not past its last day; a former tool's campaigns mostly are."""
    assigned: int
    sent: int
    clicked: int
    unsubscribed: int
    click_rate: Estimate
    roi: Estimate
    incremental_margin: Decimal | None
    cost: Decimal | None
    verdict: str | None
    includes_generated: bool


@dataclass(frozen=True)
class HourRate:
    """Messages planned for one local hour (0 to 23) and the share of them that was clicked."""

    hour: int
    sent: int
    click_rate: Estimate
    includes_generated: bool


@dataclass(frozen=True)
class Headline:
    """The whole of the marketing, in a line: rates of the running campaigns, ROI and margin from the global holdout."""

    sent: int
    click_rate: Estimate
    unsubscribe_rate: Estimate
    incremental_margin: Estimate
    margin_verdict: str | None
    cost: Decimal | None
    """Of all that was sent to the customers compared with the holdout, in the shop's currency."""
    roi: Estimate
    roi_verdict: str | None
    includes_generated: bool
    """Of the margin; the counts' own marks stand with the campaigns."""


@dataclass(frozen=True)
class ModelScore:
    """nDCG@10 of the lists that are served, beside what they must beat; ``low`` and ``high`` of the served."""

    served: Estimate
    own_frequency: float | None
    popularity: float | None


@dataclass(frozen=True)
class Night:
    business_date: date
    checks: int
    critical_failures: int
    warnings: int
    critical_messages: tuple[str, ...]
    rows_landed: int
    rows_quarantined: int
    model_id: str | None
    model_status: str | None
    model_reason: str | None
    score: ModelScore | None
    recommendations: int
    messages_by_state: Mapping[str, int]

    @property
    def stopped(self) -> bool:
        return self.critical_failures > 0


@dataclass(frozen=True)
class Morning:
    """Everything on the first page. ``results_date`` is None until a night has been reported."""

    results_date: date | None
    headline: Headline | None
    campaigns: Sequence[Campaign]
    """Those running on the results' date; if none is, those that have ended."""
    ended: Sequence[Campaign]
    """Campaigns that have ended, where others run."""
    hours: Sequence[HourRate]
    choice: ChoiceWorth | None
    """None until a night has valued it."""
    decisions_date: date | None
    decisions: Mapping[str, int]
    nights: Sequence[Night]
    includes_generated: bool


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection whose statements all see one moment and cannot write."""
    with engine.connect() as connection:
        yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def morning(engine: Engine, settings: Settings) -> Morning:
    """Figures of the latest reported date and the last nights."""
    with snapshot(engine) as connection:
        results_date = connection.execute(LATEST_RESULTS).scalar_one()
        every = _campaigns(connection, results_date) if results_date else []
        campaigns = [campaign for campaign in every if campaign.running] or every
        hours = _hours(connection, settings, results_date) if results_date else []
        choice = choice_worth(connection, results_date) if results_date else None
        headline = _headline(connection, settings, results_date, campaigns) if results_date else None
        decisions_date = connection.execute(LATEST_DECISIONS).scalar_one()
        return Morning(
            results_date=results_date,
            headline=headline,
            campaigns=campaigns,
            ended=[campaign for campaign in every if campaign not in campaigns],
            hours=hours,
            choice=choice,
            decisions_date=decisions_date,
            decisions=_decisions(connection, decisions_date) if decisions_date else {},
            nights=_nights(connection),
            includes_generated=bool(headline and headline.includes_generated)
            or any(campaign.includes_generated for campaign in every)
            or any(hour.includes_generated for hour in hours)
            or bool(choice and choice.includes_generated),
        )


def model_score(metrics: Mapping[str, Any] | None, purpose: str = NEXT_PURCHASE) -> ModelScore | None:
    """The scores of ``models.metrics``; None where the model was not evaluated."""
    methods = (metrics or {}).get(purpose)
    if not isinstance(methods, Mapping) or "ndcg@10" not in (methods.get("served") or {}):
        return None

    def value(method: str) -> float | None:
        return (methods.get(method) or {}).get("ndcg@10")

    served = methods["served"]
    return ModelScore(
        served=Estimate(served["ndcg@10"], served.get("low"), served.get("high")),
        own_frequency=value("own_frequency"),
        popularity=value("popularity"),
    )


def _campaigns(connection: Connection, business_date: date) -> list[Campaign]:
    rows = connection.execute(statement(__file__, "page_campaigns"), {"business_date": business_date})
    return [
        Campaign(
            campaign_id=row.campaign_id,
            name=row.name,
            running=row.running,
            assigned=row.assigned,
            sent=row.sent,
            clicked=row.clicked,
            unsubscribed=row.unsubscribed,
            click_rate=Estimate(row.click_rate, row.click_rate_low, row.click_rate_high),
            roi=Estimate(row.roi, row.roi_low, row.roi_high),
            incremental_margin=row.incremental_margin,
            cost=row.cost,
            verdict=row.verdict,
            includes_generated=row.includes_generated,
        )
        for row in rows
    ]


def _hours(connection: Connection, settings: Settings, business_date: date) -> list[HourRate]:
    zone = settings.business_time_zone
    since: datetime = day_bounds(business_date - timedelta(days=HOUR_WINDOW_DAYS - 1), zone)[0]
    rows = connection.execute(
        statement(__file__, "page_click_rate_by_hour"),
        {
            "since": since,
            "until": day_bounds(business_date, zone)[1],
            "default_zone": settings.customer_time_zone,
        },
    )
    return [HourRate(row.hour, int(row.sends), _clustered_rate(row, settings), row.includes_generated) for row in rows]


def _clustered_rate(sums: Row[Any], settings: Settings) -> Estimate:
    clicks_per_send = Ratio(
        sums.customers,
        numerator_sum=sums.clicks,
        numerator_sum_squares=sums.clicks_squares,
        denominator_sum=sums.sends,
        denominator_sum_squares=sums.sends_squares,
        cross_sum=sums.clicks_times_sends,
    )
    interval = rate_interval(clicks_per_send, settings.reporting.confidence)
    return Estimate(interval.value, interval.low, interval.high)


def _headline(
    connection: Connection, settings: Settings, business_date: date, campaigns: Sequence[Campaign]
) -> Headline:
    """Counts of ``campaigns``, and what the global holdout says of all campaigns together."""
    key = {"business_date": business_date, "campaign_id": EVERY_CAMPAIGN}
    lift = connection.execute(MARGIN_LIFT, key | {"metric": MARGIN}).one_or_none()
    roi = connection.execute(CAMPAIGN_ROI, key).one_or_none()
    sent = sum(campaign.sent for campaign in campaigns)
    clicked = sum(campaign.clicked for campaign in campaigns)
    unsubscribed = sum(campaign.unsubscribed for campaign in campaigns)
    confidence = settings.reporting.confidence
    return Headline(
        sent=sent,
        click_rate=_rate(clicked, sent, confidence),
        unsubscribe_rate=_rate(unsubscribed, sent, confidence),
        incremental_margin=_total(lift),
        margin_verdict=lift.verdict if lift else None,
        cost=roi.cost if roi else None,
        roi=Estimate(roi.roi, roi.roi_low, roi.roi_high) if roi else Estimate(),
        roi_verdict=roi.verdict if roi else None,
        includes_generated=any(row.includes_generated for row in (lift, roi) if row),
    )


def _rate(successes: int, trials: int, confidence: float) -> Estimate:
    if trials == 0:
        return Estimate()
    return Estimate(successes / trials, *wilson_interval(successes / trials, trials, confidence))


def _total(lift: Row[Any] | None) -> Estimate:
    """The difference per customer times the customers treated: what the marketing added in all."""
    if lift is None:
        return Estimate()
    per_customer = (lift.difference, lift.ci_low, lift.ci_high)
    return Estimate(*(None if bound is None else lift.treated_n * bound for bound in per_customer))


def _decisions(connection: Connection, business_date: date) -> dict[str, int]:
    rows = connection.execute(DECISION_COUNTS, {"business_date": business_date})
    return {row.decision: row.customers for row in rows}


def _nights(connection: Connection) -> list[Night]:
    rows = [
        (row, row.messages_by_state or {})
        for row in connection.execute(statement(__file__, "page_nights"), {"nights": NIGHTS_SHOWN})
    ]
    return [
        Night(
            business_date=row.business_date,
            checks=row.checks or 0,
            critical_failures=row.critical_failures or 0,
            warnings=row.warnings or 0,
            critical_messages=tuple(row.critical_messages or ()),
            rows_landed=row.rows_landed or 0,
            rows_quarantined=row.rows_quarantined or 0,
            model_id=row.model_id,
            model_status=row.model_status,
            model_reason=row.model_reason,
            score=model_score(row.metrics),
            recommendations=row.recommendations or 0,
            messages_by_state={state: by_state[state] for state in STATE_ORDER if state in by_state},
        )
        for row, by_state in rows
    ]
