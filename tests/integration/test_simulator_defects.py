"""Each defect that a made-up world can have is caught by the gate, and the day passes once it is mended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import Engine, create_engine, text

from include.db import server
from include.landing import load_landing_files
from include.quality import QualityGateFailed, check_data_quality
from include.settings import Settings
from include.simulator import World, write_day, write_history
from include.simulator.world import Defect, DefectKind

# Four like weekdays before the first night, and events enough for a median.
WORLD = World(customers=400, items=120, categories=8, styles=4, history_days=36)
SHARES = {"cut_off": 0.9, "missing_prices": 0.9, "no_quantity": 1.0, "absurd_prices": 1.0}
"""Where fewer rows than three in ten would not do: few events are purchases."""


class Shop:
    """A database and folders with a history that the gate has passed."""

    def __init__(self, url: str, folder: Path) -> None:
        self.engine: Engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
        self.truth = folder / "truth"
        self.settings = Settings(database_url=url, landing=str(folder / "landing"), artifacts=str(folder / "artifacts"))
        write_history(self.settings, WORLD)
        day = WORLD.first_night - timedelta(days=1)
        load_landing_files(self.engine, self.settings, business_date=day)
        check_data_quality(self.engine, self.settings, business_date=day)

    def first_night(self, *defects: Defect) -> None:
        """Land it, over what another test landed, and judge it."""
        world, day = WORLD.model_copy(update={"defects": defects}), WORLD.first_night
        write_day(self.engine, self.settings, world, self.truth, business_date=day)
        load_landing_files(self.engine, self.settings, business_date=day)
        check_data_quality(self.engine, self.settings, business_date=day)


@pytest.fixture(scope="module")
def shop(postgres: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    administration = create_engine(server.ensure_database(postgres, "postgres"), isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text("create database simulated template template"))
    shop = Shop(server.ensure_database(postgres, "simulated"), tmp_path_factory.mktemp("defects"))
    yield shop
    shop.engine.dispose()
    with administration.connect() as connection:
        connection.execute(text("drop database simulated with (force)"))
    administration.dispose()


@pytest.mark.parametrize("kind", get_args(DefectKind))
def test_the_gate_stops_a_night_with_a_defect(kind: DefectKind, shop: Shop) -> None:
    with pytest.raises(QualityGateFailed, match="nothing was trained or planned"):
        shop.first_night(Defect(kind=kind, day=0, share=SHARES.get(kind, 0.3)))


def test_the_mended_night_passes(shop: Shop) -> None:
    shop.first_night(Defect(kind="unknown_items", day=1, share=0.3))
