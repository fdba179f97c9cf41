"""Lists under each rule: planted cases by hand, properties, and a slow arrangement that reads like its definition."""

from __future__ import annotations

import doctest
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from include.recommender import arrange as arranging
from include.recommender import frontier as judging
from include.recommender.arrange import POOL, Arrangement, ItemTraits, RankedCandidates, arrange
from include.recommender.frontier import Point, frontier, intra_list_diversity
from include.recommender.history import UNKNOWN, Catalogue
from include.recommender.metrics import Relevance
from include.recommender.models.interface import NOTHING

ITEMS = 12
NONE = float("nan")


def traits_of(
    items: int,
    *,
    category: Sequence[int] | None = None,
    brand: Sequence[int] | None = None,
    margin: Sequence[float] | None = None,
    factors: np.ndarray | None = None,
) -> ItemTraits:
    unknown = [UNKNOWN] * items
    return ItemTraits(
        np.array(unknown if category is None else category, np.int64),
        np.array(unknown if brand is None else brand, np.int64),
        np.array([NONE] * items if margin is None else margin, np.float64),
        factors,
    )


def one_customer(scores: Sequence[float]) -> RankedCandidates:
    """Whose candidates are items 0, 1, … with these scores."""
    numbers = np.arange(len(scores))
    return RankedCandidates.of(1, np.zeros(len(scores), np.int64), numbers, np.array(scores, np.float64))


def falling(items: int) -> RankedCandidates:
    """One customer, whose ranker puts items 0, 1, … in this order."""
    return one_customer(list(range(items, 0, -1)))


def listed(ranked: RankedCandidates, traits: ItemTraits, rules: Arrangement, length: int) -> list[int]:
    return arrange(ranked, traits, rules, length)[0][0].tolist()


@pytest.mark.parametrize("module", [arranging, judging], ids=lambda module: module.__name__)
def test_examples_in_docstrings_hold(module: object) -> None:
    outcome = doctest.testmod(module)  # type: ignore[arg-type]  # the parameter is a module
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_without_rules_the_rankers_order_stands_and_ties_go_by_item_number() -> None:
    ranked = one_customer([-5.0, 2.0, -1.0, 2.0])
    items, scores = arrange(ranked, traits_of(4, category=[1, 1, 1, 1]), Arrangement(), 5)
    assert items.tolist() == [[1, 3, 2, 0, NOTHING]]
    assert scores.tolist() == [[2, 2, -1, -5, 0]]


def test_a_quota_passes_over_what_there_is_enough_of() -> None:
    category = [7, 7, 7, 8, 7, 9]
    assert listed(falling(6), traits_of(6, category=category), Arrangement(per_category=2), 4) == [0, 1, 3, 5]
    assert listed(falling(6), traits_of(6, brand=category), Arrangement(per_brand=1), 3) == [0, 3, 5]


def test_both_quotas_hold_together_and_what_one_refuses_does_not_count_for_the_other() -> None:
    """Item 1 is refused for its brand, so that category 7 still has room for item 2."""
    traits = traits_of(5, category=[8, 7, 7, 7, 9], brand=[1, 1, 2, 3, 4])
    assert listed(falling(5), traits, Arrangement(per_category=1, per_brand=1), 3) == [0, 2, 4]


def test_what_is_unknown_has_no_quota() -> None:
    traits = traits_of(4, category=[UNKNOWN, UNKNOWN, 7, 7])
    assert listed(falling(4), traits, Arrangement(per_category=1), 3) == [0, 1, 2]


def test_where_candidates_run_out_what_was_refused_fills_the_list() -> None:
    traits = traits_of(5, category=[7, 7, 7, 8, 7])
    assert listed(falling(5), traits, Arrangement(per_category=1), 6) == [0, 3, 1, 2, 4, NOTHING]


def test_a_quota_is_met_from_below_the_pool_before_it_is_broken() -> None:
    pool = 2 * POOL
    traits = traits_of(pool + 3, category=[7] * (pool + 1) + [8, 9])
    assert listed(falling(pool + 3), traits, Arrangement(per_category=1), 2) == [0, pool + 1]
    assert listed(falling(pool + 3), traits, Arrangement(per_category=1, diversity=0.5), 2) == [0, pool + 1]


