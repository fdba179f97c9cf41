"""A figure as the pages carry it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; all None where data are too few."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def limits(self) -> tuple[float | None, float | None, float | None]:
        return self.value, self.low, self.high

    @property
    def has_interval(self) -> bool:
        return None not in self.limits
