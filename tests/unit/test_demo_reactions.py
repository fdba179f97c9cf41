"""The demo's invented reactions: the same from the same seeds, near their stated rates, and marked as invented."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest

from include.delivery.machines import PROMPT_SECONDS
from include.demo import reactions
from include.demo.reactions import (
    Reactions,
    Sent,
    by_local_date,
    click_probability,
    engagement_frame,
    history_reactions,
    peak_hour,
    purchase_frame,
    reactions_to,
)

NOON = datetime(2017, 11, 28, 17, 0, tzinfo=UTC)


def sent(number: int, channel: str = "email", sent_at: datetime = NOON, fit: float = 0.5) -> Sent:
    items = ("11", "12", "13", "14")
    return Sent(f"m{number}", "18", str(number), channel, sent_at, fit, items, (Decimal("2.50"),) * 4)


@pytest.fixture(scope="module")
def many() -> Reactions:
    return reactions_to([sent(number) for number in range(40_000)])


def rate(many: Reactions, kind: str) -> float:
    return sum(row["engagement_type"] == kind for row in many.engagements) / 40_000


def test_a_message_meets_the_same_reaction_alone_and_in_any_company() -> None:
    messages = [sent(number) for number in range(300)]
    together, backwards = reactions_to(messages), reactions_to(messages[::-1])
    alone = [row for message in messages for row in reactions_to([message]).engagements]
    assert together.engagements == alone
    assert engagement_frame(together.engagements).equals(engagement_frame(alone))
    assert sorted(map(str, together.purchases)) == sorted(map(str, backwards.purchases))


def test_rates_are_the_stated_ones(many: Reactions) -> None:
    # Four standard errors of 40,000 draws.
    assert rate(many, "unsubscribe") == pytest.approx(reactions.UNSUBSCRIBE_RATE, abs=0.0010)
    assert rate(many, "bounce") == pytest.approx(reactions.HARD_BOUNCE_RATE + reactions.SOFT_BOUNCE_RATE, abs=0.0020)
    expected = sum(click_probability(sent(number)) for number in range(40_000)) / 40_000
    assert rate(many, "click") == pytest.approx(expected, abs=0.005)
    clicks = sum(row["engagement_type"] == "click" for row in many.engagements)
    orders = len({row["order_id"] for row in many.purchases})
    assert orders / clicks == pytest.approx(reactions.ORDER_RATE, abs=0.05)


def test_half_of_the_opens_without_a_click_are_made_by_machines_and_within_seconds(many: Reactions) -> None:
    delivered = {
        row["message_id"]: row["occurred_at"] for row in many.engagements if row["engagement_type"] == "delivered"
    }
    clicked = {row["message_id"] for row in many.engagements if row["engagement_type"] == "click"}
    opens = [row for row in many.engagements if row["engagement_type"] == "open"]
    machines = [row for row in opens if row["user_agent"] in reactions.MACHINE_AGENTS]
    people = [row for row in opens if row["user_agent"] not in reactions.MACHINE_AGENTS]
    assert all(
        row["occurred_at"] - delivered[row["message_id"]] < timedelta(seconds=PROMPT_SECONDS) for row in machines
    )
    assert all(row["occurred_at"] - delivered[row["message_id"]] > timedelta(seconds=PROMPT_SECONDS) for row in people)
    readers = sum(row["message_id"] not in clicked for row in people)
    assert len(machines) / (len(machines) + readers) == pytest.approx(0.5, abs=0.03)


def test_click_delays_have_the_stated_median_and_a_long_tail(many: Reactions) -> None:
    delays = pd.Series(
        [
            (row["occurred_at"] - NOON).total_seconds() / 3600
            for row in many.engagements
            if row["engagement_type"] == "click"
        ]
    )
    assert delays.median() == pytest.approx(reactions.CLICK_DELAY_HOURS, rel=0.25)
    assert delays.mean() > 5 * delays.median()


def test_bounced_messages_meet_nothing_else(many: Reactions) -> None:
    kinds: dict[str, list[str]] = {}
    for row in many.engagements:
        kinds.setdefault(row["message_id"], []).append(row["engagement_type"])
    bounced = [all_kinds for all_kinds in kinds.values() if "bounce" in all_kinds]
    assert bounced
    assert all(all_kinds == ["bounce"] for all_kinds in bounced)


def test_hour_channel_and_fit_each_matter() -> None:
    customer = next(number for number in range(100) if peak_hour(str(number)) == 12.5)
    night = NOON + timedelta(hours=12)
    assert click_probability(sent(customer)) > 2 * click_probability(sent(customer, sent_at=night))
    assert click_probability(sent(customer, "app_push")) > click_probability(sent(customer))
    assert click_probability(sent(customer, fit=1)) > click_probability(sent(customer, fit=0))


def test_peak_hours_have_their_shares() -> None:
    shares = Counter(peak_hour(str(number)) for number in range(20_000))
    for hour, share in reactions.PEAK_HOURS:
        assert shares[hour] / 20_000 == pytest.approx(share, abs=0.015)


def test_every_landed_row_says_that_it_is_generated(many: Reactions) -> None:
    for frame in (engagement_frame(many.engagements), purchase_frame(many.purchases)):
        assert frame["generated"].all()
        assert frame["occurred_at"].str.endswith("+00:00").all()
    assert purchase_frame(many.purchases)["event_id"].is_unique
    assert engagement_frame([])["generated"].empty


def test_rows_land_on_the_shops_day_they_occurred_on() -> None:
    late = {"occurred_at": datetime(2017, 11, 29, 4, 59, tzinfo=UTC)}
    next_day = {"occurred_at": datetime(2017, 11, 29, 5, 0, tzinfo=UTC)}
    assert by_local_date([late, next_day]) == {date(2017, 11, 28): [late], date(2017, 11, 29): [next_day]}


def test_a_former_tools_sends_are_known_by_campaign_and_customer() -> None:
    history = pd.DataFrame(
        {
            "campaign_id": "13",
            "customer_id": [str(number) for number in range(2000)],
            "channel": "email",
            "sent_at": "2017-08-08T19:00:00-04:00",
        }
    )
    landed = history_reactions(history)
    assert landed["message_id"].isna().all()
    assert set(landed["engagement_type"]) == {"delivered", "open", "click"}
