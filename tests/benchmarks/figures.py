"""What a benchmark says: a figure, the limit it must keep, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

NO_LIMIT = inf
NOT_MEASURED = inf
"""Of a figure without a limit whose other side this machine does not have; the detail says why."""


@dataclass(frozen=True)
class Figure:
    """One line of the table that ``make bench`` prints."""

    what: str
    measured: float
    limit: float
    unit: str
    """"×" for a ratio, "s", "MB", "%"."""
    detail: str = ""
    """What the ratio was made of."""

    @property
    def holds(self) -> bool:
        return self.measured <= self.limit


def as_text(figures: list[Figure]) -> str:
    """The figures, a line each, with the limit beside what was measured."""
    width = max((len(figure.what) for figure in figures), default=0)
    return "\n".join(
        f"{figure.what:<{width}}  {_number(figure.measured)} {figure.unit:<2}  "
        f"{f'limit {figure.limit:>6.2f} {figure.unit:<2}' if isfinite(figure.limit) else 'no limit':<15}  "
        f"{_verdict(figure):<6}  {figure.detail}"
        for figure in figures
    )


def _number(measured: float) -> str:
    return f"{measured:>8.2f}" if isfinite(measured) else f"{'–':>8}"


def _verdict(figure: Figure) -> str:
    if not isfinite(figure.limit):
        return ""
    return "holds" if figure.holds else "MISSED"
