"""What reaches the SQL of the features: weights in the order of the event types, and nothing unknown."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from include.db.tables import EVENT_TYPES, LIFECYCLE_STAGES, SEGMENTS
from include.features import build
from include.features.state import start_of
from include.settings import FeatureSettings, Settings

SQL_DIRECTORY = Path(build.__file__).parent / "sql"


DAY = date(2017, 11, 30)


def parameters(settings: Settings, day: date = DAY) -> dict[str, Any]:
    return build._parameters(settings, day, start_of(None, settings, day), newest=0)


def test_a_type_without_a_weight_weighs_nothing() -> None:
    settings = Settings(features=FeatureSettings(event_weights={"purchase": 2.0, "view": 0.25}))
    bound = parameters(settings)
    weights = dict(zip(bound["event_types"], bound["event_weights"], strict=True))
    assert weights == dict.fromkeys(EVENT_TYPES, 0.0) | {"purchase": 2.0, "view": 0.25}


def test_an_unknown_event_type_is_an_error_that_names_it() -> None:
    settings = Settings(features=FeatureSettings(event_weights={"purchse": 1.0}))
    with pytest.raises(ValueError, match="event_weights names purchse"):
        build._check(settings)


def test_a_half_life_of_an_unknown_event_type_is_an_error_that_names_it() -> None:
    settings = Settings(features=FeatureSettings(event_half_life_days={"purchse": 1.0}))
    with pytest.raises(ValueError, match="event_half_life_days names purchse"):
        build._check(settings)


def test_an_event_type_may_have_a_half_life_of_its_own() -> None:
    settings = Settings(features=FeatureSettings(half_life_days=30.0, event_half_life_days={"view": 3.0}))
    bound = parameters(settings)
    half_lives = dict(zip(bound["event_types"], bound["event_half_lives"], strict=True))
    assert half_lives == dict.fromkeys(EVENT_TYPES, 30.0) | {"view": 3.0}


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_an_error_that_names_its_type(weight: float) -> None:
    settings = Settings(features=FeatureSettings(event_weights={"purchase": weight}))
    with pytest.raises(ValueError, match=r"event_weights\.purchase"):
        build._check(settings)


def test_the_date_ends_at_midnight_of_the_business_zone() -> None:
    settings = Settings(business_time_zone="America/New_York")
    assert parameters(settings, date(2017, 11, 5))["end_of_day"] == datetime(2017, 11, 6, 5, tzinfo=UTC)


def test_every_statement_is_used_and_takes_only_values_that_exist() -> None:
    source = "".join(path.read_text() for path in Path(build.__file__).parent.glob("*.py"))
    run = set(re.findall(r'(?:_run\(connection|statement\(__file__|source\(__file__), "(\w+)"', source))
    run |= {f"write_{table}" for table in re.findall(r"_replace\(connection, (\w+),", source)}
    files = sorted(SQL_DIRECTORY.glob("*.sql"))
    assert {file.stem for file in files} == run
    known = {*parameters(Settings()), "range_from", "range_until", "everyone", "hash_below", "table_name"}
    taken = set()
    for file in files:
        statement = re.sub(r"--.*", "", file.read_text())
        taken |= set(re.findall(r"(?<![:\w]):(\w+)", statement))
    assert taken == known


def test_the_sql_yields_the_stages_and_the_segments_that_campaigns_may_name() -> None:
    statement = (SQL_DIRECTORY / "write_customer_features.sql").read_text()
    (rule,) = re.findall(r"case\s+when recency is null.*?end as lifecycle_stage", statement, re.DOTALL)
    assert set(re.findall(r"'(\w+)'", rule)) == set(LIFECYCLE_STAGES)
    (rule,) = re.findall(r"case\s+when lifecycle_stage.*?end as segment", statement, re.DOTALL)
    assert set(re.findall(r"'(\w+)'", rule)) - {"prospect"} == set(SEGMENTS)
    assert re.findall(r"coalesce\(segments\.(\w+), '(\w+)'\)", statement) == [
        ("segment", "no_purchase"),
        ("lifecycle_stage", "prospect"),
    ]
