"""What reaches the SQL of the features: weights in the order of the event types, and nothing unknown."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from include.db.tables import EVENT_TYPES, SEGMENTS
from include.features import build
from include.settings import FeatureSettings, Settings

SQL_DIRECTORY = Path(build.__file__).parent / "sql"


def test_a_type_without_a_weight_weighs_nothing() -> None:
    settings = Settings(features=FeatureSettings(event_weights={"purchase": 2.0, "view": 0.25}))
    parameters = build._parameters(settings, date(2017, 11, 30))
    weights = dict(zip(parameters["event_types"], parameters["event_weights"], strict=True))
    assert weights == dict.fromkeys(EVENT_TYPES, 0.0) | {"purchase": 2.0, "view": 0.25}


def test_an_unknown_event_type_is_an_error_that_names_it() -> None:
    settings = Settings(features=FeatureSettings(event_weights={"purchse": 1.0}))
    with pytest.raises(ValueError, match="event_weights names purchse"):
        build._parameters(settings, date(2017, 11, 30))


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_an_error_that_names_its_type(weight: float) -> None:
    settings = Settings(features=FeatureSettings(event_weights={"purchase": weight}))
    with pytest.raises(ValueError, match=r"event_weights\.purchase"):
        build._parameters(settings, date(2017, 11, 30))


def test_the_date_ends_at_midnight_of_the_business_zone() -> None:
    settings = Settings(business_time_zone="America/New_York")
    assert build._parameters(settings, date(2017, 11, 5))["end_of_day"] == datetime(2017, 11, 6, 5, tzinfo=UTC)


def test_every_statement_is_used_and_takes_only_values_that_exist() -> None:
    source = Path(build.__file__).read_text()
    run = set(re.findall(r'_run\(connection, "(\w+)"', source))
    run |= {f"write_{table}" for table in re.findall(r"_replace\(connection, (\w+),", source)}
    files = sorted(SQL_DIRECTORY.glob("*.sql"))
    assert {file.stem for file in files} == run
    known = set(build._parameters(Settings(), date(2017, 11, 30)))
    taken = set()
    for file in files:
        statement = re.sub(r"--.*", "", file.read_text())
        taken |= set(re.findall(r"(?<![:\w]):(\w+)", statement))
    assert taken == known


def test_the_sql_yields_the_segments_that_campaigns_may_name() -> None:
    statement = (SQL_DIRECTORY / "write_customer_features.sql").read_text()
    (rule,) = re.findall(r"case\s+when recency is null.*?end as segment", statement, re.DOTALL)
    (without_events,) = re.findall(r"coalesce\(segments\.segment, '(\w+)'\)", statement)
    assert set(re.findall(r"'(\w+)'", rule)) == set(SEGMENTS)
    assert without_events in SEGMENTS
