"""Regret curves as a page to look at: what a choice of hour has lost, day by day, against each one's best hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

Floats = NDArray[np.float64]

COLOURS = ("#1f6f8b", "#c9822b", "#7a5195", "#6b7280", "#2f855a")


def draw(worlds: Mapping[str, Mapping[str, Sequence[Floats]]], customers: int, path: Path) -> None:
    """One panel per world, one line per way, the band its least and most over seeds.

    worlds: world → way → a seed's (days, 3): clicks expected by the way, by each one's best hour and by a random hour.
    """
    figure = make_subplots(rows=1, cols=len(worlds), subplot_titles=[f"Personal hours {name}" for name in worlds])
    for column, ways in enumerate(worlds.values(), 1):
        by_chance = next(iter(ways.values()))
        lines = {name: [_lost(told[:, 1] - told[:, 0], customers) for told in seeds] for name, seeds in ways.items()}
        lines["random hour"] = [_lost(told[:, 1] - told[:, 2], customers) for told in by_chance]
        for (name, lost), colour in zip(lines.items(), COLOURS, strict=False):
            _add_line(figure, column, name, np.stack(lost), colour)
    figure.update_layout(
        title="Clicks lost per 1,000 customers against everyone's best hour (made-up customers, one message a day)",
        template="plotly_white",
        width=560 * len(worlds),
        height=520,
        legend={"orientation": "h", "y": -0.15},
    )
    figure.update_xaxes(title="day")
    figure.update_yaxes(rangemode="tozero")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path, include_plotlyjs=True)


def _lost(by_day: Floats, customers: int) -> Floats:
    return np.cumsum(by_day) / customers * 1000


def _add_line(figure: go.Figure, column: int, name: str, lost: Floats, colour: str) -> None:
    """lost: (seeds, days)."""
    days = np.arange(1, lost.shape[1] + 1)
    band = np.concatenate([lost.max(axis=0), lost.min(axis=0)[::-1]])
    there_and_back = np.concatenate([days, days[::-1]])
    told = {"row": 1, "col": column, "legendgroup": name}
    quiet = {"opacity": 0.2, "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    figure.add_scatter(x=there_and_back, y=band, fill="toself", fillcolor=colour, mode="lines", **quiet, **told)
    line = {"color": colour, "width": 2.5}
    figure.add_scatter(x=days, y=lost.mean(axis=0), name=name, line=line, showlegend=column == 1, **told)
