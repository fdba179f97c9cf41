"""A small made-up shop through whole nights on a real Postgres, as experiments run them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from sqlalchemy import create_engine, text

from include.closed_loop import Night, Options, play, summary
from include.db import server
from include.db.tables import metadata
from include.settings import Settings
from include.simulator import World
from include.simulator.reactions import TRUTH_SCHEMA
from include.simulator.truth import TruthFolder
from include.simulator.world import CampaignTerms

NIGHTS = 3
WORLD = World(
    customers=300,
    items=120,
    categories=8,
    styles=4,
    history_days=21,
    personal_hours="strong",
    click_rate=0.2,
    campaigns=(
        CampaignTerms(campaign_id="everyone", orders_per_click=0.5, control_share=0.3),
        CampaignTerms(campaign_id="nobody", audience=("lapsed",), orders_per_click=0.0),
    ),
)
LIGHT: dict[str, Any] = {
    "business_time_zone": "America/New_York",
    "recommender": {
        "shards": 1,
        "threads": 1,
        "models": dict.fromkeys(
            ("own_lately", "als", "ease", "user_neighbours", "recent_neighbours", "attributes", "trending")
        ),
        "ranker": {"rounds": 5},
        "list_length": 6,
        "learning_splits": 1,
        "learning_customers": 50,
        "evaluation_customers": 100,
        "evaluation_days": 7,
        "bootstrap_samples": 20,
    },
}
VARYING = {
    "landing_files": {"sha256"},
    "quarantined_rows": {"quarantined_row_id"},
    "quality_failures": {"quality_failure_id"},
}


class Played:
    """A database and folders that nights were played over."""

    def __init__(self, url: str, folder: Path) -> None:
        self.engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
        self.truth = folder / "truth"
        self.settings = Settings(
            database_url=url, landing=str(folder / "landing"), artifacts=str(folder / "artifacts"), **LIGHT
        )
        self.said: list[str] = []
        self.nights: list[Night] = []

    def play(self, world: World = WORLD, nights: int = NIGHTS) -> None:
        options = Options(nights, train_every=2)
        self.nights = play(self.engine, self.settings, world, self.truth, options, self.said.append)

    def rows(self, query: str, **bound: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(query), bound))

    def fingerprints(self) -> dict[str, str]:
        prints = {}
        for table in metadata.sorted_tables:
            columns = ", ".join(
                column.name for column in table.columns if column.name not in VARYING.get(table.name, ())
            )
            rows = self.rows(f"select {columns} from marketing.{table.name}")
            lines = sorted(json.dumps([str(value) for value in row]) for row in rows)
            prints[table.name] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return prints

    def truth_rows(self) -> pyarrow.Table:
        return TruthFolder.at(self.truth, self.settings).messages(TRUTH_SCHEMA)


@pytest.fixture(scope="module")
def played(postgres: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    administration = create_engine(server.ensure_database(postgres, "postgres"), isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text("create database closed_loop template template"))
    played = Played(server.ensure_database(postgres, "closed_loop"), tmp_path_factory.mktemp("closed_loop"))
    played.play()
    yield played
    played.engine.dispose()
    with administration.connect() as connection:
        connection.execute(text("drop database closed_loop with (force)"))
    administration.dispose()


def test_nights_send_and_are_answered(played: Played) -> None:
    assert [night.business_date for night in played.nights] == [
        WORLD.first_night + timedelta(days=number) for number in range(NIGHTS)
    ]
    assert all(night.stopped is None and night.planned > 0 for night in played.nights)
    assert played.nights[0].sent == 0
    assert sum(night.sent for night in played.nights[1:]) > 100
    assert played.nights[-1].clicked > 10
    kinds = dict(played.rows("select engagement_type, count(*) from marketing.engagements group by 1"))
    assert {"delivered", "open", "click"} <= set(kinds)
    assert played.rows("select count(*) from marketing.engagements where is_machine")[0][0] > 0
    assert len([line for line in played.said if line.startswith("Night ")]) == NIGHTS


def test_every_message_went_through_the_outbox(played: Played) -> None:
    messages = played.rows("select state, attempts, sent_at, send_at, not_after, claimed_by from marketing.messages")
    sent = [message for message in messages if message.state == "sent"]
    assert len(sent) == sum(night.sent for night in played.nights)
    for message in sent:
        assert (message.attempts, message.claimed_by[:11]) == (1, "closed-loop")
        assert message.send_at <= message.sent_at < message.not_after
    assert {message.state for message in messages} <= {"sent", "planned", "cancelled", "expired"}


def test_only_sent_messages_have_reactions_and_each_has_its_truth(played: Played) -> None:
    sent = {row.message_id for row in played.rows("select message_id from marketing.messages where state = 'sent'")}
    truth = played.truth_rows()
    assert set(truth["message_id"].to_pylist()) == sent
    assert len(truth) == len(sent)
    answered = {row.message_id for row in played.rows("select distinct message_id from marketing.engagements")}
    assert answered <= sent
    clicked = played.rows(
        "select distinct message_id from marketing.engagements where engagement_type = 'click' and not is_machine"
    )
    told = dict(zip(truth["message_id"].to_pylist(), truth["clicked"].to_pylist(), strict=True))
    assert all(told[row.message_id] for row in clicked)


def test_all_that_landed_is_marked_and_was_accepted(played: Played) -> None:
    assert played.rows("select sum(rows_quarantined) from marketing.landing_files")[0][0] == 0
    for table, column in (("events", "properties"), ("engagements", "attributes"), ("customers", "attributes")):
        unmarked = (
            f"select count(*) from marketing.{table} where lower({column} ->> 'generated') is distinct from 'true'"
        )
        assert played.rows(unmarked)[0][0] == 0, table
    assert played.rows("select bool_and(includes_generated) from marketing.campaign_results where sent > 0")[0][0]


def test_nothing_of_the_truth_reached_the_product(played: Played) -> None:
    secret = {name for name in TRUTH_SCHEMA.names if name.startswith("true_")} | {"fit", "load", "ordered_margin"}
    files = list(Path(played.settings.landing).rglob("*.parquet"))
    assert len(files) > 10
    for file in files:
        assert not secret & set(pyarrow.parquet.read_schema(file).names), file
    for table in ("customers", "items", "campaigns", "consents", "engagements"):
        keys = played.rows(f"select distinct jsonb_object_keys(attributes) from marketing.{table}")
        assert {row[0] for row in keys} <= {"generated", "bounce_type"}, table
    keys = played.rows("select distinct jsonb_object_keys(properties) from marketing.events")
    assert {row[0] for row in keys} == {"generated", "device", "channel"}


def test_no_column_tells_which_purchases_messages_caused(played: Played) -> None:
    truth = played.truth_rows().to_pandas().dropna(subset="ordered_at")
    caused_by = set(zip(truth["customer_id"], truth["ordered_at"].dt.floor("ms"), strict=True))
    with played.engine.connect() as connection:
        bought = pd.read_sql(text("select * from marketing.events where event_type = 'purchase'"), connection)
    bought = bought[bought["occurred_at"] >= truth["sent_at"].min().floor("D")]
    keys = zip(bought["customer_id"], bought["occurred_at"].dt.floor("ms"), strict=True)
    caused = np.array([key in caused_by for key in keys])
    assert 5 < caused.sum() < len(caused) / 2
    assert bought[["event_id", "order_id"]].stack().str.fullmatch("[0-9a-f]{16}").all()
    looks = (
        bought.astype(str)
        .drop(columns=["row_number", "unit_price"])
        .assign(
            event_id=bought["event_id"].str.len(),
            order_id=bought["order_id"].str.len(),
            customer_id=bought["customer_id"].str[:1],
            item_id=bought["item_id"].str[:1],
            occurred_at=bought["occurred_at"].dt.microsecond == 0,
        )
    )
    for column in looks:
        assert set(looks.loc[caused, column]) <= set(looks.loc[~caused, column]), column
    spread = bought["row_number"][caused].max() - bought["row_number"][caused].min()
    assert spread > caused.sum(), "they stand among the others"


def test_the_summary_lays_truth_beside_report(played: Played) -> None:
    last = played.nights[-1].business_date
    told = summary(played.engine, played.settings, played.truth, business_date=last)
    assert "made up" in told
    assert "Share of the oracle's gain in hours, all: " in told
    [line] = [line for line in told.splitlines() if line.startswith("  everyone")]
    sent = played.rows(
        "select sent from marketing.campaign_results where business_date = :day and campaign_id = 'everyone'"
        " and channel = 'all' and arm = 'treated'",
        day=last,
    )[0][0]
    assert f"{sent:,}" in line.split()
    assert float(line.split()[3]) > 0


def test_the_summary_lays_the_gain_of_hours_beside_its_estimates(played: Played) -> None:
    last = played.nights[-1].business_date
    told = summary(played.engine, played.settings, played.truth, business_date=last).splitlines()
    begin = told.index("Clicks gained over random hours, per 100 messages, within a day of sending")
    lines = {line.split()[0]: line for line in told[begin + 1 : begin + 7]}
    assert set(lines) == {"estimator", "true", "DR", "SNIPS", "IPS", "experiment"}
    assert float(lines["true"].split()[1]) != 0
    values = {
        row.estimator: row
        for row in played.rows(
            "select * from marketing.policy_values where policy = 'random_hour' and business_date = :day", day=last
        )
    }
    for name in ("dr", "experiment"):
        row, line = values[name], lines["DR" if name == "dr" else name]
        assert row.verdict in line
        assert (f"{100 * row.difference:+.3f}" if row.difference is not None else "–") in line.split()


def test_a_rerun_over_the_same_folders_changes_nothing(played: Played) -> None:
    before, truth = played.fingerprints(), played.truth_rows()
    files = {file: file.read_bytes() for file in Path(played.settings.landing).rglob("*.parquet")}
    played.play()
    assert played.fingerprints() == before
    assert played.truth_rows().equals(truth)
    assert {file: file.read_bytes() for file in Path(played.settings.landing).rglob("*.parquet")} == files


def test_the_same_world_elsewhere_gives_the_same_tables(played: Played, database_url: str, tmp_path: Path) -> None:
    other = Played(database_url, tmp_path)
    other.play()
    compared = set(other.fingerprints()) - {"models"}  # where an artifact lies differs
    ours, theirs = played.fingerprints(), other.fingerprints()
    assert {table for table in compared if ours[table] != theirs[table]} == set()
    other.engine.dispose()
