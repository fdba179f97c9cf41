"""``python -m tests.benchmarks [room …] [--events N]``: run the benchmarks of these rooms (default: all)."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from include.settings import STATE_DIRECTORY
from tests.benchmarks.figures import Figure, as_text

ROOMS = ("landing", "quality", "features", "recommender", "allocation", "scheduling", "simulator")
"""Modules of this package with ``measure(folder, events) -> list[Figure]``."""


def main() -> int:
    """1 when a figure misses its limit."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="room", help=f"of {', '.join(ROOMS)}; default: all")
    parser.add_argument("--events", type=int, default=10_000_000, help="events of the shop (default: ten million)")
    parser.add_argument("--folder", type=Path, default=STATE_DIRECTORY / "bench", help="servers and files, kept")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.rooms) - set(ROOMS))
    if unknown:
        parser.error(f"no rooms {', '.join(unknown)}; there are {', '.join(ROOMS)}")
    figures: list[Figure] = []
    for room in arguments.rooms or ROOMS:
        print(f"{room}: {arguments.events:,} events …", flush=True)
        measured = importlib.import_module(f"tests.benchmarks.{room}").measure(arguments.folder, arguments.events)
        print(as_text(measured), flush=True)
        figures += measured
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
