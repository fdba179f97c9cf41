"""What came back, on a real Postgres: resolution, machines, suppressions."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from delivery_world import NINE, PROVENANCE, World
from sqlalchemy import Engine, select, text, update

from include.db import tables
from include.delivery import EngagementSummary, process_engagements
from include.settings import Settings

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
END = NINE + timedelta(days=10)
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def sent(world: World, message_id: str, **fields: object) -> str:
    """A message sent at its hour."""
    world.plan(message_id, **fields)  # type: ignore[arg-type]  # passed through as they came
    with world.engine.begin() as connection:
        connection.execute(
            update(tables.messages)
            .where(tables.messages.c.message_id == message_id)
            .values(state="sent", sent_at=tables.messages.c.send_at)
        )
    return message_id


def machines(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(
            connection.execute(
                select(tables.engagements.c.engagement_id).where(tables.engagements.c.is_machine)
            ).scalars()
        )


def process(engine: Engine, settings: Settings, as_of: object = END) -> EngagementSummary:
    return process_engagements(engine, settings, as_of=as_of)  # type: ignore[arg-type]  # a wrong one is a test too


def email_hash(message_id: str) -> tuple[str, str]:
    return hashlib.sha256(f"customer+{message_id}@example.com".encode()).hexdigest(), "email"


def test_an_engagement_by_campaign_and_customer_finds_the_latest_message_sent_before_it(
    world: World, engine: Engine, settings: Settings
) -> None:
    sent(world, "first")
    with engine.begin() as connection:
        for message_id, state, at in (("second", "sent", NINE + 24 * HOUR), ("third", "expired", NINE + 48 * HOUR)):
            connection.execute(
                text(
                    "insert into marketing.messages (message_id, campaign_id, customer_id, channel, send_date,"
                    " business_date, send_at, not_after, state, sent_at, content)"
                    " values (:id, 'c1', 'of-first', 'email', cast(:at as date), cast(:at as date), :at, :at, :state,"
                    " case when :state = 'sent' then cast(:at as timestamptz) end, '{}')"
                ),
                {"id": message_id, "state": state, "at": at},
            )
    who = {"campaign_id": "c1", "customer_id": "of-first"}
    expected = {
        world.engage("click", NINE - HOUR, **who): None,
        world.engage("click", NINE + HOUR, **who): "first",
        world.engage("click", NINE + 25 * HOUR, **who): "second",
        world.engage("click", NINE + 49 * HOUR, **who): "second",
        world.engage("click", NINE + HOUR, campaign_id="other", customer_id="of-first"): None,
        world.engage("click", END, **who): None,
        world.engage("click", NINE + HOUR, message_id="nowhere"): "nowhere",
    }
    summary = process(engine, settings)
    with engine.connect() as connection:
        found = connection.execute(select(tables.engagements.c.engagement_id, tables.engagements.c.message_id)).all()
    assert {row.engagement_id: row.message_id for row in found} == expected
    assert summary.engagements_resolved == 3
    assert summary.engagements_unresolved == 3, "too early, other campaign, unknown message; not the one of the future"


def test_machines_are_marked_by_speed_agent_and_bursts(world: World, engine: Engine, settings: Settings) -> None:
    for message_id in ("m1", "m2", "m3", "m4"):
        sent(world, message_id)
    seconds = timedelta(seconds=1)
    world.engage("delivered", NINE + HOUR, message_id="m2")
    marked = {
        world.engage("open", NINE + 10 * seconds, message_id="m1", user_agent=PERSON),
        world.engage("click", NINE + 3 * seconds, message_id="m1"),
        world.engage("open", NINE + HOUR + 5 * seconds, message_id="m2", user_agent=PERSON),
        world.engage("open", NINE + 2 * HOUR, message_id="m1", user_agent="Mozilla/5.0"),
        world.engage("open", NINE + 2 * HOUR, message_id="m1", user_agent="x (via ggpht.com GoogleImageProxy)"),
        world.engage("click", NINE + 2 * HOUR, message_id="m1", user_agent="Barracuda Sentinel (EE)"),
        *(world.engage("click", NINE + HOUR + n * seconds, message_id="m3", url=f"https://x/{n}") for n in range(4)),
    }
    people = {
        world.engage("open", NINE + 11 * seconds, message_id="m1", user_agent=PERSON),
        world.engage("open", NINE + HOUR + 11 * seconds, message_id="m2"),
        world.engage("click", NINE + 3 * HOUR, message_id="m3", url="https://x/1"),
        *(world.engage("click", NINE + HOUR + n * seconds, message_id="m4", url="https://x/same") for n in range(5)),
        *(world.engage("click", NINE + n * HOUR, message_id="m4", url=f"https://x/{n}") for n in range(1, 5)),
        world.engage("unsubscribe", NINE + seconds, message_id="m1"),
    }
    summary = process(engine, settings)
    assert machines(engine) == marked
    assert not machines(engine) & people
    assert summary.engagements_marked_machine == len(marked)


def test_a_mark_that_no_longer_holds_is_taken_off(world: World, engine: Engine, settings: Settings) -> None:
    sent(world, "m1")
    world.engage("open", NINE + HOUR, message_id="m1", user_agent=PERSON, is_machine=True)
    assert process(engine, settings).engagements_unmarked_machine == 1
    assert machines(engine) == set()


def test_who_left_complained_or_bounced_is_suppressed_from_that_instant(
    world: World, engine: Engine, settings: Settings
) -> None:
    for message_id in ("left", "complained", "hard", "plain", "soft", "clicked"):
        sent(world, message_id)
    sent(world, "push", channel="app_push")
    world.engage("unsubscribe", NINE + 2 * HOUR, message_id="left")
    world.engage("complaint", NINE + HOUR, message_id="left")
    world.engage("complaint", NINE + HOUR, message_id="complained")
    world.engage("bounce", NINE + HOUR, message_id="hard", bounce_type="hard")
    world.engage("bounce", NINE + HOUR, message_id="plain")
    world.engage("bounce", NINE + HOUR, message_id="soft", bounce_type="soft")
    world.engage("click", NINE + HOUR, message_id="clicked")
    world.engage("unsubscribe", NINE + HOUR, message_id="push")
    summary = process(engine, settings)
    assert world.suppressions() == {
        email_hash("left"): ("complaint", NINE + HOUR),
        email_hash("complained"): ("complaint", NINE + HOUR),
        email_hash("hard"): ("hard_bounce", NINE + HOUR),
        email_hash("plain"): ("hard_bounce", NINE + HOUR),
        (hashlib.sha256(b"customer-push").hexdigest(), "app_push"): ("unsubscribe", NINE + HOUR),
    }
    assert (summary.suppressed_complaint, summary.suppressed_hard_bounce, summary.suppressed_unsubscribe) == (2, 2, 1)


def test_soft_bounces_suppress_only_in_a_row_and_once_per_message(
    world: World, engine: Engine, settings: Settings
) -> None:
    for customer in ("row", "broken"):
        sent(world, f"{customer}1")
        for number in (2, 3, 4, 5):
            sent(world, f"{customer}{number}", send_at=NINE + (number - 1) * DAY)
        with engine.begin() as connection:
            connection.execute(
                update(tables.messages)
                .where(tables.messages.c.message_id.startswith(customer))
                .values(customer_id=f"of-{customer}1")
            )
    minute = timedelta(minutes=1)
    for number in (1, 2, 3, 4):
        world.engage("bounce", NINE + (number - 1) * DAY + minute, message_id=f"row{number}", bounce_type="soft")
        world.engage("bounce", NINE + (number - 1) * DAY + 2 * minute, message_id=f"row{number}", bounce_type="soft")
    for number in (1, 2, 4, 5):
        world.engage("bounce", NINE + (number - 1) * DAY + minute, message_id=f"broken{number}", bounce_type="soft")
    world.engage("open", NINE + 2 * DAY + minute, message_id="broken3")
    summary = process(engine, settings)
    assert world.suppressions() == {email_hash("row1"): ("soft_bounces", NINE + 2 * DAY + minute)}
    assert summary.suppressed_soft_bounces == 1


def test_an_unsubscribe_from_a_former_tools_message_counts_on_its_channel_or_on_all(
    world: World, engine: Engine, settings: Settings
) -> None:
    world.plan("known")
    world.plan("unknown")
    history = {"campaign_id": "old", "customer_id": "of-known", "channel": "email", "arm": "treated", "sent_at": NINE}
    world.insert(tables.message_history, history | PROVENANCE)
    for name in ("known", "unknown"):
        world.engage("unsubscribe", NINE + HOUR, campaign_id="old", customer_id=f"of-{name}")
    world.engage("bounce", NINE + HOUR, campaign_id="old", customer_id="of-unknown")
    summary = process(engine, settings)
    token = hashlib.sha256(b"customer-unknown").hexdigest(), "app_push"
    assert set(world.suppressions()) == {email_hash("known"), email_hash("unknown"), token}
    assert summary.engagements_unresolved == 2


def test_an_earlier_cause_learnt_later_moves_the_suppression_back(
    world: World, engine: Engine, settings: Settings
) -> None:
    sent(world, "m1")
    world.engage("complaint", NINE + 2 * HOUR, message_id="m1")
    process(engine, settings)
    world.engage("unsubscribe", NINE + HOUR, message_id="m1")
    assert process(engine, settings).suppressed_unsubscribe == 1
    assert world.suppressions() == {email_hash("m1"): ("unsubscribe", NINE + HOUR)}


def test_a_second_run_changes_nothing_and_the_future_does_not_count(
    world: World, engine: Engine, settings: Settings
) -> None:
    sent(world, "m1")
    who = {"campaign_id": "c1", "customer_id": "of-m1"}
    world.engage("open", NINE + timedelta(seconds=2), **who)
    world.engage("unsubscribe", NINE + 3 * HOUR, **who)
    early = process(engine, settings, NINE + 3 * HOUR)
    assert (early.engagements_resolved, early.suppressed_unsubscribe, world.suppressions()) == (1, 0, {})
    assert process(engine, settings).suppressed_unsubscribe == 1
    before = _tables(engine)
    assert process(engine, settings) == EngagementSummary(0, 0, 0, 0, 0, 0, 0, 0)
    assert _tables(engine) == before
    with pytest.raises(ValueError, match="has no UTC offset"):
        process(engine, settings, NINE.replace(tzinfo=None))


def _tables(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(
            connection.execute(
                text(
                    "select row_to_json(e)::text from marketing.engagements e union all"
                    " select row_to_json(s)::text from marketing.suppressions s order by 1"
                )
            ).scalars()
        )
