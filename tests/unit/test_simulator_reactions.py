"""Answers to messages: the same for the same message in any company, near their rates, by hour, fit and fatigue."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from include.delivery.machines import BURST_LINKS, BURST_SECONDS, MACHINE_AGENTS, PROMPT_SECONDS
from include.landing.rules import RULES
from include.settings import Settings
from include.simulator import World, hour_value, rates, true_effects
from include.simulator.catalogue import catalogue_of
from include.simulator.clock import DayClock
from include.simulator.people import EMAIL, PUSH, people_of
from include.simulator.reactions import Reactions, reactions_to
from include.simulator.responses import answers, click_truth, clicked_within
from include.simulator.sent import Sent
from include.simulator.truth import TruthFolder
from include.simulator.world import CampaignTerms

DAY = date(2026, 3, 4)
WORLD = World(
    customers=5_000,
    items=500,
    personal_hours="strong",
    campaigns=(
        CampaignTerms(campaign_id="sells", orders_per_click=0.5),
        CampaignTerms(campaign_id="idle", orders_per_click=0.0),
    ),
)
MESSAGES = 40_000
CLOCK = DayClock.of(WORLD, DAY, "UTC")


def sent(campaign: str = "sells", channel: int = EMAIL, hour: float | None = None, world: World = WORLD) -> Sent:
    """Eight messages of four items to each customer, at random hours of the customer's clock from 8 to 20."""
    random = np.random.default_rng(5)
    who = np.arange(MESSAGES) % world.customers
    hours = random.integers(8, 21, MESSAGES).astype(float) if hour is None else np.full(MESSAGES, hour)
    return Sent(
        message_id=np.array([f"{campaign}-{number}" for number in range(MESSAGES)], dtype=object),
        campaign_id=np.full(MESSAGES, campaign, dtype=object),
        who=who,
        channel=np.full(MESSAGES, channel),
        sent_at=CLOCK.instant(people_of(world).zone[who], hours),
        items=random.integers(0, 500, (MESSAGES, 4)),
        load=np.full(MESSAGES, rates.USUAL_LOAD),
    )


def reacted(messages: Sent, world: World = WORLD) -> Reactions:
    return reactions_to(world, Settings(), DAY, messages)


def of(messages: Sent, which: np.ndarray) -> Sent:
    return Sent(*(getattr(messages, name)[which] for name in Sent.__dataclass_fields__))


@pytest.fixture(scope="module")
def many() -> Reactions:
    return reacted(sent())


@pytest.fixture(scope="module")
def engagements(many: Reactions) -> pd.DataFrame:
    return many.engagements.to_pandas()


def rate(engagements: pd.DataFrame, kind: str) -> float:
    return float((engagements["engagement_type"] == kind).sum()) / MESSAGES


def test_a_message_meets_the_same_answer_alone_and_in_any_company() -> None:
    one_each = of(sent(), np.arange(5_000))
    company = reacted(one_each)
    some = np.arange(4_998, 0, -3)
    alone = reacted(of(one_each, some))
    assert "purchase" in alone.events["event_type"].to_pylist()
    customers = [f"c{who}" for who in one_each.who[some]]
    for name in ("engagements", "events", "truth"):
        whole = getattr(company, name).to_pandas()
        key = [column for column in ("customer_id", "occurred_at", "engagement_type", "url") if column in whole]
        expected = whole[whole["customer_id"].isin(customers)].sort_values(key).reset_index(drop=True)
        told = getattr(alone, name).to_pandas().sort_values(key).reset_index(drop=True)
        pd.testing.assert_frame_equal(told, expected)


def test_rates_are_the_stated_ones(engagements: pd.DataFrame, many: Reactions) -> None:
    # Four standard errors of 40,000 draws.
    bounces = engagements["bounce_type"].value_counts() / MESSAGES
    assert bounces["hard"] == pytest.approx(rates.HARD_BOUNCE_RATE, abs=0.0017)
    assert bounces["soft"] == pytest.approx(rates.SOFT_BOUNCE_RATE, abs=0.0010)
    assert rate(engagements, "delivered") == pytest.approx(1 - bounces.sum(), abs=1e-9)
    assert rate(engagements, "unsubscribe") == pytest.approx(rates.UNSUBSCRIBE_RATE, abs=0.0010)
    assert rate(engagements, "complaint") == pytest.approx(rates.COMPLAINT_RATE, abs=0.0003)
    truth = many.truth.to_pandas()
    assert truth["clicked"].mean() == pytest.approx(truth["true_click_rate"].mean() * 0.99, abs=0.002)


def test_a_middling_message_is_clicked_at_the_published_rate() -> None:
    messages = sent()
    truth = click_truth(WORLD, people_of(WORLD), catalogue_of(WORLD), CLOCK, messages, list(range(8, 21)))
    middling = np.log(truth.rate / (1 - truth.rate)) - rates.FIT_EFFECT * (truth.fit - 0.5)
    assert np.mean(1 / (1 + np.exp(-middling))) == pytest.approx(rates.CLICK_RATE, rel=0.06)
    better = truth.fit > np.median(truth.fit)
    assert truth.rate[better].mean() > 1.05 * truth.rate[~better].mean()


