"""The page on a previewed plan."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert

from include.db.tables import plan_previews
from include.reporting.pages import create_app

NIGHT = date(2017, 11, 30)
HOSTILE = "<script>alert(1)</script>"
ALL: dict[str, Any] = {
    "campaign_id": "all",
    "name": "All campaigns",
    "send_date": "2017-12-01",
    "decisions": {"capped": 700, "scheduled": 320, "not_worth_sending": 41},
    "messages": 320,
    "awaiting_approval": 20,
    "hours": {"email": {"08": 100, "19": 200}, "app_push": {"19": 20}},
    "cost": 3.2,
    "expected_value": 41.75,
    "explored": 16,
    "first_at": "2017-12-01T13:00+00:00",
    "last_at": "2017-12-02T01:00+00:00",
    "not_after": "2017-12-02T02:00+00:00",
    "examples": [],
}
EXAMPLE = {
    "channel": "email",
    "at": "2017-12-01T19:00",
    "items": ["Coffee beans", HOSTILE],
    "expected_value": 0.4321,
    "reason": "email at 19:00 Europe/Berlin, drawn with probability 0.113 from 13 feasible hours.",
}


@pytest.fixture
def client(use_database: None) -> TestClient:
    return TestClient(create_app(lambda: None), raise_server_exceptions=False)


def put(engine: Engine, night: date, *previews: dict[str, Any]) -> None:
    rows = [{"business_date": night, "campaign_id": preview["campaign_id"], "preview": preview} for preview in previews]
    with engine.begin() as connection:
        connection.execute(insert(plan_previews), rows)


def visible(page: str) -> str:
    return " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.S).split())


def charts(page: str) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="figure-([a-z-]+)">(.*?)</script>', page, re.S)
    return {name: json.loads(data) for name, data in found}


def test_without_a_preview_the_page_says_how_to_make_one(engine: Engine, client: TestClient) -> None:
    answer = client.get("/preview")
    assert answer.status_code == 200
    assert "No plan has been previewed yet" in answer.text
    assert "make plan DATE=2017-11-30" in answer.text
    missing = client.get("/preview", params={"business_date": "2017-11-29"})
    assert missing.status_code == 404
    assert "No preview of the night of 2017-11-29" in missing.text


def test_it_shows_the_plan_as_a_whole_and_by_campaign(engine: Engine, client: TestClient) -> None:
    spring = ALL | {"campaign_id": "spring", "name": HOSTILE, "examples": [EXAMPLE]}
    empty = ALL | {"campaign_id": "none", "name": "Nothing", "messages": 0, "hours": {}, "awaiting_approval": 0}
    put(engine, NIGHT, ALL, spring, empty)
    page = client.get("/preview").text
    told = visible(page)
    assert "What would be sent on Fri 1 Dec 2017" in told
    assert "nothing of it was kept or sent" in told
    assert "Messages 320 300 by email , 20 by app push" in told.replace("email,", "email ,")
    assert "Await approval 20" in told
    assert "Cost $3.20" in told
    assert "Expected value $41.75" in told
    assert "had enough messages 700, message planned 320, not worth a message 41." in told
    assert "Email Fri 1 Dec 2017 19:00 $0.4321 Coffee beans;" in told
    assert "drawn with probability 0.113" in told
    assert "Nobody would get a message." in told
    assert "alert(1)" not in re.sub(r"&lt;script&gt;alert\(1\)&lt;/script&gt;", "", page)


def test_its_charts_are_by_hour_and_channel_and_by_decision(engine: Engine, client: TestClient) -> None:
    put(engine, NIGHT, ALL)
    found = charts(client.get("/preview").text)
    email, push = found["hours"]["data"]
    assert (email["name"], email["x"], email["y"]) == ("Email", [8, 19], [100, 200])
    assert (push["name"], push["x"], push["y"]) == ("App push", [19], [20])
    assert found["decisions"]["data"][0]["x"] == [320, 700, 41]


def test_the_latest_night_is_shown_unless_another_is_asked_for(engine: Engine, client: TestClient) -> None:
    put(engine, NIGHT, ALL)
    put(engine, date(2017, 12, 1), ALL | {"send_date": "2017-12-02"})
    assert "What would be sent on Sat 2 Dec 2017" in visible(client.get("/preview").text)
    page = client.get("/preview", params={"business_date": "2017-11-30"}).text
    assert "What would be sent on Fri 1 Dec 2017" in visible(page)
    assert 'href="preview?business_date=2017-12-01"' in page
