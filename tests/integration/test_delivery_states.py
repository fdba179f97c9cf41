"""Every way a message can go, through real sinks and a real Postgres."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import CONTENT, NINE, World, arrivals, deliver, settings_for
from sqlalchemy import Engine, update

from include.db import tables
from include.demo.sinks import Sinks, running_sinks
from include.settings import Settings

HOUR = timedelta(hours=1)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


@pytest.fixture
def sinks(tmp_path: Path) -> Iterator[Sinks]:
    with running_sinks(tmp_path / "sinks") as running:
        yield running


@pytest.fixture
def delivery_settings(make_settings: Callable[..., Settings], sinks: Sinks) -> Settings:
    return settings_for(make_settings, sinks)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("channel", ["email", "app_push"])
def test_a_due_message_is_sent_once_however_often_the_run_repeats(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks, channel: str
) -> None:
    world.plan("m1", channel=channel)
    first = deliver(engine, delivery_settings)
    again = deliver(engine, delivery_settings)
    later = deliver(engine, delivery_settings, NINE + HOUR)
    row = world.message("m1")
    assert (first.sent, again.sent, later.sent) == (1, 0, 0)
    assert (row.state, row.sent_at, row.attempts, row.error) == ("sent", NINE, 1, None)
    assert arrivals(sinks) == ["m1"]
    json.dumps(asdict(first))


def test_the_mail_says_what_it_should(world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks) -> None:
    world.plan("m1")
    deliver(engine, delivery_settings)
    [mail] = sinks.mails()
    assert mail["From"] == "Corner Shop <hello@corner.example>"
    assert mail["To"] == "customer+m1@example.com"
    assert mail["Date"].datetime == NINE
    assert mail["Message-ID"] == "<m1@corner.example>"
    assert mail["List-Unsubscribe"] == "<mailto:unsubscribe@localhost?subject=unsubscribe%20m1>"
    assert mail["Auto-Submitted"] == "auto-generated"
    plain = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # a mail without body fails here
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]  # the same
    for body in (plain, html):
        assert "Ice cream - bulk" in body
        assert "Because you bought Fluid milk" in body
        assert "You buy this regularly" in body
        assert "$3.99" in body
        assert "http://localhost/shop/items/ice" in body
    assert sinks.mail_files()[0].name == "m1.eml"


def test_the_push_says_what_it_should(
    world: World, engine: Engine, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    world.plan("m1", channel="app_push")
    with running_sinks(tmp_path / "guarded", push_token="secret") as sinks:  # noqa: S106 - the sink's own token
        wrong = deliver(engine, settings_for(make_settings, sinks, push_token="wrong"))  # noqa: S106 - a token made up
        assert wrong.put_back == 1
        assert "delivery.push_token" in world.message("m1").error
        deliver(engine, settings_for(make_settings, sinks, push_token="secret"))  # noqa: S106 - as above
        [push] = sinks.pushes()
    assert push["message_id"] == push["idempotency_key"] == "m1"
    assert push["token"] == "customer-m1"  # noqa: S105 - the customer's made-up device
    assert push["title"] == "Ice cream - bulk for $3.99"
    assert push["body"] == "Because you bought Fluid milk. And 1 more picked for you."
    assert push["url"] == "http://localhost/shop/items/ice"
    assert [item["item_id"] for item in push["items"]] == ["ice", "tea"]


@pytest.mark.parametrize("channel", ["email", "app_push"])
def test_a_dead_address_fails_and_is_suppressed_from_that_instant(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks, channel: str
) -> None:
    world.plan("m1", channel=channel, email=" bounce-hard@Example.com ", local_part="bounce-hard")
    deliver(engine, delivery_settings)
    row = world.message("m1")
    assert row.state == "failed"
    assert "bounce-hard" not in row.error, "an error must not repeat the address"
    address = "bounce-hard@example.com" if channel == "email" else "bounce-hard-m1"
    assert row.address_hash == sha256(address)
    assert world.suppressions() == {(sha256(address), channel): ("hard_bounce", NINE)}
    assert arrivals(sinks) == []
    world.release((sha256(address), channel), NINE)
    later = NINE + timedelta(days=1)
    world.plan("m2", channel=channel, send_at=later)
    world.move("of-m2", email="bounce-hard@example.com", push_token="bounce-hard-m1")  # noqa: S106 - a made-up device
    assert deliver(engine, delivery_settings, later).failed == 1, "tried again, and dead again"
    assert world.suppressions() == {(sha256(address), channel): ("hard_bounce", later)}


@pytest.mark.parametrize("channel", ["email", "app_push"])
def test_a_passing_refusal_is_tried_again_later_and_given_up_in_the_end(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks, channel: str
) -> None:
    world.plan("m1", channel=channel, local_part="bounce-soft")
    for attempt in (1, 2):
        assert deliver(engine, delivery_settings, NINE + attempt * timedelta(minutes=10)).put_back == 1
        row = world.message("m1")
        assert (row.state, row.attempts, row.claimed_by) == ("planned", attempt, None)
        assert ("451" if channel == "email" else "503") in row.error
    assert deliver(engine, delivery_settings, NINE + HOUR).failed == 1
    row = world.message("m1")
    assert (row.state, row.attempts) == ("failed", 3)
    assert row.error.startswith("gave up after 3 attempts")
    assert world.suppressions() == {}
    assert deliver(engine, delivery_settings, NINE + 2 * HOUR).failed == 0


@pytest.mark.parametrize("channel", ["email", "app_push"])
def test_a_refused_content_fails_without_suppressing_the_address(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks, channel: str
) -> None:
    world.plan("m1", channel=channel, local_part="refuse")
    world.plan("m2", channel=channel)
    deliver(engine, delivery_settings)
    assert world.states() == {"m1": "failed", "m2": "sent"}
    assert world.suppressions() == {}


@pytest.mark.parametrize("channel", ["email", "app_push"])
def test_silence_after_the_hand_over_is_unknown_and_never_tried_again(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks, channel: str
) -> None:
    world.plan("m1", channel=channel, local_part="drop")
    world.plan("m2", channel=channel)
    summary = deliver(engine, delivery_settings)
    assert (summary.unknown, summary.sent) == (1, 1), "the next message goes over a new connection"
    row = world.message("m1")
    assert (row.state, row.sent_at) == ("unknown", None)
    assert "no answer" in row.error
    deliver(engine, delivery_settings, NINE + HOUR)
    assert arrivals(sinks) == ["m1", "m2"]


@pytest.mark.parametrize("channel", ["email", "app_push"])
def test_a_channel_that_is_down_costs_no_message_an_attempt_and_the_hours_still_end(
    world: World, engine: Engine, make_settings: Callable[..., Settings], sinks: Sinks, channel: str
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    down = settings_for(make_settings, smtp_port=port, push_url=f"http://127.0.0.1:{port}/push")
    world.plan_many(["m1", "m2", "m3"], channel=channel)
    world.plan("short", channel=channel, not_after=NINE + HOUR)
    for run in range(6):
        assert deliver(engine, down, NINE + run * timedelta(minutes=10)).put_back == 4
    assert set(world.states().values()) == {"planned"}
    assert {world.message(message_id).attempts for message_id in world.states()} == {0}
    assert f"127.0.0.1:{port}" in world.message("m1").error
    summary = deliver(engine, settings_for(make_settings, sinks), NINE + HOUR)
    assert (summary.sent, summary.expired) == (3, 1)
    assert arrivals(sinks) == ["m1", "m2", "m3"]
    assert world.message("short").error.endswith(
        "could not be reached at 2017-11-30T09:50:00+00:00; waiting for the next run"
    )


def test_a_server_that_never_answers_the_data_leaves_it_unknown(
    world: World, engine: Engine, make_settings: Callable[..., Settings]
) -> None:
    world.plan("m1", channel="app_push")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, reads, never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/push"
        deliver(engine, settings_for(make_settings, push_url=url, timeout_seconds=1))
    assert world.message("m1").state == "unknown"


def test_past_its_last_instant_a_message_expires(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks
) -> None:
    world.plan("m1", not_after=NINE + HOUR)
    world.plan("m2", not_after=NINE + HOUR + timedelta(microseconds=1))
    summary = deliver(engine, delivery_settings, NINE + HOUR)
    assert (summary.expired, summary.sent) == (1, 1)
    assert world.states() == {"m1": "expired", "m2": "sent"}
    assert arrivals(sinks) == ["m2"]


def test_before_its_hour_nothing_is_sent(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks
) -> None:
    world.plan("m1")
    assert deliver(engine, delivery_settings, NINE - timedelta(microseconds=1)).sent == 0
    assert world.states() == {"m1": "planned"}


def test_who_left_between_planning_and_sending_is_not_written_to(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks
) -> None:
    just_before = NINE - timedelta(minutes=1)
    known = ("withdrew", "suppressed", "withdraws_later", "suppressed_later", "other_channel", "released", "relapsed")
    for message_id in known:
        world.plan(message_id)
    world.plan("never_asked", consented=False)
    world.plan("no_address", email=" ")
    world.consent("of-withdrew", "email", False, just_before)
    world.consent("of-withdraws_later", "email", False, NINE + HOUR)
    for message_id, channel, since, released_at in (
        ("suppressed", "email", just_before, None),
        ("suppressed_later", "email", NINE + HOUR, None),
        ("other_channel", "app_push", just_before, None),
        ("released", "email", just_before, just_before),
        ("relapsed", "email", just_before, just_before - HOUR),
    ):
        address = sha256(f"customer+{message_id}@example.com")
        world.insert(
            tables.suppressions,
            {"address_hash": address, "channel": channel, "reason": "complaint", "since": since}
            | {"released_at": released_at},
        )
    summary = deliver(engine, delivery_settings)
    assert (summary.sent, summary.cancelled) == (4, 5)
    assert arrivals(sinks) == ["other_channel", "released", "suppressed_later", "withdraws_later"]
    reasons = {name: world.message(name).error for name, state in world.states().items() if state == "cancelled"}
    assert reasons == {
        "withdrew": "consent for this channel was withdrawn",
        "suppressed": "address suppressed: complaint",
        "relapsed": "address suppressed: complaint",
        "never_asked": "no consent on record for this channel",
        "no_address": "no address on file for this channel",
    }
    assert world.message("withdrew").attempts == 0


def test_a_replay_acts_at_every_hour_in_its_turn(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks
) -> None:
    midnight = datetime(2017, 11, 30, tzinfo=UTC)
    world.plan("at_nine", send_at=NINE)
    world.plan("past_ten", send_at=NINE + HOUR + timedelta(minutes=20))
    world.plan("tomorrow", send_at=midnight + timedelta(days=1, hours=9))
    world.plan("missed", send_at=midnight - timedelta(days=2), not_after=midnight - timedelta(days=1))
    # Consent withdrawn at ten: the mail of nine o'clock was right, though the replay happens long after.
    world.consent("of-at_nine", "email", False, NINE + HOUR)
    summary = deliver(engine, delivery_settings, midnight + timedelta(days=1), since=midnight)
    assert (summary.sent, summary.expired) == (2, 1)
    assert world.message("at_nine").sent_at == NINE
    assert world.message("past_ten").sent_at == NINE + 2 * HOUR
    assert world.states()["tomorrow"] == "planned"
    assert sorted(mail["Date"].datetime for mail in sinks.mails()) == [NINE, NINE + 2 * HOUR]
    assert deliver(engine, delivery_settings, midnight + timedelta(days=1), since=midnight).sent == 0


def test_a_replay_tries_again_each_hour(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks
) -> None:
    world.plan("m1", local_part="bounce-soft")
    summary = deliver(engine, delivery_settings, NINE + 5 * HOUR, since=NINE)
    assert (summary.put_back, summary.failed) == (2, 1)
    assert world.message("m1").claimed_at == NINE + 2 * HOUR


def test_small_batches_send_everything(
    world: World, engine: Engine, make_settings: Callable[..., Settings], sinks: Sinks
) -> None:
    world.plan_many([f"m{number}" for number in range(7)])
    world.plan_many([f"p{number}" for number in range(4)], channel="app_push")
    world.plan_many(["x1", "x2"], local_part="bounce-soft")
    summary = deliver(engine, settings_for(make_settings, sinks, batch_size=2))
    assert (summary.sent, summary.put_back) == (11, 2)
    assert len(arrivals(sinks)) == len(set(arrivals(sinks))) == 11


@pytest.mark.parametrize(
    ("template", "word"), [("christmas", "default"), ("../../secrets", "default"), ("/etc", "default")]
)
def test_an_unknown_template_fails_the_message_and_names_the_known_ones(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks, template: str, word: str
) -> None:
    world.plan("m1", content=CONTENT | {"template": template})
    assert deliver(engine, delivery_settings).failed == 1
    error = world.message("m1").error
    assert template in error
    assert word in error
    assert arrivals(sinks) == []


def test_a_template_that_reaches_into_python_sends_nothing(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks, tmp_path: Path
) -> None:
    folder = tmp_path / "templates" / "default"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("{{ ''.__class__.__mro__ }}")
    (folder / "email.txt").write_text("text")
    (folder / "email.mjml").write_text("<mjml><mj-body></mj-body></mjml>")
    world.plan("m1")
    assert deliver(engine, delivery_settings, templates=tmp_path / "templates").failed == 1
    assert "SecurityError" in world.message("m1").error
    assert arrivals(sinks) == []


def test_items_gone_since_planning_are_left_out_and_an_empty_message_is_not_sent(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks
) -> None:
    world.plan("m1")
    world.plan("m2", content={"items": [{"item_id": "ice", "strategy": "als", "reason_item_id": None}]})
    with engine.begin() as connection:
        connection.execute(update(tables.items).where(tables.items.c.item_id == "ice").values(in_stock=False))
    deliver(engine, delivery_settings)
    assert world.states() == {"m1": "sent", "m2": "failed"}
    assert "out of stock" in world.message("m2").error
    assert sinks.mails()[0]["Subject"] == "TEA, picked for you"


def test_hostile_data_stay_text(world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks) -> None:
    title = 'Tea"><script>alert(1)</script>\r\nBcc: everyone@example.com\r\n\r\n{{ 7 * 7 }}'
    row = {"item_id": "evil/../1?", "title": title, "url": "javascript:alert(1)", "category": None, "file_id": 1}
    world.insert(tables.items, row | {"row_number": 1, "image_url": 'https://x.example/"onerror="alert(1)'})
    content = {"items": [{"item_id": "evil/../1?", "strategy": "popularity", "reason_item_id": None}]}
    world.plan("m1", content=content)
    world.plan("m2", email="a@example.com>\r\nRCPT TO:<b@example.com", content=content)
    deliver(engine, delivery_settings)
    assert world.states() == {"m1": "sent", "m2": "failed"}
    [mail] = sinks.mails()
    assert mail["Bcc"] is None
    assert "Bcc: everyone@example.com" in mail["Subject"]
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]  # a mail without body fails here
    assert "<script>" not in html
    assert "javascript:" not in html
    assert '"onerror' not in html
    assert "{{ 7 * 7 }}" in html, "data are never a template"
    assert "http://localhost/shop/items/evil%2F..%2F1%3F" in html


def test_an_address_beyond_ascii_arrives(
    world: World, engine: Engine, delivery_settings: Settings, sinks: Sinks
) -> None:
    world.plan("m1", email="jürgen@example.com")
    deliver(engine, delivery_settings)
    assert world.states() == {"m1": "sent"}
    assert sinks.mails()[0]["To"] == "jürgen@example.com"


def test_instants_without_offset_and_backward_replays_are_refused(engine: Engine, delivery_settings: Settings) -> None:
    with pytest.raises(ValueError, match="as_of 2017-11-30 09:00:00 has no UTC offset"):
        deliver(engine, delivery_settings, NINE.replace(tzinfo=None))
    with pytest.raises(ValueError, match="later than as_of"):
        deliver(engine, delivery_settings, NINE, since=NINE + HOUR)
