"""A made-up shop whose truth is known, for experiments: what customers like, when they answer, what campaigns earn.

No public log of messages sent at random hours exists, so nothing here is found; it is put in, from seeds, to see
whether the product finds it. ``write_history`` and ``write_day`` speak the landing contract, and of the product they
read sent messages alone. The truth lies in a folder of its own that the product cannot read; ``effects`` lays it beside
what the product reports.
"""

from include.simulator.effects import HourValue, TrueEffect, hour_value, true_effects
from include.simulator.shop import DaySummary, HistorySummary, write_day, write_history
from include.simulator.world import World, world_named

__all__ = [
    "DaySummary",
    "HistorySummary",
    "HourValue",
    "TrueEffect",
    "World",
    "hour_value",
    "true_effects",
    "world_named",
    "write_day",
    "write_history",
]