def test_the_delay_of_a_click_is_the_published_one() -> None:
    messages = sent()
    people, catalogue = people_of(WORLD), catalogue_of(WORLD)
    truth = click_truth(WORLD, people, catalogue, CLOCK, messages, [12])
    # Every message has a delay, clicked or not; a mean with such a tail needs several times as many.
    worlds = [WORLD.model_copy(update={"seed": seed}) for seed in range(8)]
    told = [answers(world, people, CLOCK, messages, truth).reads_at - messages.sent_at for world in worlds]
    hours = np.concatenate(told) / 3600
    assert np.median(hours) == pytest.approx(2.1, rel=0.05)
    assert hours.mean() == pytest.approx(23, rel=0.05)
    assert np.mean(hours < 24) == pytest.approx(clicked_within(24 * 3600), abs=0.005)
    assert hours.min() * 3600 >= rates.SHORTEST_DELAY_SECONDS


def test_half_of_opens_are_machines_within_seconds_and_every_machine_can_be_told(engagements: pd.DataFrame) -> None:
    messages = sent()
    sent_at = pd.Series(messages.sent_at, index=messages.message_id)
    delivered = engagements[engagements["engagement_type"] == "delivered"].set_index("message_id")["occurred_at"]
    rows = engagements[engagements["engagement_type"].isin(("open", "click"))]
    after = (rows["occurred_at"] - rows["message_id"].map(delivered)).dt.total_seconds()
    opens = rows["engagement_type"] == "open"
    assert np.mean(after[opens] <= PROMPT_SECONDS) == pytest.approx(0.5, abs=0.08)
    assert opens.sum() / MESSAGES == pytest.approx(0.186, abs=0.03)
    # What is neither prompt nor of a known agent comes from people, or in a burst of links.
    agents = rows["user_agent"].str.lower()
    known = agents.eq("mozilla/5.0") | np.logical_or.reduce(
        [agents.str.contains(pattern.strip("%"), regex=False) for pattern in MACHINE_AGENTS if "%" in pattern]
    )
    unknown = rows[~opens & (after > PROMPT_SECONDS) & ~known]
    span = unknown.groupby("message_id").agg(
        links=("url", "nunique"), first=("occurred_at", "min"), last=("occurred_at", "max")
    )
    late = span[span["links"] >= BURST_LINKS]
    assert len(late) > 10
    assert ((late["last"] - late["first"]).dt.total_seconds() <= BURST_SECONDS).mean() > 0.9
    people_click = span[span["links"] < BURST_LINKS]
    waited = people_click["first"].map(lambda instant: instant.timestamp()) - people_click.index.map(sent_at)
    assert waited.min() >= rates.SHORTEST_DELAY_SECONDS


def test_fatigue_lowers_clicks_and_raises_unsubscribes() -> None:
    rested, weary = (replace(sent(), load=np.full(MESSAGES, load)) for load in (0.0, 6.0))
    fresh, tired = reacted(rested), reacted(weary)
    clicks = [told.truth.to_pandas()["true_click_rate"].mean() for told in (fresh, tired)]
    assert clicks[1] < 0.7 * clicks[0]
    left = [rate(told.engagements.to_pandas(), "unsubscribe") for told in (fresh, tired)]
    assert left[1] > 3 * left[0]
    patient = WORLD.model_copy(update={"fatigue": 0.0})
    assert reacted(weary, patient).truth["true_click_rate"].equals(reacted(rested, patient).truth["true_click_rate"])


def test_app_push_has_no_machines_and_is_turned_off_by_consent() -> None:
    told = reacted(sent(channel=PUSH))
    kinds = set(told.engagements["engagement_type"].to_pylist())
    assert kinds == {"delivered", "click"}
    assert told.consents.num_rows / MESSAGES == pytest.approx(rates.UNSUBSCRIBE_RATE, abs=0.0010)
    assert set(told.consents["granted"].to_pylist()) == {False}


def test_only_a_campaign_with_lift_makes_orders(many: Reactions) -> None:
    truth = many.truth.to_pandas()
    orders = truth["ordered_at"].notna()
    assert orders.sum() == many.events.to_pandas()["event_type"].eq("purchase").sum()
    assert truth["true_order_rate"].mean() == pytest.approx(orders.mean(), rel=0.25)
    assert truth.loc[~truth["clicked"], "ordered_at"].isna().all()
    assert truth["true_margin"].mean() == pytest.approx(truth["ordered_margin"].mean(), rel=0.3)
    idle = reacted(sent("idle"))
    assert set(idle.events["event_type"].to_pylist()) == {"view"}
    assert idle.truth.to_pandas()[["true_order_rate", "true_margin", "ordered_margin"]].to_numpy().sum() == 0
    unknown = reacted(sent("of another shop"))
    assert set(unknown.events["event_type"].to_pylist()) == {"view"}


