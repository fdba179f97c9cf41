"""``make rebuild-features``: everything that was counted, from events alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from features_world import event, interaction_rows, land
from make_commands import run
from sqlalchemy import create_engine, text

from include.db import server
from include.features import build_features
from include.local.layout import Layout
from include.settings import Settings


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout.at(tmp_path / "state")
    yield layout
    server.stop(layout.postgres)


def test_it_needs_a_date_once_and_counts_what_the_log_of_days_does_not_know(layout: Layout) -> None:
    refused = run(layout, "rebuild-features")
    assert refused.returncode == 1
    assert refused.stderr.strip() == "no features were ever built: name a date, for example DATE=2017-11-30"
    assert "Traceback" not in refused.stderr

    url = run(layout, "db-url").stdout.strip()
    engine = create_engine(url)
    first = event("ana", "purchase", "2026-01-30T12:00:00+00:00", "i1", 1, 5)
    land(engine, event_rows=[first, event("ana", "purchase", "2026-01-31T12:00:00+00:00", "i2", 1, 5)])
    day = date(2026, 1, 31)
    build_features(engine, Settings(database_url=url), business_date=day)
    indexes = text("select indexname, indexdef from pg_indexes where schemaname = 'marketing' order by indexname")
    with engine.connect() as connection:
        before = connection.execute(indexes).all()
    # Past landing, so that no night can know of it.
    with engine.begin() as connection:
        connection.execute(text("delete from marketing.events where event_id = :event_id"), first)
    build_features(engine, Settings(database_url=url), business_date=day)
    assert set(interaction_rows(engine)) == {("ana", "i1"), ("ana", "i2")}

    done = run(layout, "rebuild-features")
    assert done.returncode == 0, done.stderr
    assert "aggregate_interactions: 1 rows" in done.stdout
    assert "Features of 2026-01-31: 1 customers, 1 items, 1 interactions" in done.stdout
    assert set(interaction_rows(engine)) == {("ana", "i2")}

    with engine.connect() as connection:
        assert connection.execute(indexes).all() == before

    done = run(layout, "rebuild-features", "--date", "2026-01-30")
    assert done.returncode == 0, done.stderr
    assert "Features of 2026-01-30: 0 customers, 0 items, 0 interactions" in done.stdout
    engine.dispose()
