"""Many nights over a made-up shop, for experiments: the stages that the DAGs call, without a scheduler around them.

``play`` runs nights over a database and a folder of its caller's; ``python -m include.closed_loop`` brings both.
"""

from include.closed_loop.nights import Night, Options, play
from include.closed_loop.summary import summary

__all__ = ["Night", "Options", "play", "summary"]
