"""What becomes of events on their way into a history."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from include.recommender.history import Catalogue
from include.recommender.shop import Items, history_of
from include.settings import Settings

D = date(2017, 11, 30)
DAY = (D - date(1970, 1, 1)).days
TYPES = ("view", "click", "add_to_cart", "purchase")


def activity(*events: tuple[str, str, str, int]) -> pd.DataFrame:
    """From (customer, item, event type, days ago), in this order."""
    frame = pd.DataFrame(events, columns=["customer_id", "item_id", "event_type", "business_day"])
    frame["business_day"] = DAY - frame["business_day"]
    return frame.astype(dict.fromkeys(("customer_id", "item_id", "event_type"), "category"))


def weights(frame: pd.DataFrame) -> bytes:
    everything = np.ones(2, bool)
    items = Items(
        pd.Index(["i1", "i2"]), Catalogue.bare(2), np.full(2, "", object), everything, everything, np.full(2, np.nan)
    )
    history = history_of(frame, pd.Index(["c1", "c2"]), items, "purchase", Settings(), D)
    return history.weight.tobytes()


def test_weights_are_the_same_bits_in_whatever_order_rows_lie_on_disk() -> None:
    events = [(customer, item, kind, 3) for customer in ("c1", "c2") for item in ("i1", "i2") for kind in TYPES]
    known = weights(activity(*events))
    for seed in range(20):
        shuffled = np.random.default_rng(seed).permutation(len(events))
        assert weights(activity(*(events[place] for place in shuffled))) == known
