"""``make plan``: a night's plan on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from make_commands import run
from scheduling_shop import DATE, Shop, treated
from sqlalchemy import create_engine

from include.db import server
from include.local.layout import Layout
from include.scheduling import learn_responses, learn_send_times
from include.settings import Settings


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout.at(tmp_path / "state")
    yield layout
    server.stop(layout.postgres)


def test_it_prints_the_plan_and_sends_nothing(layout: Layout) -> None:
    refused = run(layout, "plan", "--date", DATE.isoformat())
    assert refused.returncode == 1
    assert refused.stderr.strip() == (
        "customer_features has no row of 2017-11-30: run build_features for that date first"
    )

    url = run(layout, "db-url").stdout.strip()
    engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
    shop = Shop(engine)
    shop.items()
    shop.campaign("spring", name="Spring")
    for number in range(4):
        shop.customer(treated(f"c{number}", "spring"))
    learn_send_times(engine, Settings(database_url=url), business_date=DATE)
    learn_responses(engine, Settings(database_url=url), business_date=DATE)

    done = run(layout, "plan", "--date", DATE.isoformat())
    assert done.returncode == 0, done.stderr
    assert "Plan for 2017-12-01: nothing of it is kept or sent" in done.stdout
    assert "4 messages, 4 by email; cost 0.00 USD" in done.stdout
    assert "Spring (campaign spring)" in done.stdout
    assert shop.messages() == []
    engine.dispose()
