"""The pages' charts as Plotly figures. Pure: figures in, JSON-able dicts out.

Colours are the names of CSS variables: the browser fills them in, so that one figure serves light and dark.
Labels are escaped, since Plotly reads a few HTML tags in text.
"""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from include.reporting.choice_data import OURS, ChoiceWorth
from include.reporting.estimates import Estimate
from include.reporting.formats import channel_label, decision_label, policy_label
from include.reporting.page_data import Campaign, HourRate
from include.reporting.recommender_data import SERVED, ListFigures
from include.reporting.recommender_words import list_label
from include.reporting.verdicts import GAIN, LOSS

CAMPAIGNS_SHOWN = 10
LABEL_LENGTH = 28
SHORT_LABEL_LENGTH = 17
"""On a phone; the page's script swaps the labels."""
HOURS_NAMED = list(range(0, 24, 3))
ROW_HEIGHT = 34
"""Pixels per bar or interval of a horizontal chart."""

VERDICT_COLOURS = {GAIN: "var(--good)", LOSS: "var(--bad)"}
"""Any other verdict claims nothing, and is drawn so."""
LINES = [
    ("var(--accent)", "circle"),
    ("var(--warn)", "square"),
    ("var(--undecided)", "diamond"),
    ("var(--text)", "triangle-up"),
]
"""Colour and symbol of each line of a chart, over again from the fifth on."""

Figure = dict[str, Any]


def click_rate_by_campaign(campaigns: Sequence[Campaign]) -> Figure | None:
    """Click rate of each campaign with its interval, the busiest campaigns; None without any rate."""
    shown = [campaign for campaign in campaigns if campaign.click_rate.value is not None][:CAMPAIGNS_SHOWN]
    if not shown:
        return None
    names = [campaign.name for campaign in shown]
    figure = _intervals(names, [campaign.click_rate for campaign in shown], "var(--accent)", ".1%")
    figure.update_xaxes(tickformat=".1~%", rangemode="tozero")
    return _as_json(figure)


def roi_by_campaign(campaigns: Sequence[Campaign]) -> Figure | None:
    """Return on cost of each campaign with its interval, against the line where it pays; None without any figure."""
    shown = [campaign for campaign in campaigns if campaign.roi.has_interval][:CAMPAIGNS_SHOWN]
    if not shown:
        return None
    colours = [VERDICT_COLOURS.get(campaign.verdict or "", "var(--undecided)") for campaign in shown]
    figure = _intervals([campaign.name for campaign in shown], [campaign.roi for campaign in shown], colours, "+.0%")
    figure.add_vline(x=0, line={"color": "var(--line-strong)", "width": 1.5})
    figure.update_xaxes(tickformat="+.0~%")
    return _as_json(figure)


def click_rate_by_hour(hours: Sequence[HourRate]) -> Figure | None:
    """Click rate by the local hour of sending, each with its interval."""
    if not hours:
        return None
    figure = go.Figure(
        go.Scatter(
            x=[hour.hour for hour in hours],
            y=[hour.click_rate.value for hour in hours],
            error_y=_whiskers([hour.click_rate for hour in hours], "var(--accent-soft)"),
            mode="markers",
            cliponaxis=False,
            marker={"size": 9, "color": "var(--accent)"},
            customdata=[[hour.sent, hour.click_rate.low, hour.click_rate.high] for hour in hours],
            hovertemplate="%{x}:00 h  <b>%{y:.1%}</b> (%{customdata[1]:.1%} to %{customdata[2]:.1%})"
            "<br>%{customdata[0]:,} messages<extra></extra>",
        )
    )
    _dress(figure, height=300)
    figure.update_xaxes(range=[-0.5, 23.5], tickvals=HOURS_NAMED, showgrid=False)
    figure.update_xaxes(ticktext=[f"{hour}:00" for hour in HOURS_NAMED])
    figure.update_yaxes(tickformat=".1~%", rangemode="tozero", gridcolor="var(--line)", ticksuffix=" ")
    return _as_json(figure)


