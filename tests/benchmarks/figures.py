"""What a benchmark says: a figure, the limit it must keep, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table that ``make bench`` prints."""

    what: str
    measured: float
    limit: float
    unit: str
    """"×" for a ratio, "s", "MB"."""
    detail: str = ""
    """What the ratio was made of."""

    @property
    def holds(self) -> bool:
        return self.measured <= self.limit


def as_text(figures: list[Figure]) -> str:
    """The figures, a line each, with the limit beside what was measured."""
    width = max((len(figure.what) for figure in figures), default=0)
    return "\n".join(
        f"{figure.what:<{width}}  {figure.measured:>8.2f} {figure.unit:<2}  "
        f"limit {figure.limit:>6.2f} {figure.unit:<2}  {'holds' if figure.holds else 'MISSED':<6}  {figure.detail}"
        for figure in figures
    )
