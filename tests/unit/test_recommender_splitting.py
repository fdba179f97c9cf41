"""The time split on cases small enough to work by hand, and the evaluation's own checks."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from include.db.tables import DISCOVERY, NEXT_PURCHASE
from include.recommender.als import ModelParameters
from include.recommender.evaluation import Split, evaluate
from include.recommender.splitting import EPOCH, Activity, split_at, weigh

CUT = date(2017, 11, 23)
WEIGHTS = {"purchase": 1.0, "view": 0.25, "return": -1.0}
PARAMETERS = ModelParameters(4, 0.1, 4.0, 10, 1, 10.0, WEIGHTS)


def activity(*events: tuple[str, str, str, int]) -> Activity:
    """Events as (customer, item, type, days after the cut)."""
    frame = pd.DataFrame(events, columns=["customer_id", "item_id", "event_type", "days"])
    frame["business_day"] = (CUT - EPOCH).days + frame["days"]
    return Activity.of(frame.astype(dict.fromkeys(("customer_id", "item_id", "event_type"), "category")))


def test_weights_by_hand() -> None:
    pairs = weigh(
        activity(
            ("a", "milk", "purchase", 0),
            ("a", "milk", "purchase", 0),  # the same day counts once
            ("a", "milk", "purchase", -10),  # one half-life ago
            ("a", "milk", "view", 0),
            ("a", "bread", "purchase", -20),
            ("b", "bread", "purchase", -3),
            ("b", "bread", "return", -3),
            ("b", "milk", "search", 0),  # no weight is given for it
        ),
        CUT,
        10.0,
        WEIGHTS,
    )
    assert list(pairs.customers) == ["a", "b"]
    assert list(pairs.items) == ["bread", "milk"]
    np.testing.assert_allclose(pairs.weights.toarray(), [[0.25, 1.75], [0, 0]])
    assert pairs.bought.toarray().tolist() == [[1, 1], [1, 0]]
    assert pairs.weights.nnz == 2


def test_activity_after_the_cut_cannot_be_weighed() -> None:
    with pytest.raises(ValueError, match="activity after 2017-11-23"):
        weigh(activity(("a", "milk", "purchase", 1)), CUT, 10.0, WEIGHTS)


def crowd(day: int, *, unknown: bool = False) -> list[tuple[str, str, str, int]]:
    return [(f"c{n:02}", "new" if unknown else f"i{n % 5}", "purchase", day) for n in range(30)]


def split(*events: tuple[str, str, str, int], customers: int = 1000, seed: int = 1) -> Split:
    made = split_at(activity(*events), CUT, PARAMETERS, customers=customers, seed=seed)
    assert isinstance(made, Split)
    return made


def test_unknown_items_stay_misses_and_customers_without_history_count() -> None:
    made = split(*crowd(0), *crowd(7), *crowd(3, unknown=True), ("late", "i1", "purchase", 2))
    assert made.weights.shape[1] == 5
    assert len(made.judged) == 31
    assert (made.future_items == 5).sum() == 30
    assert made.relevance(NEXT_PURCHASE).counts.sum() == 61
    # All but the unknown item and what the newcomer bought was bought before.
    assert made.relevance(DISCOVERY).counts.sum() == 31


def test_views_after_the_cut_are_no_purchases() -> None:
    made = split(*crowd(0), *crowd(1), ("c00", "i4", "view", 3))
    assert len(made.future_items) == 30


def test_sample_is_the_same_whatever_the_order_of_rows_and_moves_with_the_seed() -> None:
    events = crowd(0) + crowd(5)
    chosen = split(*events, customers=10)
    again = split(*events[::-1], customers=10)
    np.testing.assert_array_equal(chosen.judged, again.judged)
    np.testing.assert_array_equal(chosen.future_items, again.future_items)
    assert set(chosen.judged) != set(split(*events, customers=10, seed=2).judged)


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (crowd(0), "0 customers bought after 2017-11-23"),
        (crowd(1), "nothing happened up to 2017-11-23"),
        (crowd(0) + crowd(1)[:19], "19 customers bought after 2017-11-23, 20 are needed"),
    ],
)
def test_too_little_to_split_says_why(events: list[tuple[str, str, str, int]], why: str) -> None:
    made = split_at(activity(*events), CUT, PARAMETERS, customers=10, seed=1)
    assert isinstance(made, str)
    assert why in made


def test_popularity_of_a_shop_with_one_bestseller_is_known() -> None:
    """Everyone buys the bestseller again and nothing else: popularity is perfect, and nothing is left to discover."""
    events = [(f"c{n:02}", "best", "purchase", day) for n in range(30) for day in (-9, -1, 4)]
    found = evaluate(split(*events), PARAMETERS, draws=50, seed=[1], threads=1)
    assert found.metrics[NEXT_PURCHASE]["popularity"]["ndcg@10"] == 1
    assert found.metrics[NEXT_PURCHASE]["own_frequency"]["recall@10"] == 1
    assert found.metrics[NEXT_PURCHASE]["served"]["map@10"] == 1
    assert DISCOVERY not in found.metrics


def test_judging_by_another_order_of_customers_is_the_same_evidence() -> None:
    generator = np.random.default_rng(4)
    events = [
        (f"c{n:02}", f"i{generator.integers(12)}", "purchase", int(day)) for n in range(40) for day in range(-20, 7, 2)
    ]
    whole = evaluate(split(*events), PARAMETERS, draws=50, seed=[1], threads=1).metrics
    reverse = evaluate(split(*events[::-1]), PARAMETERS, draws=50, seed=[1], threads=2).metrics
    assert whole == reverse
    assert set(whole[DISCOVERY]) == {"served", "als", "popularity"}