@pytest.mark.parametrize(("diversity", "second"), [(0.1, 1), (0.2, 2), (0.5, 4)])
def test_diversity_by_hand(diversity: float, second: int) -> None:
    """Lists of 2, so relevances of 1, 0.9, 0.8, 0.7, 0.6. Item 2 shares its category with item 0, items 1 and 3 their
    brand too, item 4 nothing. (1 − λ) · relevance − λ · similarity of items 1, 2, 4:

    λ = 0.1: 0.71, 0.67, 0.54;  λ = 0.2: 0.52, 0.54, 0.48;  λ = 0.5: −0.05, 0.15, 0.30.
    """
    traits = traits_of(5, category=[7, 7, 7, 7, 8], brand=[1, 1, 2, 1, 3])
    assert listed(falling(5), traits, Arrangement(diversity=diversity), 2) == [0, second]


def test_the_likest_item_of_the_list_counts_not_only_the_last() -> None:
    """Items 0 and 1 have nothing in common; item 2 is like item 0, item 3 like none."""
    traits = traits_of(4, category=[7, 8, 7, 9])
    assert listed(falling(4), traits, Arrangement(diversity=0.5), 4) == [0, 1, 3, 2]


def test_factors_tell_items_apart_where_groups_do_not() -> None:
    """Item 1 points the way of item 0, item 2 the opposite way, which is no more unlike than none at all (item 3)."""
    factors = np.array([[1.0, 0.0], [9.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    traits = traits_of(4, category=[7, 7, 7, 7], factors=factors)
    assert listed(falling(4), traits, Arrangement(diversity=0.3), 2) == [0, 2]
    assert listed(falling(4), traits_of(4, category=[7, 7, 7, 7]), Arrangement(diversity=0.3), 2) == [0, 1]
    likeness = arranging.Likeness.among(np.arange(4)[None], traits)
    assert likeness.to(np.array([0])).tolist() == [[1.0, 1.0, 0.5, 0.5]]


def test_factors_count_only_where_no_group_tells_items_apart() -> None:
    unknown, margin, factors = np.full(2, UNKNOWN), np.full(2, NONE), np.ones((2, 3))
    assert ItemTraits.of(Catalogue.bare(2), margin, factors).factors is factors
    for known in (
        Catalogue(np.array([UNKNOWN, 4]), unknown, margin),
        Catalogue(unknown, np.array([4, UNKNOWN]), margin),
    ):
        assert ItemTraits.of(known, margin, factors).factors is None


def test_where_nothing_is_known_of_items_diversity_changes_nothing() -> None:
    assert listed(falling(5), traits_of(5), Arrangement(diversity=0.9), 4) == [0, 1, 2, 3]


@pytest.mark.parametrize(("weight", "expected"), [(0.0, [0, 1]), (0.1, [0, 1]), (0.5, [1, 0]), (2.0, [1, 2])])
def test_margin_by_hand(weight: float, expected: list[int]) -> None:
    """Margins of 0.2 and 0.6, 0.4 on average, and an unknown one, so relevances (1 − 0.2 w), 0.9 (1 + 0.2 w), 0.8."""
    traits = traits_of(3, margin=[0.2, 0.6, NONE])
    assert listed(falling(3), traits, Arrangement(margin_weight=weight), 2) == expected


def test_a_margin_lifts_nothing_from_below_the_pool() -> None:
    traits = traits_of(POOL + 1, margin=[0.1] * POOL + [0.9])
    assert listed(falling(POOL + 1), traits, Arrangement(margin_weight=9.0), 1) == [0]


def test_the_mean_margin_is_the_pools() -> None:
    """Item 0 has it, and stays at 1; with the dear item below the pool it would fall to 0.75, below item 1 at 0.8."""
    traits = traits_of(POOL + 1, margin=[0.5] + [NONE] * (POOL - 1) + [1.0])
    assert listed(falling(POOL + 1), traits, Arrangement(margin_weight=1.0), 1) == [0]


def test_a_weight_that_leaves_nothing_of_relevance_keeps_the_rankers_order() -> None:
    traits = traits_of(3, margin=[0.0, 0.0, 1.0])
    assert listed(falling(3), traits, Arrangement(margin_weight=9.0), 3) == [2, 0, 1]


def test_however_alike_the_pool_is_it_comes_before_what_lies_below() -> None:
    pool = 2 * POOL
    traits = traits_of(pool + 1, category=[7] * (pool + 1))
    assert listed(falling(pool + 1), traits, Arrangement(per_brand=1, diversity=0.95), 2) == [0, 1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_category": 0},
        {"per_brand": -1},
        {"diversity": 1.0},
        {"diversity": -0.1},
        {"diversity": NONE},
        {"margin_weight": -1.0},
        {"margin_weight": float("inf")},
    ],
    ids=str,
)
def test_rules_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Arrangement(**wrong)  # type: ignore[arg-type]  # of either type, by name


def test_nobody_and_nothing() -> None:
    none = np.zeros(0, np.int64)
    empty = RankedCandidates.of(2, none, none, none.astype(np.float64))
    for rules in (Arrangement(), Arrangement(1, 1, 0.5, 1.0)):
        items, scores = arrange(empty, traits_of(0), rules, 3)
        assert items.tolist() == [[NOTHING] * 3] * 2
        assert not scores.any()


@dataclass(frozen=True)
class Case:
    ranked: RankedCandidates
    traits: ItemTraits
    length: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Up to 5 customers with up to 12 candidates each, lists so short that pools end before candidates do."""
    customers = draw(st.integers(1, 5))
    pairs = sorted(draw(st.sets(st.tuples(st.integers(0, customers - 1), st.integers(0, ITEMS - 1)), max_size=50)))
    scores = draw(st.lists(st.integers(-3, 3), min_size=len(pairs), max_size=len(pairs)))
    numbers = np.array(pairs, np.int64).reshape(-1, 2)

    def of_items(values: st.SearchStrategy) -> list:
        return draw(st.lists(values, min_size=ITEMS, max_size=ITEMS))

    seed = draw(st.none() | st.integers(0, 99))
    traits = traits_of(
        ITEMS,
        category=of_items(st.integers(UNKNOWN, 2)),
        brand=of_items(st.integers(UNKNOWN, 3)),
        margin=of_items(st.just(NONE) | st.floats(0, 1)),
        factors=None if seed is None else np.random.default_rng(seed).normal(size=(ITEMS, 5)),
    )
    ranked = RankedCandidates.of(customers, numbers[:, 0], numbers[:, 1], np.array(scores, np.float64))
    return Case(ranked, traits, draw(st.integers(1, 5)))


rules_of_all_kinds = st.builds(
    Arrangement,
    per_category=st.none() | st.integers(1, 3),
    per_brand=st.none() | st.integers(1, 3),
    diversity=st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.95]),
    margin_weight=st.sampled_from([0.0, 0.5, 1.0, 5.0]),
)
often = hypothesis_settings(max_examples=200, deadline=None)


@often
@given(cases(), rules_of_all_kinds)
def test_lists_agree_with_a_slow_arrangement(case: Case, rules: Arrangement) -> None:
    items, scores = arrange(case.ranked, case.traits, rules, case.length)
    for customer in range(case.ranked.customers):
        own = case.ranked.customer == customer
        expected = slowly(case.ranked.item[own].tolist(), case.traits, rules, case.length)
        padding = [NOTHING] * (case.length - len(expected))
        assert items[customer].tolist() == expected + padding
        score = dict(zip(case.ranked.item[own].tolist(), case.ranked.score[own].tolist(), strict=True))
        assert scores[customer].tolist() == [score[item] for item in expected] + [0.0] * len(padding)


def slowly(candidates: list[int], traits: ItemTraits, rules: Arrangement, length: int) -> list[int]:
    """The list of one customer from candidates in the ranker's order, item by item."""
    pool = candidates[: POOL * length]
    margins = [traits.margin[item] for item in pool if not np.isnan(traits.margin[item])]
    made: list[int] = []

    def worth(item: int) -> float:
        if item not in pool:
            return -1 - candidates.index(item)
        relevance = (1 - rules.diversity) * (1 - candidates.index(item) / (POOL * length))
        if not np.isnan(traits.margin[item]):
            relevance *= max(1 + rules.margin_weight * (traits.margin[item] - sum(margins) / len(margins)), 0)
        return relevance - rules.diversity * max((similarity(item, other, traits) for other in made), default=0)

    while len(made) < min(length, len(candidates)):
        left = [item for item in candidates if item not in made]
        admitted = [item for item in left if not breaks_quota(item, made, traits, rules)]
        made.append(max(admitted or left, key=worth))
    return made


def similarity(one: int, other: int, traits: ItemTraits) -> float:
    shares = [
        float(of_items[one] == of_items[other] != UNKNOWN)
        for of_items in (traits.category, traits.brand)
        if (of_items != UNKNOWN).any()
    ]
    if traits.directions is not None:
        both = np.stack([traits.directions[one], traits.directions[other]])[None]
        shares.append(max(float(np.einsum("rcf,rf->rc", both[:, :1], both[:, 1])[0, 0]), 0.0))
    return sum(shares) / max(len(shares), 1)


def breaks_quota(item: int, made: Sequence[int], traits: ItemTraits, rules: Arrangement) -> bool:
    return any(
        most is not None
        and of_items[item] != UNKNOWN
        and sum(of_items[other] == of_items[item] for other in made) >= most
        for of_items, most in ((traits.category, rules.per_category), (traits.brand, rules.per_brand))
    )


@often
@given(cases(), rules_of_all_kinds)
def test_a_list_holds_candidates_once_each_and_as_many_as_there_are(case: Case, rules: Arrangement) -> None:
    items, _ = arrange(case.ranked, case.traits, rules, case.length)
    for customer, row in enumerate(items.tolist()):
        candidates = set(case.ranked.item[case.ranked.customer == customer].tolist())
        made = [item for item in row if item != NOTHING]
        assert row == made + [NOTHING] * (case.length - len(made))
        assert len(made) == len(set(made)) == min(case.length, len(candidates))
        assert set(made) <= candidates


@often
@given(cases(), rules_of_all_kinds)
def test_no_quota_is_broken_while_a_candidate_would_keep_it(case: Case, rules: Arrangement) -> None:
    items, _ = arrange(case.ranked, case.traits, rules, case.length)
    for customer, row in enumerate(items.tolist()):
        candidates = set(case.ranked.item[case.ranked.customer == customer].tolist())
        for place, item in enumerate(row):
            made = row[:place]
            if item != NOTHING and breaks_quota(item, made, case.traits, rules):
                assert all(breaks_quota(other, made, case.traits, rules) for other in candidates - set(made))


@often
@given(cases())
def test_without_rules_every_list_is_the_rankers(case: Case) -> None:
    items, _ = arrange(case.ranked, case.traits, Arrangement(), case.length)
    for customer, row in enumerate(items.tolist()):
        own = case.ranked.item[case.ranked.customer == customer].tolist()
        assert [item for item in row if item != NOTHING] == own[: case.length]


@often
@given(cases(), rules_of_all_kinds, st.randoms(use_true_random=False))
def test_customers_in_another_order_get_the_same_lists(case: Case, rules: Arrangement, random: object) -> None:
    ranked = case.ranked
    new_number = np.array(sorted(range(ranked.customers), key=lambda _: random.random()))  # type: ignore[attr-defined]
    moved = RankedCandidates.of(ranked.customers, new_number[ranked.customer], ranked.item, ranked.score)
    items, _ = arrange(ranked, case.traits, rules, case.length)
    assert arrange(moved, case.traits, rules, case.length)[0][new_number].tolist() == items.tolist()


def crowd(customers: int, items: int, seed: int) -> tuple[RankedCandidates, ItemTraits]:
    """Customers with 5 to 60 candidates, and items of which most is known."""
    random = np.random.default_rng(seed)
    candidates = [random.choice(items, random.integers(5, 61), replace=False) for _ in range(customers)]
    customer = np.repeat(np.arange(customers), [len(own) for own in candidates])
    traits = traits_of(
        items,
        category=random.integers(-1, 8, items).tolist(),
        brand=random.integers(-1, 20, items).tolist(),
        margin=np.where(random.random(items) < 0.2, np.nan, random.random(items)).tolist(),
        factors=random.normal(size=(items, 17)),
    )
    return RankedCandidates.of(
        customers, customer, np.concatenate(candidates), random.normal(size=len(customer))
    ), traits


def test_a_list_is_the_same_alone_as_in_a_crowd() -> None:
    """More customers than are looked at together, so also across the seams."""
    customers = arranging.CUSTOMERS_AT_ONCE * 2 + 7
    ranked, traits = crowd(customers, 200, seed=4)
    rules = Arrangement(per_category=3, per_brand=2, diversity=0.4, margin_weight=0.7)
    items, scores = arrange(ranked, traits, rules, 10)
    for number in (0, 1, arranging.CUSTOMERS_AT_ONCE - 1, arranging.CUSTOMERS_AT_ONCE, 777, customers - 1):
        of_alone, of_scores = arrange(ranked.of_customers(np.array([number])), traits, rules, 10)
        assert of_alone.tolist() == items[[number]].tolist()
        assert of_scores.tolist() == scores[[number]].tolist()


def planted() -> tuple[RankedCandidates, Relevance, ItemTraits]:
    """10 customers, each of whom buys from one category, which a perfect ranker puts first.

    Item number = 10 · category + place in it. The ranker of customer c gives all of category c, then c + 1, and so on;
    what is bought are the first 6. Margin rises with the place in the category.
    """
    customer = np.repeat(np.arange(10), 50)
    item = (customer * 10 + np.tile(np.arange(50), 10)) % 100
    ranked = RankedCandidates.of(10, customer, item, np.tile(np.arange(50.0, 0, -1), 10))
    bought = ranked.ranks < 6
    numbers = np.arange(100)
    traits = traits_of(100, category=(numbers // 10).tolist(), margin=(numbers % 10 / 10).tolist())
    return ranked, Relevance.of(ranked.customer[bought], ranked.item[bought], 10), traits


def test_diversity_rises_and_accuracy_falls_with_lambda() -> None:
    ranked, relevance, traits = planted()
    grid = (0.0, 0.1, 0.2, 0.4)
    points = frontier(ranked, relevance, traits, catalogue=100, diversities=grid, margin_weights=(0.0,))
    assert [point.diversity for point in points] == list(grid)
    accuracy = [point.ndcg for point in points]
    diversity = [point.intra_list_diversity or 0.0 for point in points]
    assert accuracy[0] == pytest.approx(1)
    assert diversity[0] == 0
    assert all(np.diff(accuracy) < 0)
    assert all(np.diff(diversity) > 0)


def test_margin_rises_and_accuracy_falls_with_its_weight() -> None:
    ranked, relevance, traits = planted()
    points = frontier(ranked, relevance, traits, catalogue=100, diversities=(0.0,), margin_weights=(0.0, 1.0, 5.0))
    margins = [point.mean_margin or 0.0 for point in points]
    assert margins[0] == pytest.approx(0.45)
    assert all(np.diff(margins) > 0)
    assert all(np.diff([point.ndcg for point in points]) < 0)


def test_points_by_hand() -> None:
    """Customer 0 bought the second of two listed items of one brand; customer 1 bought nothing and is left out."""
    ranked = RankedCandidates.of(2, np.array([0, 0, 1]), np.array([0, 1, 2]), np.array([2.0, 1.0, 1.0]))
    traits = traits_of(3, category=[7, 8, 9], brand=[1, 1, 2], margin=[0.2, NONE, 0.9])
    relevance = Relevance.of(np.array([0]), np.array([1]), 2)
    points = frontier(ranked, relevance, traits, catalogue=4, diversities=(0.0,), margin_weights=(0.0,))
    assert [json.loads(json.dumps(point.as_json())) for point in points] == [
        {
            "diversity": 0.0,
            "margin_weight": 0.0,
            "ndcg@10": pytest.approx(1 / np.log2(3), abs=1e-6),
            "intra_list_diversity": 0.5,
            "mean_margin": 0.2,
            "coverage": 0.5,
        }
    ]


def test_what_cannot_be_told_is_none() -> None:
    ranked = one_customer([1.0])
    relevance = Relevance.of(np.array([0]), np.array([0]), 1)
    points = frontier(ranked, relevance, traits_of(1), catalogue=1, diversities=(0.1,), margin_weights=(2.0,))
    assert points == [Point(0.1, 2.0, 1.0, None, None, 1.0)]
    nobody = Relevance.of(np.zeros(0, np.int64), np.zeros(0, np.int64), 1)
    assert frontier(ranked, nobody, traits_of(1), catalogue=1) == []
    with pytest.raises(ValueError, match="first 10"):
        frontier(ranked, relevance, traits_of(1), catalogue=1, length=9)


def test_quotas_hold_at_every_point() -> None:
    """One item of each category: wholly diverse lists whatever λ."""
    ranked, relevance, traits = planted()
    points = frontier(ranked, relevance, traits, catalogue=100, rules=Arrangement(per_category=1), length=10)
    assert len(points) == len(judging.DIVERSITIES) * len(judging.MARGIN_WEIGHTS)
    # Each customer's 50 candidates have 5 categories: places 6 to 10 hold what the quota refused.
    assert all((point.intra_list_diversity or 0) > 0.5 for point in points)


def test_diversity_of_lists_is_the_mean_over_pairs() -> None:
    ranked, traits = crowd(30, 80, seed=8)
    items, _ = arrange(ranked, traits, Arrangement(), 8)
    for row, found in zip(items.tolist(), intra_list_diversity(items, traits), strict=True):
        made = [item for item in row if item != NOTHING]
        pairs = [(a, b) for place, a in enumerate(made) for b in made[place + 1 :]]
        assert found == pytest.approx(np.mean([1 - similarity(a, b, traits) for a, b in pairs]))