def click_rate_by_policy(choice: ChoiceWorth | None) -> Figure | None:
    """Click rate of our choice and of each other way with its interval, ours in colour; None without any figure."""
    shown = [one for one in (choice.shown if choice else ()) if one.click_rate.has_interval]
    if not shown:
        return None
    names = [policy_label(one.policy, one.estimator) for one in shown]
    colours = ["var(--accent)" if one.policy == OURS else "var(--undecided)" for one in shown]
    figure = _intervals(names, [one.click_rate for one in shown], colours, ".2%")
    figure.update_xaxes(tickformat=".1~%", rangemode="tozero")
    return _as_json(figure)


def decisions_of_the_night(decisions: Mapping[str, int]) -> Figure | None:
    """How many candidates were messaged, and for which reason the others were not."""
    if not decisions:
        return None
    ordered = sorted(decisions.items(), key=lambda pair: (pair[0] != "scheduled", -pair[1]))
    rows = list(range(len(ordered), 0, -1))
    figure = go.Figure(
        go.Bar(
            y=rows,
            x=[count for _, count in ordered],
            orientation="h",
            marker={"color": ["var(--accent)" if decision == "scheduled" else "var(--bar)" for decision, _ in ordered]},
            texttemplate="%{x:,}",
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    _dress(figure, height=_height(len(ordered)))
    figure.update_layout(bargap=0.35, margin={"r": 60})
    figure.update_xaxes(visible=False)
    _name_rows(figure, rows, [decision_label(decision) for decision, _ in ordered])
    return _as_json(figure)


def messages_by_hour(hours: Mapping[str, Mapping[str, int]]) -> Figure | None:
    """Messages planned by the customers' local hour, stacked by channel; None without any.

    hours: channel → hour ("08") → messages.
    """
    if not hours:
        return None
    figure = go.Figure()
    for (channel, of_channel), (colour, _) in zip(hours.items(), itertools.cycle(LINES), strict=False):
        figure.add_bar(
            x=[int(hour) for hour in of_channel],
            y=list(of_channel.values()),
            name=channel_label(channel),
            marker={"color": colour},
            hovertemplate="%{x}:00 h  <b>%{y:,}</b><extra>%{fullData.name}</extra>",
        )
    _dress(figure, height=300)
    figure.update_layout(barmode="stack", bargap=0.25, showlegend=len(hours) > 1)
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"})
    figure.update_xaxes(range=[-0.5, 23.5], tickvals=HOURS_NAMED, showgrid=False)
    figure.update_xaxes(ticktext=[f"{hour}:00" for hour in HOURS_NAMED])
    figure.update_yaxes(tickformat=",d", rangemode="tozero", gridcolor="var(--line)", ticksuffix=" ", nticks=5)
    return _as_json(figure)


def accuracy_by_list(lists: Sequence[ListFigures]) -> Figure | None:
    """nDCG@10 of each list with its interval, the served one in colour; None without any list."""
    if not lists:
        return None
    colours = ["var(--accent)" if found.name == SERVED else "var(--undecided)" for found in lists]
    figure = _intervals([list_label(found.name) for found in lists], [found.ndcg for found in lists], colours, ".4f")
    figure.update_xaxes(tickformat=".2~f", rangemode="tozero")
    return _as_json(figure)


def accuracy_against_diversity(points: Sequence[Mapping[str, Any]]) -> Figure | None:
    """nDCG@10 against diversity within a list, one line per margin weight; None without any point.

    points: as ``models.metrics`` has them; one without a diversity is left out.
    """
    shown = [point for point in points if point["intra_list_diversity"] is not None]
    if not shown:
        return None
    weights = sorted({point["margin_weight"] for point in shown})
    figure = go.Figure()
    for place, weight in enumerate(weights):
        of_weight = [point for point in shown if point["margin_weight"] == weight]
        line = sorted(of_weight, key=lambda point: point["diversity"])
        colour, symbol = LINES[place % len(LINES)]
        figure.add_scatter(
            x=[point["intra_list_diversity"] for point in line],
            y=[point["ndcg@10"] for point in line],
            name=f"margin weight {weight:g}",
            mode="lines+markers",
            cliponaxis=False,
            line={"color": colour, "width": 2},
            marker={"size": 9, "symbol": symbol},
            customdata=[[point["diversity"], _share(point["mean_margin"]), point["coverage"]] for point in line],
            hovertemplate="λ %{customdata[0]:.2~f}  <b>nDCG@10 %{y:.4f}</b>, diversity %{x:.3f}"
            "<br>mean margin %{customdata[1]}, %{customdata[2]:.1%} of the catalogue<extra>%{fullData.name}</extra>",
        )
    _dress(figure, height=360)
    figure.update_layout(showlegend=len(weights) > 1, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"})
    figure.update_xaxes(title={"text": "Diversity within a list", "standoff": 10, "font": {"size": 13}})
    figure.update_yaxes(title={"text": "nDCG@10", "standoff": 12, "font": {"size": 13}}, ticksuffix=" ")
    figure.update_xaxes(gridcolor="var(--line)").update_yaxes(gridcolor="var(--line)")
    return _as_json(figure)


def _share(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1%}"


def _intervals(names: Sequence[str], estimates: Sequence[Estimate], colour: str | list[str], spec: str) -> go.Figure:
    """One row per name, the first on top: a point and its interval."""
    signed = spec.replace("%", "~%") if spec.startswith("+") else spec
    whisker = "var(--accent-soft)" if isinstance(colour, str) else "var(--line-strong)"
    # Two campaigns may share a name: rows are placed by number and labelled by name.
    rows = list(range(len(names), 0, -1))
    figure = go.Figure(
        go.Scatter(
            x=[estimate.value for estimate in estimates],
            y=rows,
            error_x=_whiskers(estimates, whisker),
            mode="markers",
            marker={"size": 11, "color": colour},
            customdata=[
                [html.escape(name, quote=False), e.low, e.high] for name, e in zip(names, estimates, strict=True)
            ],
            hovertemplate=f"%{{customdata[0]}}<br><b>%{{x:{signed}}}</b> "
            f"(%{{customdata[1]:{signed}}} to %{{customdata[2]:{signed}}})<extra></extra>",
        )
    )
    _dress(figure, height=_height(len(names)) + 24)
    figure.update_xaxes(gridcolor="var(--line)")
    figure.update_yaxes(range=[0.4, len(names) + 0.6])
    _name_rows(figure, rows, names)
    return figure


def _whiskers(estimates: Sequence[Estimate], colour: str) -> dict[str, Any]:
    def distance(a: float | None, b: float | None) -> float:
        return 0.0 if a is None or b is None else max(a - b, 0.0)

    return {
        "type": "data",
        "symmetric": False,
        "array": [distance(e.high, e.value) for e in estimates],
        "arrayminus": [distance(e.value, e.low) for e in estimates],
        "color": colour,
        "thickness": 4,
        "width": 0,
    }


def _dress(figure: go.Figure, height: int) -> None:
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 16, "t": 8, "b": 28},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "var(--text-muted)", "size": 13},
        hoverlabel={"bgcolor": "var(--panel)", "bordercolor": "var(--line-strong)", "font": {"color": "var(--text)"}},
        showlegend=False,
        dragmode=False,
    )
    figure.update_xaxes(fixedrange=True, zeroline=False, automargin=True, nticks=6, tickangle=0, ticklabelstandoff=6)
    figure.update_yaxes(fixedrange=True, zeroline=False, automargin=True)


def _height(rows: int) -> int:
    return ROW_HEIGHT * rows + 40


def _name_rows(figure: go.Figure, rows: Sequence[int], names: Sequence[str]) -> None:
    figure.update_yaxes(tickvals=rows, ticktext=[_label(name, LABEL_LENGTH) for name in names], showgrid=False)
    figure.update_layout(meta={"short_labels": [_label(name, SHORT_LABEL_LENGTH) for name in names]})


def _label(name: str, length: int) -> str:
    shortened = name if len(name) <= length else name[: length - 1].rstrip() + "…"
    return html.escape(shortened, quote=False) + "  "


def _as_json(figure: go.Figure) -> Figure:
    return json.loads(figure.to_json())
