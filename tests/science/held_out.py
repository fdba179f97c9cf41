"""``python -m tests.science.held_out``: forecasts of a year of real purchases beside naive ones, on days not yet seen.

The purchases are those of The Complete Journey. At each cut, the models of ``include/features/lifetime.py`` learn from
what was bought up to it, and are judged by the days that follow, combined with the days before as in
``include/features/sql/combine_forecasts.sql``. The naive rules know as much, or more: the mean is that of the days to
come themselves.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from include.demo.journey import TIME_ZONE, Journey
from include.features.build import BARGAIN_STRENGTH
from include.features.lifetime import (
    alive_probability,
    expected_order_value,
    expected_orders,
    fit_orders,
    fit_spend,
    no_order_probability,
)
from include.settings import FeatureSettings

Floats = NDArray[np.float64]

CUTS = (date(2017, 4, 30), date(2017, 6, 30), date(2017, 8, 31), date(2017, 10, 31))
LAST_DAY = date(2017, 12, 30)
DECILES = 10


@dataclass(frozen=True)
class Judged:
    """Forecasts for one cut and horizon beside what came; one entry per customer who had bought, shape (n,)."""

    cut: date
    horizon: int
    recency: Floats
    last_orders: Floats
    last_value: Floats
    churn: Floats
    orders: Floats
    value: Floats
    model_value: Floats
    came_orders: Floats
    came_value: Floats

    @property
    def silent(self) -> NDArray[np.bool_]:
        return self.came_orders == 0

    def auc(self, score: Floats) -> float:
        """How well a score, the larger the likelier the silence, tells the silent from the others."""
        return float(roc_auc_score(self.silent, score))

    def brier(self, probability: Floats | float) -> float:
        return float(np.mean((probability - self.silent) ** 2))

    def value_error(self, value: Floats | float) -> float:
        """Mean absolute error in money a customer."""
        return float(np.mean(np.abs(value - self.came_value)))

    def deciles(self) -> pd.DataFrame:
        """Customers by forecast, a tenth each: mean forecast and the share that was silent."""
        tenth = np.argsort(np.argsort(self.churn, kind="stable")) * DECILES // len(self.churn)
        frame = pd.DataFrame({"said": self.churn, "came": self.silent})
        return frame.groupby(tenth).mean()

    def calibration_error(self) -> float:
        """Mean distance, over tenths of the customers, between what was said and what came."""
        tenths = self.deciles()
        return float((tenths.said - tenths.came).abs().mean())


def judge(cut: date, horizon: int) -> Judged:
    days = purchase_days()
    at, span = pd.Timestamp(cut), pd.Timedelta(days=horizon)
    past = days[days.day <= at]
    known = past.groupby("customer_id").agg(
        first=("day", "min"), last=("day", "max"), orders=("day", "size"), amount=("amount", "sum")
    )
    age, recency = (at - known["first"]).dt.days, (at - known["last"]).dt.days
    history = known.orders - 1, age - recency, age
    model = fit_orders(*history, np.ones(len(known)))
    paid = known[known.amount > 0]
    spend = fit_spend(paid.orders, paid.amount, np.ones(len(paid)))
    assert model is not None
    assert spend is not None
    alive = alive_probability(model, *history)
    orders = expected_orders(model, *history, horizon)
    value = orders * expected_order_value(spend, known.orders, known.amount)
    long_here = age.to_numpy() >= horizon
    came = totals(days[(days.day > at) & (days.day <= at + span)], known.index)
    before = totals(past[past.day > at - span], known.index)
    return Judged(
        cut=cut,
        horizon=horizon,
        recency=recency.to_numpy(dtype=float),
        last_orders=before.orders.to_numpy(),
        last_value=before.amount.to_numpy(),
        churn=no_order_probability(model, *history, horizon),
        orders=np.where(long_here, (orders + alive * before.orders) / 2, orders),
        value=np.where(long_here, (value + alive * before.amount) / 2, value),
        model_value=value,
        came_orders=came.orders.to_numpy(),
        came_value=came.amount.to_numpy(),
    )


def totals(days: pd.DataFrame, customers: pd.Index) -> pd.DataFrame:
    sums = days.groupby("customer_id").agg(orders=("day", "size"), amount=("amount", "sum"))
    return sums.reindex(customers).fillna(0.0).astype(float)


@dataclass(frozen=True)
class Sensitivity:
    """Shares of bargains before and after a cut; one entry per customer with enough purchases after it, shape (n,)."""

    drawn: Floats
    raw: Floats
    mean: float
    came: Floats

    def error(self, share: Floats | float) -> float:
        return float(np.mean(np.abs(share - self.came)))

    def correlation(self) -> float:
        return float(np.corrcoef(self.drawn, self.came)[0, 1])


def judge_sensitivity(cut: date, minimum: int = 20) -> Sensitivity:
    """Bargains by the usual prices known at the cut, of customers with ``minimum`` comparable purchases after it."""
    lines, at = purchase_lines(), pd.Timestamp(cut)
    past = lines[lines.day <= at]
    prices = past.groupby("item_id").unit_price.agg(["median", "min"])
    level = prices["median"] * (1 - FeatureSettings().bargain_below)
    level = level[prices["min"] <= level]
    paid = lines[lines.item_id.isin(level.index)].groupby(["customer_id", "item_id", "day"], as_index=False)
    paid = paid.unit_price.min()
    paid["bargain"] = paid.unit_price <= paid.item_id.map(level)
    before = paid[paid.day <= at].groupby("customer_id").bargain.agg(["sum", "size"])
    after = paid[paid.day > at].groupby("customer_id").bargain.agg(["sum", "size"])
    both = before.join(after.add_suffix("_after"), how="inner")
    both = both[both.size_after >= minimum]
    mean = float(before["sum"].sum() / before["size"].sum())
    return Sensitivity(
        drawn=((both["sum"] + BARGAIN_STRENGTH * mean) / (both["size"] + BARGAIN_STRENGTH)).to_numpy(),
        raw=(both["sum"] / both["size"]).to_numpy(),
        mean=mean,
        came=(both.sum_after / both.size_after).to_numpy(),
    )


@cache
def purchase_lines() -> pd.DataFrame:
    """Purchases of the year with a price, by the shop's day."""
    table = Journey(LAST_DAY).purchases(date(2017, 1, 1), LAST_DAY)
    frame = table.select(["customer_id", "item_id", "occurred_at", "quantity", "unit_price"]).to_pandas()
    day = frame.occurred_at.dt.tz_convert(TIME_ZONE).dt.tz_localize(None).dt.normalize()
    return frame.assign(day=day)