def test_rows_keep_the_contract_and_tell_nothing_of_the_truth(many: Reactions) -> None:
    assert set(many.engagements.column_names) - set(RULES["engagements"].column_names) == {"bounce_type", "generated"}
    assert set(many.events.column_names) - set(RULES["events"].column_names) == {"device", "channel", "generated"}
    for rows in (many.engagements, many.events):
        assert rows.to_pandas()["generated"].all()
        times = rows["occurred_at"].to_pandas()
        assert times.is_monotonic_increasing
    assert many.events.to_pandas()["event_id"].is_unique
    assert not many.engagements.to_pandas().duplicated(["message_id", "engagement_type", "occurred_at", "url"]).any()


def test_no_messages_have_no_reactions() -> None:
    nothing = reacted(of(sent(), np.zeros(0, np.int64)))
    assert (nothing.engagements.num_rows, nothing.events.num_rows, nothing.truth.num_rows) == (0, 0, 0)


def test_the_oracle_is_the_best_hour_and_chance_a_random_one(many: Reactions, tmp_path: Path) -> None:
    settings = Settings(landing=str(tmp_path / "landing"), artifacts=str(tmp_path / "artifacts"))
    folder = TruthFolder.at(tmp_path / "truth", settings)
    folder.write_messages(DAY, many.truth)
    value = hour_value(settings, tmp_path / "truth")
    assert value.messages == MESSAGES
    assert value.share_of_gain == pytest.approx(0.0, abs=0.02)
    messages = sent()
    peaks = people_of(WORLD).hours.peaks[EMAIL, 0, messages.who].round()
    at_peak = replace(messages, sent_at=CLOCK.instant(people_of(WORLD).zone[messages.who], np.clip(peaks, 8, 20)))
    folder.write_messages(DAY, reacted(at_peak).truth)
    share = hour_value(settings, tmp_path / "truth").share_of_gain
    assert share is not None
    assert share > 0.9
    flat = WORLD.model_copy(update={"personal_hours": "none"})
    folder.write_messages(DAY, reacted(sent(world=flat), flat).truth)
    assert hour_value(settings, tmp_path / "truth").share_of_gain is None


def test_true_effects_count_all_orders_that_messages_made_after_the_assignment(many: Reactions, tmp_path: Path) -> None:
    settings = Settings(landing=str(tmp_path / "landing"), artifacts=str(tmp_path / "artifacts"))
    folder = TruthFolder.at(tmp_path / "truth", settings)
    folder.write_messages(DAY, many.truth)
    truth = many.truth.to_pandas()
    arms = pd.DataFrame({"customer_id": [f"c{number}" for number in range(5_000)]})
    arms["campaign_id"], arms["is_treated"] = "sells", np.arange(5_000) % 2 == 0
    arms["assigned_at"] = pd.Timestamp(DAY, tz="UTC") - pd.Timedelta(days=1)
    end = pd.Timestamp(DAY, tz="UTC") + pd.Timedelta(days=400)
    [effect] = true_effects(settings, tmp_path / "truth", arms, before=end)
    is_treated = truth["customer_id"].str[1:].astype(int) % 2 == 0
    expected = (truth["ordered_margin"][is_treated].sum() - truth["ordered_margin"][~is_treated].sum()) / 2_500
    assert (effect.treated, effect.control) == (2_500, 2_500)
    assert effect.happened == pytest.approx(expected)
    arms["assigned_at"] = end
    [nothing] = true_effects(settings, tmp_path / "truth", arms, before=end)
    assert (nothing.difference, nothing.happened) == (0.0, 0.0)


def test_the_expected_effect_is_the_mean_of_what_happens_by_then(tmp_path: Path) -> None:
    settings = Settings(landing=str(tmp_path / "landing"), artifacts=str(tmp_path / "artifacts"))
    world = WORLD.model_copy(update={"click_rate": 0.3})
    # Each message draws for itself: so many are as good as so many seeds.
    TruthFolder.at(tmp_path / "truth", settings).write_messages(DAY, reacted(sent(world=world), world).truth)
    arms = pd.DataFrame({"customer_id": [f"c{number}" for number in range(5_001)], "campaign_id": "sells"})
    arms["is_treated"] = arms["customer_id"] != "c5000"
    assigned_at = pd.Timestamp(DAY, tz="UTC") + pd.Timedelta(hours=14)
    arms["assigned_at"] = assigned_at
    for hours in (6, 24, 96):
        before = assigned_at + pd.Timedelta(hours=hours)
        [effect] = true_effects(settings, tmp_path / "truth", arms, before=before)
        # Three standard errors of 2,000 orders and more.
        assert effect.happened == pytest.approx(effect.difference, rel=0.08), hours


def test_the_truth_is_refused_where_the_product_reads(tmp_path: Path) -> None:
    settings = Settings(landing=str(tmp_path / "landing"), artifacts=f"file://{tmp_path}/artifacts")
    for place in ("landing", "landing/truth", "artifacts/a/b", "."):
        with pytest.raises(ValueError, match="must not lie where the product reads"):
            TruthFolder.at(tmp_path / place, settings)
    assert TruthFolder.at(tmp_path / "truth", settings).root == (tmp_path / "truth").resolve()
