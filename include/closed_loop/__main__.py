"""``python -m include.closed_loop [--nights N] [--customers N] [--world NAME]``: what ``make simulate`` calls.

Always starts afresh, in a database and folders of its own below the state directory; the user's are never touched.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import warnings
from pathlib import Path

# Said by the embedded server's package where the system has no runtime folder; it then takes one of its own.
warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")

from pydantic import SecretStr, ValidationError  # noqa: E402 - the filter comes first
from sqlalchemy import create_engine, text  # noqa: E402

from include.closed_loop.nights import Options, play  # noqa: E402
from include.closed_loop.summary import summary  # noqa: E402
from include.db import server  # noqa: E402
from include.db.engine import make_engine  # noqa: E402
from include.db.migrate import migrate  # noqa: E402
from include.local import database, stopping  # noqa: E402
from include.local.environment import local_settings  # noqa: E402
from include.local.layout import Layout, LockHeld, exclusive  # noqa: E402
from include.local.progress import Progress  # noqa: E402
from include.quality import QualityGateFailed  # noqa: E402
from include.settings import STATE_DIRECTORY, Settings  # noqa: E402
from include.simulator import World, world_named  # noqa: E402

SETTINGS_FILE = Path(__file__).parent / "settings.yaml"
PREFIX = "simulation_"
"""Of databases and folders, which are dropped and made anew: none of the user's begins with it."""


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m include.closed_loop", description="Nights over a made-up shop.")
    parser.add_argument("--nights", type=int, default=14)
    parser.add_argument("--customers", type=int, help="default: the world's")
    parser.add_argument("--world", default="mild", help="personal hours none, mild or strong, or a YAML file")
    parser.add_argument("--seed", type=int, help="default: the world's")
    parser.add_argument("--train-every", type=int, default=7, metavar="NIGHTS", help="train the recommender so often")
    parser.add_argument(
        "--name", type=_own_name, default="nights", help=f"of the database and the folder, after {PREFIX}"
    )
    parser.add_argument("--state", type=Path, default=STATE_DIRECTORY, help="folder of servers and data")
    return parser.parse_args(given)


def _own_name(name: str) -> str:
    if not re.fullmatch("[a-z0-9_]{1,40}", name):
        raise argparse.ArgumentTypeError(f"{name!r} is not 1 to 40 of the characters a-z, 0-9 and _")
    return PREFIX + name


def main(given: list[str] | None = None) -> int:
    """0; 1 for a failure that was explained; 128 + n after signal n."""
    arguments = _arguments(given)
    stopping.install()
    layout, progress = Layout.at(arguments.state), Progress()
    try:
        world = _world(arguments)
        with exclusive(layout.run / f"{arguments.name}.lock"):
            _run(arguments, layout, world, progress)
    except LockHeld:
        print(f"\n{arguments.name} is running already: give this one another --name", file=sys.stderr)
        return 1
    except (ValidationError, ValueError, QualityGateFailed) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except stopping.Stopped as stopped:
        print(f"\nStopped by {stopped}.", file=sys.stderr)
        return 128 + stopped.signal
    return 0


def _world(arguments: argparse.Namespace) -> World:
    chosen = {"customers": arguments.customers, "seed": arguments.seed}
    fields = world_named(arguments.world).model_dump() | {name: value for name, value in chosen.items() if value}
    return World.model_validate(fields)


def _run(arguments: argparse.Namespace, layout: Layout, world: World, progress: Progress) -> None:
    folder = layout.root / arguments.name
    if folder.exists():
        shutil.rmtree(folder)
    progress("Postgres: starting the embedded server")
    with database.running_server(layout):
        settings = _settings(layout, folder, _fresh_database(layout, arguments.name))
        engine = make_engine(settings)
        try:
            migrate(engine)
            truth = folder / "truth"
            options = Options(arguments.nights, train_every=arguments.train_every)
            nights = play(engine, settings, world, truth, options, progress)
            progress.text()
            if nights:
                progress.text(summary(engine, settings, truth, business_date=nights[-1].business_date))
        finally:
            engine.dispose()


def _settings(layout: Layout, folder: Path, url: str) -> Settings:
    own = {"database_url": SecretStr(url), "landing": str(folder / "landing"), "artifacts": str(folder / "artifacts")}
    return local_settings(layout, url, SETTINGS_FILE).settings.model_copy(update=own)


def _fresh_database(layout: Layout, name: str) -> str:
    """URL of an empty database, on the embedded server always."""
    engine = create_engine(server.ensure_database(layout.postgres, "postgres"), isolation_level="AUTOCOMMIT")
    quoted = engine.dialect.identifier_preparer.quote(name)
    with engine.connect() as connection:
        connection.execute(text(f"drop database if exists {quoted} with (force)"))
    url = server.ensure_database(layout.postgres, name)
    with engine.connect() as connection:
        # An experiment can be run again: no message waits for the disk.
        connection.execute(text(f"alter database {quoted} set synchronous_commit to off"))
    engine.dispose()
    return url


if __name__ == "__main__":
    sys.exit(main())
