"""A filled shop."""

from __future__ import annotations

import pytest
from shop_morning import fill
from sqlalchemy import Engine


@pytest.fixture
def shop(engine: Engine) -> Engine:
    fill(engine)
    return engine


@pytest.fixture
def use_database(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("LAMPLIGHTER_DATABASE_URL", database_url)
    monkeypatch.setenv("LAMPLIGHTER_BUSINESS_TIME_ZONE", "America/New_York")
