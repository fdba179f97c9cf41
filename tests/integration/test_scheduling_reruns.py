"""A night planned again: before delivery, after it, on changed data, and killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from scheduling_shop import DATE, END_OF_DAY, Shop
from sqlalchemy import Connection, Engine, text

from include.business_time import in_quiet_hours
from include.scheduling import learn_responses, learn_send_times, preview_messages, schedule_messages
from include.scheduling.decide import decide
from include.settings import PROJECT_ROOT, Settings

ZONES = ("America/New_York", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", None)
CAMPAIGNS = ("spring", "summer", "autumn")
CUSTOMERS = 60


@pytest.fixture
def shop(engine: Engine) -> Shop:
    """Sixty customers of several zones and pasts, three campaigns."""
    shop = Shop(engine)
    shop.items()
    for number, name in enumerate(CAMPAIGNS):
        shop.campaign(name, channels=["email", "app_push"], priority=number, cost_per_message=0.001)
    for number in range(CUSTOMERS):
        shop.customer(
            f"c{number}",
            time_zone=ZONES[number % len(ZONES)],
            push=f"token-{number}" if number % 3 else None,
            consents=("email", "app_push") if number % 4 else ("app_push",),
            segment=("regular", "loyal", "lapsed")[number % 3],
        )
        for earlier in range(number % 4):
            shop.message(f"c{number}", send_at=END_OF_DAY - timedelta(days=1 + 2 * earlier, hours=number % 9))
    return shop


def settings_of(make_settings: Callable[..., Settings], **scheduling: object) -> Settings:
    return make_settings(scheduling={"messages_per_day": 2, **scheduling})


def plan(shop: Shop, settings: Settings) -> None:
    learn_send_times(shop.engine, settings, business_date=DATE)
    learn_responses(shop.engine, settings, business_date=DATE)
    schedule_messages(shop.engine, settings, business_date=DATE)


def fingerprints(shop: Shop, message_columns: str = "*") -> tuple[str, ...]:
    return (
        shop.fingerprint("message_decisions"),
        shop.fingerprint("messages", message_columns),
        shop.fingerprint("holdouts"),
        shop.fingerprint("send_time_profiles"),
    )


def deliver(shop: Shop) -> None:
    """What delivery may make of a plan: some of every state, some left planned."""
    with shop.engine.begin() as connection:
        connection.execute(
            text(
                """
                with numbered as (
                    select message_id, row_number() over (order by message_id) % 7 as n
                    from marketing.messages where business_date = :day
                )
                update marketing.messages as m set
                    state = (array['planned', 'sending', 'sent', 'sent', 'failed', 'unknown', 'expired'])[n + 1],
                    sent_at = case when n in (2, 3) then send_at + interval '4 minutes' end
                from numbered where numbered.message_id = m.message_id
                """
            ),
            {"day": DATE},
        )


@pytest.mark.parametrize("capacity", [None, 3])
def test_a_rerun_is_identical_before_and_after_delivery(
    shop: Shop, make_settings: Callable[..., Settings], capacity: int | None
) -> None:
    settings = settings_of(make_settings, hourly_capacity=capacity)
    plan(shop, settings)
    assert len(shop.decisions()) == CUSTOMERS * len(CAMPAIGNS)
    assert len(shop.messages()) > 40
    first = fingerprints(shop)
    plan(shop, settings)
    assert fingerprints(shop) == first
    deliver(shop)
    assert Counter(message["state"] for message in shop.messages())["sent"] > 10
    delivered = fingerprints(shop)
    assert (delivered[0], delivered[2], delivered[3]) == (first[0], first[2], first[3])
    plan(shop, settings)
    assert fingerprints(shop) == delivered


def test_every_message_has_its_decision_and_every_candidate_one(
    shop: Shop, make_settings: Callable[..., Settings]
) -> None:
    summary_settings = settings_of(make_settings)
    learn_send_times(shop.engine, summary_settings, business_date=DATE)
    learn_responses(shop.engine, summary_settings, business_date=DATE)
    summary = schedule_messages(shop.engine, summary_settings, business_date=DATE)
    assert summary.candidates == sum(summary.decisions.values()) == CUSTOMERS * len(CAMPAIGNS)
    assert summary.messages_planned == summary.decisions["scheduled"] == len(shop.messages())
    unmatched = """
        select * from marketing.message_decisions as d
        full join (select * from marketing.messages where business_date = :day) as m
            using (business_date, campaign_id, customer_id, channel, send_at)
        where (d.decision = 'scheduled' or m.message_id is not null)
            and (m.message_id is null or d.decision is distinct from 'scheduled')
            and business_date = :day
    """
    assert shop.rows(unmatched, day=DATE) == []


@pytest.fixture
def delivery(shop: Shop) -> Iterator[Connection]:
    """A connection that waits for no lock."""
    with shop.engine.connect() as connection:
        connection.exec_driver_sql("set lock_timeout = '200ms'")
        connection.commit()
        yield connection


def during_decide(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    def decide_meanwhile(*arguments: Any) -> Any:
        happens()
        return decide(*arguments)

    monkeypatch.setattr("include.scheduling.plan.decide", decide_meanwhile)


def test_delivery_says_how_a_message_fared_while_its_night_is_planned_again(
    shop: Shop, make_settings: Callable[..., Settings], delivery: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(make_settings)
    plan(shop, settings)
    deliver(shop)
    sending = [message["message_id"] for message in shop.messages() if message["state"] == "sending"]
    decisions = shop.fingerprint("message_decisions")
    messages = len(shop.messages())

    def try_again() -> None:
        returned = delivery.execute(
            text("update marketing.messages set state = 'planned', attempts = 1 where message_id = any(:sending)"),
            {"sending": sending},
        )
        assert returned.rowcount == len(sending) > 3
        taken_up = delivery.exec_driver_sql(
            "select message_id from marketing.messages where attempts = 0 and state = 'planned' for update skip locked"
        )
        assert taken_up.rowcount == 0, "what a plan replaces is its own"
        delivery.commit()

    during_decide(monkeypatch, try_again)
    schedule_messages(shop.engine, settings, business_date=DATE)
    assert len(shop.messages()) == messages
    assert {row["state"] for row in shop.messages() if row["message_id"] in sending} == {"planned"}
    assert {row["attempts"] for row in shop.messages() if row["message_id"] in sending} == {1}, "not written anew"
    assert shop.fingerprint("message_decisions") == decisions


def test_a_dry_run_leaves_delivery_alone_while_it_decides(
    shop: Shop, make_settings: Callable[..., Settings], delivery: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(make_settings)
    plan(shop, settings)
    planned = len(shop.messages())

    def take_up() -> None:
        taken_up = delivery.exec_driver_sql(
            "update marketing.messages set state = 'sending' where message_id in"
            " (select message_id from marketing.messages where state = 'planned' for update skip locked)"
        )
        assert taken_up.rowcount == planned
        delivery.commit()

    during_decide(monkeypatch, take_up)
    assert preview_messages(shop.engine, settings, business_date=DATE).messages == planned
    assert {message["state"] for message in shop.messages()} == {"sending"}


def longest_week(times: list[datetime]) -> int:
    return max(sum(end - timedelta(days=7) < at <= end for at in times) for end in times)


def assert_caps_and_quiet_hours(shop: Shop, settings: Settings) -> None:
    rows = shop.rows(
        """
        select m.*, coalesce(c.time_zone, 'America/New_York') as time_zone,
            coalesce(m.sent_at, m.send_at) as at
        from marketing.messages as m inner join marketing.customers as c using (customer_id)
        """
    )
    rules = settings.scheduling
    for customer in {row["customer_id"] for row in rows}:
        own = [row for row in rows if row["customer_id"] == customer]
        if any(row["business_date"] == DATE for row in own):
            zone = ZoneInfo(own[0]["time_zone"])
            of_day = Counter(row["at"].astimezone(zone).date() for row in own if row["business_date"] == DATE)
            assert max(of_day.values()) <= rules.messages_per_day
            assert longest_week([row["at"] for row in own]) <= rules.messages_per_week
    for row in rows:
        if row["business_date"] == DATE:
            assert not in_quiet_hours(row["send_at"], row["time_zone"], rules.quiet_from, rules.quiet_until)


def test_caps_hold_across_nights_and_campaigns(shop: Shop, make_settings: Callable[..., Settings]) -> None:
    settings = settings_of(make_settings)
    plan(shop, settings)
    assert_caps_and_quiet_hours(shop, settings)
    assert {row["decision"] for row in shop.decisions().values()} >= {"scheduled", "capped", "no_address"}


def test_a_rerun_on_changed_data_keeps_what_went_out_and_the_caps(
    shop: Shop, make_settings: Callable[..., Settings]
) -> None:
    """The low campaign's messages are sent; then a higher one appears and consents change."""
    settings = settings_of(make_settings, messages_per_day=1, hourly_capacity=4)
    plan(shop, settings)
    with shop.engine.begin() as connection:
        connection.execute(
            text("update marketing.messages set state = 'sent' where business_date = :day"), {"day": DATE}
        )
    sent = shop.messages()
    decisions = shop.decisions()
    shop.campaign("first of all", priority=99, control_share=0.0)
    for number in range(0, CUSTOMERS, 2):
        shop.consent(f"c{number}", "app_push", granted=False, at=END_OF_DAY - timedelta(minutes=1))
        if not number % 4:
            shop.consent(f"c{number}", "email", granted=True, at=END_OF_DAY - timedelta(minutes=1))
    plan(shop, settings)
    after = {message["message_id"]: message for message in shop.messages()}
    assert all(after[message["message_id"]] == message for message in sent)
    for message in sent:
        key = (message["campaign_id"], message["customer_id"])
        assert shop.decisions()[key] == decisions[key]
    assert_caps_and_quiet_hours(shop, settings)
    assert len(after) > len(sent), "who had nothing before may get the new campaign"
    assert max(Counter(message["send_at"].replace(minute=0) for message in after.values()).values()) <= 4
    taken_up = [row for row in shop.decisions().values() if "taken up before" in row["reason"]]
    assert {row["decision"] for row in taken_up} == {"capped"}


