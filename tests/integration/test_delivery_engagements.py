"""What came back, on a real Postgres: resolution, machines, suppressions."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from delivery_world import NINE, PROVENANCE, World
from sqlalchemy import Engine, delete, select, text

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
    return sent_to(world, f"of-{message_id}", message_id)


def sent_to(world: World, customer_id: str, message_id: str) -> str:
    """The planned message, sent at its hour to the address ``customer_id`` has now."""
    with world.engine.begin() as connection:
        connection.execute(
            text(
                "update marketing.messages m set state = 'sent', sent_at = send_at, customer_id = a.customer_id,"
                " address_hash = a.address_hash from marketing.addresses a"
                " where m.message_id = :message_id and a.customer_id = :customer_id and a.channel = m.channel"
            ),
            {"message_id": message_id, "customer_id": customer_id},
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


def address_hash(email: str) -> tuple[str, str]:
    return hashlib.sha256(email.encode()).hexdigest(), "email"


def email_hash(message_id: str) -> tuple[str, str]:
    return address_hash(f"customer+{message_id}@example.com")


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
            world.plan(f"{customer}{number}", send_at=NINE + (number - 1) * DAY)
            sent_to(world, f"of-{customer}1", f"{customer}{number}")
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


def test_a_bounce_closes_the_address_it_came_from_and_none_that_comes_after(
    world: World, engine: Engine, settings: Settings
) -> None:
    sent(world, "known")
    world.engage("bounce", NINE + HOUR, message_id="known")
    world.plan("former")
    history = {"campaign_id": "old", "customer_id": "of-former", "channel": "email", "arm": "treated", "sent_at": NINE}
    world.insert(tables.message_history, history | PROVENANCE)
    world.engage("bounce", NINE + HOUR, campaign_id="old", customer_id="of-former")
    sent(world, "unread")
    world.engage("bounce", NINE + HOUR, message_id="unread")
    world.move("of-unread", email="moved+unread@example.com")
    process(engine, settings)
    closed = {email_hash(name): ("hard_bounce", NINE + HOUR) for name in ("known", "former", "unread")}
    assert world.suppressions() == closed
    for name in ("known", "former"):
        world.move(f"of-{name}", email=f"moved+{name}@example.com")
    assert process(engine, settings) == EngagementSummary(0, 0, 0, 0, 0, 0, 0, 0)
    assert world.suppressions() == closed


def test_soft_bounces_in_a_row_are_of_one_address(world: World, engine: Engine, settings: Settings) -> None:
    for number in (1, 2, 3, 4, 5):
        world.plan(f"m{number}", send_at=NINE + number * DAY)
        if number == 3:
            world.move("of-m1", email="moved@example.com")
        sent_to(world, "of-m1", f"m{number}")
        world.engage("bounce", NINE + number * DAY + HOUR, message_id=f"m{number}", bounce_type="soft")
        process(engine, settings)
        if number < 5:
            assert world.suppressions() == {}, "two of the first address, then up to two of the second"
    assert world.suppressions() == {address_hash("moved@example.com"): ("soft_bounces", NINE + 5 * DAY + HOUR)}


@pytest.mark.parametrize("engagement_type", ["unsubscribe", "complaint"])
def test_who_left_is_not_followed_to_a_new_address(
    world: World, engine: Engine, settings: Settings, engagement_type: str
) -> None:
    sent(world, "m1")
    world.engage(engagement_type, NINE + HOUR, message_id="m1")
    world.move("of-m1", email="moved@example.com")
    process(engine, settings)
    left = (engagement_type, NINE + HOUR)
    assert world.suppressions() == {email_hash("m1"): left, address_hash("moved@example.com"): left}
    world.move("of-m1", email="again@example.com")
    process(engine, settings)
    assert world.suppressions()[address_hash("again@example.com")] == left


@pytest.mark.parametrize("engagement_type", ["bounce", "unsubscribe"])
def test_what_an_operator_released_stays_released_until_a_later_ground(
    world: World, engine: Engine, settings: Settings, engagement_type: str
) -> None:
    reason = {"bounce": "hard_bounce"}.get(engagement_type, engagement_type)
    sent(world, "m1")
    world.engage(engagement_type, NINE + HOUR, message_id="m1")
    world.engage(engagement_type, NINE + 2 * HOUR, message_id="m1")
    process(engine, settings)
    world.release(email_hash("m1"), NINE + DAY)
    before = _tables(engine)
    process(engine, settings)
    assert _tables(engine) == before, "the old grounds are answered"
    world.move("of-m1", email="moved@example.com")
    process(engine, settings)
    assert _tables(engine) == before, "also for the address that comes next"
    world.move("of-m1", email="customer+m1@example.com")
    world.engage(engagement_type, NINE + 2 * DAY, message_id="m1")
    world.engage(engagement_type, NINE + 3 * DAY, message_id="m1")
    process(engine, settings)
    assert world.suppressions() == {email_hash("m1"): (reason, NINE + 2 * DAY)}
    world.release(email_hash("m1"), NINE + 4 * DAY)
    before = _tables(engine)
    process(engine, settings)
    assert _tables(engine) == before


def test_a_suppression_deleted_rather_than_released_comes_back(
    world: World, engine: Engine, settings: Settings
) -> None:
    sent(world, "m1")
    world.engage("bounce", NINE + HOUR, message_id="m1")
    process(engine, settings)
    before = _tables(engine)
    with engine.begin() as connection:
        connection.execute(delete(tables.suppressions))
    process(engine, settings)
    assert _tables(engine) == before


def test_a_release_begins_a_new_row_of_soft_bounces(world: World, engine: Engine, settings: Settings) -> None:
    def bounce_softly(number: int) -> None:
        world.plan(f"m{number}", send_at=NINE + number * DAY)
        sent_to(world, "of-m1", f"m{number}")
        world.engage("bounce", NINE + number * DAY + HOUR, message_id=f"m{number}", bounce_type="soft")
        process(engine, settings)

    for number in (1, 2, 3):
        bounce_softly(number)
    world.release(email_hash("m1"), NINE + 4 * DAY)
    for number in (5, 6):
        bounce_softly(number)
        assert world.suppressions() == {email_hash("m1"): ("soft_bounces", NINE + 3 * DAY + HOUR)}
    bounce_softly(7)
    assert world.suppressions() == {email_hash("m1"): ("soft_bounces", NINE + 7 * DAY + HOUR)}


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
