"""The morning report as plain text: what a console shows of one business date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, func, select, text

from include.db.tables import EVERY_CAMPAIGN, NEXT_PURCHASE, metadata
from include.reporting.choice_data import choice_worth
from include.reporting.formats import (
    channel_label,
    decision_label,
    money,
    number,
    percent,
    points,
    policy_label,
    score,
)
from include.settings import Settings

MODEL_ROWS = (
    ("served", "what is served"),
    ("als", "ALS alone"),
    ("own_frequency", "own frequency"),
    ("popularity", "popularity"),
)

ENDED_CAMPAIGNS = text(
    "select campaign_id from marketing.campaign_results inner join marketing.campaigns using (campaign_id) "
    "where business_date = :date and ends_on < :date group by campaign_id"
)


def morning_report(engine: Engine, settings: Settings, *, business_date: date) -> str:
    """The figures of ``business_date`` as lines of text, about a hundred characters wide.

    Reads what ``compute_reports`` and the stages before it wrote; a section without rows says so. Campaigns
    that ended before the date are only counted. Money in ``settings.currency``, intervals at
    ``settings.reporting.confidence``.
    """
    with engine.connect() as connection:
        sections = (
            _heading(connection, settings, business_date),
            _sent(connection, business_date),
            _bought(connection, settings, business_date),
            _lift(connection, settings, business_date),
            _roi(connection, settings, business_date),
            _choice(connection, business_date),
            _model(connection, business_date),
            _decisions(connection, business_date),
            _quality(connection, business_date),
            _table_sizes(connection),
        )
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _heading(connection: Connection, settings: Settings, business_date: date) -> list[str]:
    lines = [f"Morning report for {business_date:%A} {business_date.isoformat()} ({settings.business_time_zone})"]
    lines.append("=" * len(lines[0]))
    generated = connection.execute(
        text(
            "select exists (select from marketing.campaign_results where business_date = :date and includes_generated)"
            " or exists (select from marketing.campaign_lift where business_date = :date and includes_generated)"
        ),
        {"date": business_date},
    ).scalar_one()
    if generated:
        lines.append("Figures marked * include reactions made by a generator, not by people.")
    ended = len(connection.execute(ENDED_CAMPAIGNS, {"date": business_date}).all())
    if ended:
        lines.append(f"Campaigns that have ended are left out here ({ended}); see marketing.campaign_results.")
    lines.append(f"Intervals in brackets are at {settings.reporting.confidence:.0%}, with the customer as the unit.")
    return lines


def _sent(connection: Connection, business_date: date) -> list[str]:
    rows = _campaign_rows(
        connection,
        "select * from marketing.campaign_results where business_date = :date and sent > 0 "
        "order by campaign_id, channel = 'all', channel",
        business_date,
    )
    header = ("campaign", "channel", "sent", "delivered", "opened", "clicked", "click rate", "unsubscribed", "bounced")
    cells = [
        (
            row["campaign_id"] + _mark(row),
            channel_label(row["channel"]),
            *(number(row[column]) for column in ("sent", "delivered", "opened", "clicked")),
            _rate(row["click_rate"]) + _between(_rate, row["click_rate_low"], row["click_rate_high"]),
            number(row["unsubscribed"]),
            number(row["bounced"]),
        )
        for row in rows
    ]
    return _section("Messages sent so far", header, cells, "nothing was sent")


def _bought(connection: Connection, settings: Settings, business_date: date) -> list[str]:
    rows = _campaign_rows(
        connection,
        "select * from marketing.campaign_results where business_date = :date and channel = 'all' "
        "order by campaign_id, arm desc",
        business_date,
    )
    header = ("campaign", "arm", "customers", "orders", "revenue", "margin")
    cells = [
        (
            row["campaign_id"] + _mark(row),
            row["arm"],
            number(row["assigned"]),
            number(row["orders"]),
            money(row["revenue"], settings.currency),
            money(row["margin"], settings.currency),
        )
        for row in rows
    ]
    return _section("Purchases of everyone assigned, since their assignment", header, cells, "nobody is assigned yet")


def _lift(connection: Connection, settings: Settings, business_date: date) -> list[str]:
    rows = _campaign_rows(
        connection,
        "select * from marketing.campaign_lift where business_date = :date and metric = 'margin_per_customer' "
        "order by campaign_id <> 'all', campaign_id",
        business_date,
    )

    def amount(value: Any) -> str:
        return money(value, settings.currency, 2)

    header = ("campaign", "against", "treated", "mean", "control", "mean", "difference", "verdict")
    cells = [
        (
            row["campaign_id"] + _mark(row),
            "global holdout" if row["campaign_id"] == EVERY_CAMPAIGN else "its control",
            number(row["treated_n"]),
            amount(row["treated_mean"]),
            number(row["control_n"]),
            amount(row["control_mean"]),
            amount(row["difference"]) + _between(amount, row["ci_low"], row["ci_high"]),
            row["verdict"],
        )
        for row in rows
    ]
    return _section("Lift in margin per customer", header, cells, "nothing to compare yet")


def _roi(connection: Connection, settings: Settings, business_date: date) -> list[str]:
    rows = _campaign_rows(
        connection,
        "select * from marketing.campaign_roi where business_date = :date order by campaign_id <> 'all', campaign_id",
        business_date,
    )
    header = ("campaign", "cost", "incremental margin", "ROI", "last-touch revenue (not causal)", "verdict")
    cells = [
        (
            row["campaign_id"] + _mark(row),
            money(row["cost"], settings.currency, 2),
            money(row["incremental_margin"], settings.currency, 2),
            percent(row["roi"], 0) + _between(lambda value: percent(value, 0), row["roi_low"], row["roi_high"]),
            money(row["attributed_revenue"], settings.currency, 2),
            row["verdict"],
        )
        for row in rows
    ]
    return _section("Return on what was spent", header, cells, "nothing to report yet")


def _choice(connection: Connection, business_date: date) -> list[str]:
    worth = choice_worth(connection, business_date)
    header = ("channel and hour", "click rate", "our choice gains", "in words")
    cells = [
        (
            policy_label(one.policy, one.estimator) + ("*" if worth and worth.includes_generated else ""),
            _rate(one.click_rate.value) + _between(_rate, one.click_rate.low, one.click_rate.high),
            points(one.gain.value) + _between(points, one.gain.low, one.gain.high),
            one.verdict,
        )
        for one in (worth.shown if worth else ())
    ]
    title = "What the choice of hour is worth (clicks per message, on the same messages)"
    return _section(title, header, cells, "no night has valued it yet")


def _model(connection: Connection, business_date: date) -> list[str]:
    rows = _rows(
        connection,
        "select * from marketing.models where business_date <= :date and status in ('champion', 'retired') "
        "and algorithm <> 'proposal' order by business_date desc, status, model_id limit 1",
        business_date,
    )
    if not rows:
        return ["Recommender", "  no model has been promoted yet"]
    model = rows[0]
    measured = model["metrics"].get(NEXT_PURCHASE, {})
    cells = [
        (label, score(found.get("ndcg@10")) + _between(score, found.get("low"), found.get("high")))
        for name, label in MODEL_ROWS
        if isinstance(found := measured.get(name), dict)
    ]
    title = f"Recommender {model['model_id']} ({model['algorithm']}): nDCG@10 of the next purchases on later days"
    return [*_section(title, ("list", "nDCG@10"), cells, "not measured"), f"  {model['reason']}"]


def _decisions(connection: Connection, business_date: date) -> list[str]:
    rows = _rows(
        connection,
        "select campaign_id, decision, count(*) as customers from marketing.message_decisions "
        "where business_date = :date group by campaign_id, decision order by campaign_id, customers desc, decision",
        business_date,
    )
    cells = [(row["campaign_id"], decision_label(row["decision"]), number(row["customers"])) for row in rows]
    header = ("campaign", "decision", "customers")
    return _section("Decisions of the night", header, cells, "no campaign is in force")


def _quality(connection: Connection, business_date: date) -> list[str]:
    counts = _rows(
        connection,
        "select table_name, count(*) as checks, count(*) filter (where not success) as failed "
        "from marketing.quality_results where business_date = :date group by table_name order by table_name",
        business_date,
    )
    failures = _rows(
        connection,
        "select severity, table_name, message from marketing.quality_results "
        "where business_date = :date and not success order by severity, table_name, expectation, column_name",
        business_date,
    )
    cells = [
        (row["table_name"], number(row["checks"]), number(row["checks"] - row["failed"]), number(row["failed"]))
        for row in counts
    ]
    lines = _section("Data quality", ("table", "checks", "passed", "failed"), cells, "no check ran for this date")
    return [*lines, *(f"  {row['severity']}: {row['table_name']}: {row['message']}" for row in failures)]


def _table_sizes(connection: Connection) -> list[str]:
    cells = [
        (table.name, number(connection.execute(select(func.count()).select_from(table)).scalar_one()))
        for table in sorted(metadata.tables.values(), key=lambda table: table.name)
    ]
    return _section("Rows in every table", ("table", "rows"), cells, "no table")


def _rows(connection: Connection, query: str, business_date: date) -> list[RowMapping]:
    return list(connection.execute(text(query), {"date": business_date}).mappings())


def _campaign_rows(connection: Connection, query: str, business_date: date) -> list[RowMapping]:
    """Rows of the campaigns that had not ended, and of all together."""
    ended = set(connection.execute(ENDED_CAMPAIGNS, {"date": business_date}).scalars())
    return [row for row in _rows(connection, query, business_date) if row["campaign_id"] not in ended]


def _rate(value: float | None) -> str:
    return percent(value, 2)


def _mark(row: RowMapping) -> str:
    return "*" if row["includes_generated"] else ""


def _between(form: Any, low: Any, high: Any) -> str:
    return "" if low is None or high is None else f" [{form(low)}, {form(high)}]"


def _section(title: str, header: Sequence[str], cells: Iterable[Sequence[str]], nothing: str) -> list[str]:
    """A titled table, its columns aligned: names to the left, figures to the right."""
    cells = list(cells)
    if not cells:
        return [title, f"  {nothing}"]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    is_figure = [all(_starts_as_figure(cell) for cell in column) for column in zip(*cells, strict=True)]
    return [
        title,
        *(
            "  "
            + "  ".join(
                cell.rjust(width) if figure else cell.ljust(width)
                for cell, width, figure in zip(row, widths, is_figure, strict=True)
            ).rstrip()
            for row in (header, *cells)
        ),
    ]


def _starts_as_figure(cell: str) -> bool:
    return cell.lstrip("−–$€£+")[:1].isdigit() or cell == "–"