def test_another_seed_draws_other_hours(shop: Shop, make_settings: Callable[..., Settings]) -> None:
    plan(shop, settings_of(make_settings, seed=1))
    hours = {message["message_id"]: message["send_at"] for message in shop.messages()}
    plan(shop, settings_of(make_settings, seed=2))
    assert {message["message_id"]: message["send_at"] for message in shop.messages()} != hours


KILLED_RUN = """
import sys
from datetime import date
from include.db.engine import make_engine
from include.scheduling import schedule_messages
from include.settings import load_settings
settings = load_settings()
schedule_messages(make_engine(settings), settings, business_date=date.fromisoformat(sys.argv[1]))
"""


def test_a_run_killed_while_it_writes_leaves_the_old_plan(
    shop: Shop, make_settings: Callable[..., Settings], database_url: str
) -> None:
    settings = settings_of(make_settings)
    plan(shop, settings)
    before = fingerprints(shop)
    with shop.engine.begin() as connection:
        connection.execute(
            text(
                "create function wait() returns trigger language plpgsql as "
                "$$ begin perform pg_sleep(60); return new; end $$"
            )
        )
        connection.execute(
            text("create trigger wait before insert on marketing.messages for each statement execute function wait()")
        )
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_RUN, DATE.isoformat()],
        cwd=PROJECT_ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(PROJECT_ROOT),
            "LAMPLIGHTER_DATABASE_URL": database_url,
            "LAMPLIGHTER_BUSINESS_TIME_ZONE": "America/New_York",
        },
    )
    try:
        wait_until_it_writes(shop, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with shop.engine.begin() as connection:
        # The server notices a lost client only when it answers; a restarted task would wait for that.
        connection.execute(text("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'"))
        connection.execute(text("drop trigger wait on marketing.messages"))
    assert fingerprints(shop) == before
    plan(shop, settings)
    assert fingerprints(shop) == before


def wait_until_it_writes(shop: Shop, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    asleep = "select pid from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
    while not shop.rows(asleep):
        assert process.poll() is None, "the run ended before it wrote"
        assert time.monotonic() < deadline
        time.sleep(0.1)
