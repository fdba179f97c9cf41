"""The question about a campaign and the preview on a terminal: pure text from a preview."""

from __future__ import annotations

import doctest
from dataclasses import replace
from types import ModuleType

import pytest

from include.reporting import formats
from include.scheduling import question
from include.scheduling.preview import Example, Preview, preview_from
from include.scheduling.preview_text import preview_text
from include.scheduling.question import escaped, question_body, question_subject
from include.settings import Settings

SPRING = Preview(
    campaign_id="spring",
    name="Spring",
    send_date="2017-12-01",
    decisions={"scheduled": 30, "capped": 7},
    messages=30,
    awaiting_approval=30,
    hours={"app_push": {"09": 10}, "email": {"08": 5, "09": 15}},
    cost=0.3,
    expected_value=-1.5,
    explored=4,
    first_at="2017-12-01T13:00+00:00",
    last_at="2017-12-02T01:00+00:00",
    not_after="2017-12-02T02:00+00:00",
    examples=[Example("email", "2017-12-01T19:00", ["Tea | green", "Milk"], -0.0042, "Drawn.")],
)


@pytest.mark.parametrize("module", [question, formats])
def test_the_examples_in_its_docstrings_hold(module: ModuleType) -> None:
    outcome = doctest.testmod(module)
    assert (outcome.failed, outcome.attempted > 0) == (0, True)


def test_a_person_can_decide_from_it() -> None:
    body = question_body(SPRING, Settings(business_time_zone="America/New_York", currency="EUR"))
    assert "| People | 30, one message each |" in body
    assert "| Channels | 10 by app push, 20 by email |" in body
    assert "| Leaving | Fri 1 Dec 2017 08:00 to Fri 1 Dec 2017 20:00 (America/New_York) |" in body
    assert "| Cost | 0.30 EUR |" in body
    assert "| Expected value | −1.50 EUR" in body
    assert "| Hour | app push | email |\n| --- | --- | --- |\n| 08:00 | 0 | 5 |\n| 09:00 | 10 | 15 |" in body
    assert "- email, Fri 1 Dec 2017 19:00, expected value −0.0042 EUR: Tea \\| green; Milk" in body
    assert "| scheduled | 30 |\n| capped | 7 |" in body
    assert "no answer within 12 hours" in body


def test_people_with_a_message_on_each_channel_are_told_apart() -> None:
    body = question_body(replace(SPRING, decisions={"scheduled": 26}), Settings())
    assert "| People | 26, a message each, 4 of them one on each channel |" in body


def test_one_message_is_one_message() -> None:
    assert "Send 1 message of" in question_subject(Preview("c", "C", "2017-12-01", awaiting_approval=1))


def test_messages_taken_up_under_an_earlier_approval_are_told_apart() -> None:
    body = question_body(replace(SPRING, awaiting_approval=20), Settings())
    assert "| People | 30, one message each; 10 messages were let go before, and no answer calls them back |" in body


def test_no_name_is_long_or_more_than_a_line() -> None:
    assert escaped("a\n\nb") == "a b"
    assert len(escaped("x" * 500)) == question.NAME_LENGTH


def test_a_preview_comes_back_from_json_with_its_order() -> None:
    stored = SPRING.as_json() | {"decisions": {"capped": 7, "scheduled": 30}}
    assert preview_from(stored) == SPRING
    assert list(preview_from(stored).decisions) == ["scheduled", "capped"]


def test_the_terminal_shows_bars_in_proportion() -> None:
    text = preview_text([replace(SPRING, awaiting_approval=0)] * 2, "EUR")
    assert "30 messages, 10 by app push, 20 by email; cost 0.30 EUR, expected value -1.50 EUR" in text
    assert f"    09:00       15  {'#' * 40}\n" in text
    assert f"    08:00        5  {'#' * 13}\n" in text
