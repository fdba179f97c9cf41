"""What is true of the messages sent so far, to be laid beside what the product believes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from include.settings import Settings
from include.simulator.reactions import TRUTH_SCHEMA
from include.simulator.responses import clicked_within, ordered_within
from include.simulator.truth import TruthFolder


@dataclass(frozen=True)
class HourValue:
    """What the hours that were chosen are worth: clicks expected of all messages sent, all else being the same."""

    messages: int
    chosen: float
    best: float
    """Had each been sent at its best hour of those allowed that day."""
    random: float
    """Had each been sent at a random one."""

    @property
    def share_of_gain(self) -> float | None:
        """(chosen − random) / (best − random); None where no hour is better than another."""
        gain = self.best - self.random
        return (self.chosen - self.random) / gain if gain > 1e-9 * max(self.best, 1e-300) else None

    def gain_within(self, delay: timedelta) -> float | None:
        """(chosen − random) per message, of the clicks that come within ``delay`` of sending; None without messages."""
        share = clicked_within(delay.total_seconds())
        return share * (self.chosen - self.random) / self.messages if self.messages else None


@dataclass(frozen=True)
class TrueEffect:
    """Of one campaign: what treated customers gained over controls because messages were sent.

    difference: margin per customer, treated less control, made of orders that no message would not have been; expected
    of all who were sent the same messages at the same times, in the time that is counted.
    happened: the same of the orders that chance let happen.
    """

    campaign_id: str
    treated: int
    control: int
    difference: float
    happened: float


def hour_value(
    settings: Settings, truth: Path, *, since: datetime | None = None, of: Collection[str] | None = None
) -> HourValue:
    """Over all messages of the world so far, or those sent from ``since`` on; of: these message ids alone."""
    rows = TruthFolder.at(truth, settings).messages(TRUTH_SCHEMA).to_pandas()
    if since is not None:
        rows = rows[rows["sent_at"] >= since]
    if of is not None:
        rows = rows[rows["message_id"].isin(of)]
    rates = rows[["true_click_rate", "true_best_rate", "true_random_rate"]].sum()
    return HourValue(len(rows), *(float(rate) for rate in rates))


def true_effects(settings: Settings, truth: Path, arms: pd.DataFrame, *, before: datetime) -> list[TrueEffect]:
    """The true counterpart of each campaign's reported difference in margin per customer, intent to treat.

    arms: campaign_id, customer_id, is_treated, assigned_at (aware), one row per customer of an experiment; a customer's
    orders count from ``assigned_at`` until ``before``, whichever campaign's message brought them, as they do in a
    report: who is a control of one campaign is free for the messages of another.
    """
    messages = TruthFolder.at(truth, settings).messages(TRUTH_SCHEMA).to_pandas()
    pairs = arms.merge(messages.drop(columns="campaign_id"), on="customer_id", how="inner")
    is_told = (pairs["ordered_at"] >= pairs["assigned_at"]) & (pairs["ordered_at"] < before)
    pairs["happened"] = pairs["ordered_margin"].where(is_told, 0.0)
    waited, early = (
        ordered_within((until - pairs["sent_at"]).dt.total_seconds().to_numpy())
        for until in (before, pairs["assigned_at"])
    )
    # Of what a message makes in the end, what it makes between the assignment and the report.
    pairs["true_margin"] *= np.maximum(waited - early, 0.0)
    sums = pairs.groupby(["campaign_id", "customer_id"])[["true_margin", "happened"]].sum()
    rows = arms.join(sums, on=["campaign_id", "customer_id"]).fillna({"true_margin": 0.0, "happened": 0.0})
    effects = []
    for campaign_id, group in rows.groupby("campaign_id", sort=True):
        treated, control = group[group["is_treated"]], group[~group["is_treated"]]
        effects.append(
            TrueEffect(
                campaign_id=str(campaign_id),
                treated=len(treated),
                control=len(control),
                difference=float(treated["true_margin"].mean() - control["true_margin"].mean()),
                happened=float(treated["happened"].mean() - control["happened"].mean()),
            )
        )
    return effects
