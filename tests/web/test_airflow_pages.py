"""The pages inside a real Airflow API server: by token, and in a real browser."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from airflow_server import PASSWORDS, AirflowServer, airflow_server
from playwright.sync_api import Frame, Page, sync_playwright
from sqlalchemy import Engine

from include.db import server
from include.quality import QualityGateFailed, check_data_quality
from include.settings import Settings

pytestmark = pytest.mark.e2e

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
"""Those that tests/install_system_packages.sh accepts."""
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATHS = (
    "/",
    "/campaign?campaign_id=C1",
    "/customer?customer_id=K1",
    "/recommender",
    "/preview",
    "/data-quality?business_date=2017-12-01",
    "/static/page.css",
    "/static/plotly.min.js",
    "/none",
)
PURPOSES = ("next-purchase", "discovery")
SECRETS = ("Pantry favourites", "5,770", "--accent", "Plotly", "als-2017-11-30")


@pytest.fixture
def airflow(tmp_path: Path, postgres: Path, shop: Engine, database_url: str) -> Iterator[AirflowServer]:
    with contextlib.suppress(QualityGateFailed):  # the shop has no events on that date; the report says so
        check_data_quality(shop, Settings(artifacts=str(tmp_path / "artifacts")), business_date=date(2017, 12, 1))
    with airflow_server(tmp_path, server.ensure_database(postgres, "airflow_of_pages"), database_url) as running:
        yield running


def test_pages_in_airflow(airflow: AirflowServer) -> None:
    """One server for all: starting it is most of the time."""
    without_login(airflow)
    with_tokens(airflow)
    in_the_browser(airflow)


def without_login(airflow: AirflowServer) -> None:
    for path in PATHS:
        for headers in ({}, {"authorization": "Bearer forged"}, {"cookie": "_token=forged"}, {"cookie": "_token="}):
            answer = httpx.get(f"{airflow.url}/marketing{path}", headers=headers, timeout=30)
            if path != "/none":
                assert answer.status_code == 401, (path, headers)
            assert not any(secret in answer.text for secret in SECRETS)
            page = httpx.get(f"{airflow.url}/marketing{path}", headers=headers | {"accept": "text/html"}, timeout=30)
            if path != "/none":
                assert page.status_code == 303, (path, headers)
                assert page.headers["location"].startswith("/api/v2/auth/login?next=")
            assert not any(secret in page.text for secret in SECRETS)


def with_tokens(airflow: AirflowServer) -> None:
    allowed = {"authorization": f"Bearer {airflow.token('ada')}"}
    assert "Pantry favourites" in httpx.get(f"{airflow.url}/marketing/", headers=allowed, timeout=60).text
    refused = {"authorization": f"Bearer {airflow.token('nobody')}"}
    for path in PATHS[:-1]:
        answer = httpx.get(f"{airflow.url}/marketing{path}", headers=refused, timeout=30)
        assert answer.status_code == 403, path
        assert not any(secret in answer.text for secret in SECRETS)


def in_the_browser(airflow: AirflowServer) -> None:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert executable, f"none of {', '.join(BROWSERS)} is installed; `make test` installs one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=QUIET)
        page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme="dark")
        hosts, complaints = set[str](), list[str]()
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))

        page.goto(f"{airflow.url}/marketing/customer?customer_id=K1")
        page.wait_for_selector("input[name=password]")
        assert "/auth/login" in page.url
        assert "Pantry favourites" not in page.content()
        log_in(page)
        # The page asked for, inside Airflow's frame.
        frame(page).wait_for_selector("text=Best hour of the customer's own day")

        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(airflow.url)
        page.click("text=Marketing")
        pages = frame(page)
        wait_for_charts(pages, "click-rate", "roi", "hours", "decisions")
        assert pages.locator(".tile .figure").first.inner_text() == "5,770"
        assert pages.evaluate("document.documentElement.dataset.theme") == "dark"
        pages.click("[role=alert] a >> text=Data quality report of 2017-12-01")
        pages.wait_for_selector("h1 >> text=Data quality report of 2017-12-01")
        failed = pages.locator("tr:has(.text-danger)", has_text="events: 0 events on the date")
        assert failed.evaluate("row => getComputedStyle(row).backgroundColor") == "rgb(58, 32, 41)"  # of the dark theme
        pages.click("text=This morning")
        pages.click("table a >> text=Pantry favourites")
        pages.wait_for_selector("text=What the campaign changed")
        pages.click("nav a >> text=Recommender")
        pages.wait_for_selector("h2 >> text=In force: als-2017-11-30")
        wait_for_charts(pages, *(f"{kind}-{of}" for kind in ("accuracy", "frontier") for of in PURPOSES))
        browser.close()

    assert complaints == []
    assert {host for host in hosts if host} == {urlsplit(airflow.url).netloc}


def wait_for_charts(pages: Frame, *names: str) -> None:
    """Until each has drawn a point or bar."""
    for name in names:
        pages.wait_for_selector(
            f"[data-figure=figure-{name}].js-plotly-plot svg .point, "
            f"[data-figure=figure-{name}].js-plotly-plot svg .points path"
        )


def log_in(page: Page) -> None:
    page.fill("input[name=username]", "ada")
    page.fill("input[name=password]", PASSWORDS["ada"])
    page.click("button[type=submit]")


def frame(page: Page) -> Frame:
    found = page.wait_for_selector("iframe[title=Marketing]").content_frame()
    assert found is not None
    return found