@cache
def purchase_days() -> pd.DataFrame:
    """Grain: customer and day with a purchase; what it came to."""
    lines = purchase_lines()
    lines = lines.assign(amount=lines.quantity * lines.unit_price)
    return lines.groupby(["customer_id", "day"], as_index=False).amount.sum()


def main() -> int:
    horizon = FeatureSettings().forecast_days
    print(
        "churn: no order in the days ahead, by decile of the forecast; beside it recency, and orders in the days before"
    )
    print("value: mean absolute error; beside it the models alone, the spend of the days before, and the mean")
    for cut, days in [*((cut, horizon) for cut in CUTS), (date(2017, 9, 30), 28), (date(2017, 9, 30), 90)]:
        tell(judge(cut, days))
    for cut in CUTS[1:]:
        bargains = judge_sensitivity(cut)
        print(f"\n{cut}, share of bargains afterwards of {len(bargains.came):,} customers, mean absolute error:")
        print(
            f"  {bargains.error(bargains.drawn):.4f}; their own share before {bargains.error(bargains.raw):.4f}, "
            f"the mean {bargains.error(bargains.mean):.4f}; correlation {bargains.correlation():.3f}"
        )
    return 0


def tell(told: Judged) -> None:
    share = float(told.silent.mean())
    print(f"\n{told.cut}, {told.horizon} days, {len(told.churn):,} customers of whom {share:.1%} ordered nothing")
    auc = [told.auc(score) for score in (told.churn, told.recency, -told.last_orders)]
    print("  churn  AUC {:.3f}; {:.3f}, {:.3f}".format(*auc), end="")
    print(f"   Brier {told.brier(told.churn):.4f}; of the mean {told.brier(share):.4f}", end="")
    print(f"   deciles off by {told.calibration_error():.3f}")
    print("    said  " + "  ".join(f"{share:.3f}" for share in told.deciles().said))
    print("    came  " + "  ".join(f"{share:.3f}" for share in told.deciles().came))
    rules = (told.value, told.model_value, told.last_value, float(told.came_value.mean()))
    print("  value  error {:.2f}; {:.2f}, {:.2f}, {:.2f}".format(*map(told.value_error, rules)), end="")
    print(f"   all together {told.value.sum():,.0f} of {told.came_value.sum():,.0f}")


if __name__ == "__main__":
    sys.exit(main())
