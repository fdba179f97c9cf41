"""``make night`` for a date without data: the gate ends it with the cause and the remedy."""

from __future__ import annotations

import pytest
from demo_house import DemoHouse, marketing
from make_commands import AIRFLOW_SECONDS, ours, run
from table_contents import contents

from include.db.tables import LANDING_TABLES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(AIRFLOW_SECONDS)]

LOADED_BEFORE_THE_GATE = {*LANDING_TABLES, "changed_event_days", "landing_files", "quarantined_rows", "suppressions"}


def test_the_gate_stops_a_night_without_data_and_leaves_what_was_made(demo_house: DemoHouse) -> None:
    layout = demo_house.layout
    with marketing(layout) as engine:
        before = contents(engine)
    night = run(layout, "night", "--date", "2017-12-25")
    assert night.returncode == 1
    task, cause, remedy = night.stderr.strip().splitlines()
    assert task == "nightly_marketing: the task check_data_quality failed."
    assert "events" in cause
    assert "2017-12-25" in cause
    assert remedy.startswith("Remedy: ")
    assert "Traceback" not in night.stdout
    assert ours(layout) == []
    with marketing(layout) as engine:
        after = contents(engine)
    changed = {name for name in after if after[name] != before[name]}
    assert "quality_results" in changed
    assert changed <= LOADED_BEFORE_THE_GATE | {"quality_results", "quality_failures"}
