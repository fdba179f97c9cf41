"""A house in which ``make demo`` has run over a slice of the real purchases: what the Airflow tests begin with."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine, create_engine
from table_contents import Contents, contents

from include.demo.first_run import Plan, run_demo
from include.local import database
from include.local.layout import Layout
from include.local.progress import Progress

PLAN = Plan.of(nights=1, households=150)
NIGHT = PLAN.nights[0]
SEND_DATE = NIGHT + timedelta(days=1)


@dataclass(frozen=True)
class DemoHouse:
    """printed, held: what the first run said, and what the tables held after it."""

    layout: Layout
    printed: str
    held: Contents

    @classmethod
    def made(cls, layout: Layout) -> DemoHouse:
        printed = demo(layout)
        with marketing(layout) as engine:
            return cls(layout, printed, contents(engine))


def demo(layout: Layout) -> str:
    """What a run of the command prints."""
    output = io.StringIO()
    run_demo(layout, Progress(output), stay=False, plan=PLAN)
    return output.getvalue()


@contextmanager
def marketing(layout: Layout) -> Iterator[Engine]:
    with database.running_server(layout):
        engine = create_engine(database.embedded_url(layout))
        yield engine
        engine.dispose()
