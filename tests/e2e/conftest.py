"""One run of the demo for all that go on from there."""

from __future__ import annotations

import pytest
from demo_house import DemoHouse

from include.local.layout import Layout


@pytest.fixture(scope="session")
def demo_house(tmp_path_factory: pytest.TempPathFactory) -> DemoHouse:
    return DemoHouse.made(Layout.at(tmp_path_factory.mktemp("demo") / "state"))
