"""``python -m include.local demo | web | night --date 2017-11-30 | plan --date … | rebuild-features | db-url | stop``.

What the make commands call.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from datetime import date
from pathlib import Path

# Said by the embedded server's package where the system has no runtime folder; it then takes one of its own.
warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")

from pydantic import ValidationError  # noqa: E402 - the filter comes first

from include.db.migrate import UnfitDatabaseError  # noqa: E402
from include.local import commands, stopping  # noqa: E402
from include.local.features import rebuild_all_features  # noqa: E402
from include.local.layout import Layout  # noqa: E402
from include.local.plan import show_plan  # noqa: E402
from include.local.progress import Progress  # noqa: E402
from include.local.rest import AirflowError  # noqa: E402
from include.local.runs import RunFailed  # noqa: E402
from include.local.services import OtherCommandRuns, StartFailed  # noqa: E402
from include.local.stages import StageRefused  # noqa: E402
from include.settings import STATE_DIRECTORY  # noqa: E402


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m include.local", description="Lamplighter on one machine.")
    parser.add_argument(
        "--state",
        type=Path,
        default=STATE_DIRECTORY,
        help="folder of servers, data and secrets (default: .lamplighter in the project)",
    )
    actions = parser.add_subparsers(dest="command", required=True)
    actions.add_parser("demo", help="several nights on real purchases, then the morning report")
    actions.add_parser("web", help="Airflow's web UI over the current data, until Ctrl-C")
    night = actions.add_parser("night", help="one nightly_marketing run to its end")
    night.add_argument("--date", type=date.fromisoformat, required=True, help="business date, for example 2017-11-30")
    plan = actions.add_parser("plan", help="what a night would send, and to how many; nothing is kept or sent")
    plan.add_argument("--date", type=date.fromisoformat, required=True, help="business date, for example 2017-11-30")
    rebuild = actions.add_parser("rebuild-features", help="all features of a date from events alone")
    rebuild.add_argument("--date", type=date.fromisoformat, help="business date; default: that of the last build")
    actions.add_parser("db-url", help="print the URL of the marketing database")
    actions.add_parser("stop", help="stop what runs")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 1 for a failure that was explained, 128 + n after signal n."""
    arguments = _arguments(given)
    stopping.install()
    layout = Layout.at(arguments.state)
    # Standard output of db-url is the URL alone.
    progress = Progress(sys.stderr if arguments.command == "db-url" else sys.stdout)
    try:
        _run(arguments, layout, progress)
    except (RunFailed, StartFailed, OtherCommandRuns, AirflowError, StageRefused, UnfitDatabaseError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except ValidationError as error:
        print(f"\nThe settings cannot be used:\n{error}", file=sys.stderr)
        return 1
    except stopping.Stopped as stopped:
        print(f"\nStopped by {stopped}.", file=sys.stderr)
        return 128 + stopped.signal
    return 0


def _run(arguments: argparse.Namespace, layout: Layout, progress: Progress) -> None:
    if arguments.command == "demo":
        from include.demo import run_demo

        run_demo(layout, progress, stay=sys.stdin.isatty() and sys.stdout.isatty())
    elif arguments.command == "web":
        from include.demo import sinks_of_the_demo

        commands.web(layout, progress, sinks_of_the_demo)
    elif arguments.command == "night":
        commands.night(layout, arguments.date, progress)
    elif arguments.command == "plan":
        show_plan(layout, arguments.date, progress)
    elif arguments.command == "rebuild-features":
        rebuild_all_features(layout, arguments.date, progress)
    elif arguments.command == "db-url":
        print(commands.db_url(layout))
    elif arguments.command == "stop":
        commands.stop(layout, progress)


if __name__ == "__main__":
    sys.exit(main())
