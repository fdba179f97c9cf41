"""Splits, candidates, what a ranker sees and learns: by hand, and with a leak planted to be caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import recommender_shop as shop
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from include.db.tables import DISCOVERY, NEXT_PURCHASE
from include.recommender import learning
from include.recommender.candidates import UNRANKED, propose
from include.recommender.history import Catalogue, History
from include.recommender.item_facts import ITEM_FACTS, ItemFacts
from include.recommender.learning import PURPOSES, cut_at, hide_a_part, horizon, splits
from include.recommender.models import Attributes, AttributesParameters, OwnHistoryParameters, PopularityParameters
from include.recommender.pair_features import PairFeatures, pair_features
from include.recommender.ranker import Lesson, Ranker, RankerParameters
from include.recommender.reasons import reasons, strategies
from include.recommender.recipe import Recipe
from include.recommender.two_stage import TwoStage, lists, not_to_list
from include.recommender.vocabulary import LOOKED_AT, OWN_HISTORY

TODAY = shop.TODAY


def tiny(*elements: tuple[int, int, int], customers: int = 2, items: int = 4) -> History:
    """From (customer, item, days ago)."""
    customer, item, ago = np.array(elements, np.int64).T
    return History.of(customers, Catalogue.bare(items), TODAY, customer, item, TODAY - ago)


def test_a_cut_shows_what_was_known_and_hides_the_days_after() -> None:
    split = cut_at(tiny((0, 0, 40), (0, 0, 10), (0, 1, 10), (1, 2, 28), (1, 3, 27), (1, 2, 0)), TODAY - 28, 28)
    assert split.past.today == TODAY - 28
    assert split.past.pairs.item.tolist() == [0, 2]
    assert list(zip(split.customer.tolist(), split.item.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 2), (1, 3)]
    assert [found.tolist() for found in split.relevant(NEXT_PURCHASE)] == [[0, 0, 1, 1], [0, 1, 2, 3]]
    assert [found.tolist() for found in split.relevant(DISCOVERY)] == [[0, 1], [1, 3]]


def test_of_an_item_that_came_after_the_cut_nothing_is_known_at_the_cut() -> None:
    """Today's catalogue names it: proposed at the cut by its category, it would teach that what is new is bought."""
    elements = np.array([(0, 0, 40), (0, 1, 40), (1, 0, 40), (0, 2, 3)], np.int64)
    catalogue = Catalogue(np.array([0, 0, 0, 0]), np.array([5, 5, 5, 5]), np.full(4, 2.0))
    history = History.of(2, catalogue, TODAY, elements[:, 0], elements[:, 1], TODAY - elements[:, 2])
    past = cut_at(history, TODAY - 28, 28).past
    assert past.catalogue.category.tolist() == [0, 0, -1, -1]
    assert past.catalogue.brand.tolist() == [5, 5, -1, -1]
    assert np.isnan(past.catalogue.price[2:]).all()
    scores = Attributes.fit(past, AttributesParameters()).scores(past)
    assert set(scores.indices.tolist()) == {0, 1}
    # Today the one that nobody has met yet is served.
    assert 3 in Attributes.fit(history, AttributesParameters()).scores(history).indices


def test_customers_gone_for_long_do_not_keep_a_shop_from_a_cut_in_time() -> None:
    gone = [(number, number % 4, 700) for number in range(200, 1200)]
    active = [(number, number % 4, ago) for number in range(200) for ago in (60, 10)]
    found = splits(tiny(*gone, *active, customers=1200), days=28, count=1, seed=1)
    assert [split.in_time for split in found] == [True]


def test_where_trees_cannot_tell_candidates_apart_there_is_no_ranker() -> None:
    values = np.zeros((600, 1), np.float32)
    lesson = Lesson(("nothing",), values, np.arange(600) % 6 == 0, np.full(100, 6))
    assert learning.learn([{purpose: [lesson] for purpose in PURPOSES}], shop.RECIPE) == {}


def test_what_is_only_looked_at_is_neither_hidden_nor_known_as_bought() -> None:
    day = np.array([TODAY - 40, TODAY - 1])
    seen = History.of(
        1, Catalogue.bare(2), TODAY, np.zeros(2, int), np.array([0, 1]), day, bought=np.array([False, False])
    )
    split = cut_at(seen, TODAY - 28, 28)
    assert len(split.customer) == 0
    assert split.past.known.nnz == 0


def test_cuts_do_not_overlap_and_the_newest_comes_first() -> None:
    found = splits(shop.HISTORY, days=28, count=9, seed=1)
    assert [TODAY - split.past.today for split in found] == [28, 56, 84, 112]
    assert all(split.in_time for split in found)


def test_where_nobody_comes_back_a_random_part_is_hidden() -> None:
    random = np.random.default_rng(1)
    customer = np.repeat(np.arange(200), 8)
    # Everyone came on one day of the year, as who rates films does.
    day = TODAY - np.repeat(random.integers(0, 365, 200), 8)
    item = np.concatenate([random.choice(50, 8, replace=False) for _ in range(200)])
    once = History.of(200, Catalogue.bare(50), TODAY, customer, item, day)
    found = splits(once, days=28, count=3, seed=1)
    assert [split.in_time for split in found] == [False] * 3
    for split in found:
        assert split.past.today == TODAY
        assert len(split.customer) / len(item) == pytest.approx(0.25, abs=0.03)
        assert len(split.past.item) + len(split.item) == len(item)
    assert set(zip(found[0].customer, found[0].item, strict=True)) != set(
        zip(found[1].customer, found[1].item, strict=True)
    )
    np.testing.assert_array_equal(hide_a_part(once, 1).item, found[0].item)


def test_too_few_customers_are_no_split() -> None:
    assert splits(tiny((0, 0, 40), (0, 0, 1), (1, 1, 40), (1, 1, 2)), days=28, count=3, seed=1) == []


def test_a_hidden_part_is_at_most_a_quarter_of_the_history() -> None:
    assert horizon(tiny((0, 0, 59)), 28) == 15
    assert horizon(tiny((0, 0, 400)), 28) == 28
    assert horizon(tiny((0, 0, 1)), 28) == 1


def test_candidates_are_the_union_and_know_what_each_model_said() -> None:
    a, b = csr_matrix([[5.0, 4.0, 3.0, 0.0]]), csr_matrix([[0.0, 0.0, 1.0, 9.0]])
    found = propose({"a": a, "b": b}, proposed=2)
    assert found.item.tolist() == [0, 1, 2, 3]
    assert found.scores.tolist() == [[5, 0], [4, 0], [3, 1], [0, 9]]
    assert found.ranks.tolist() == [[0, UNRANKED], [1, UNRANKED], [2, 1], [UNRANKED, 0]]


def test_what_is_refused_takes_nobodys_place() -> None:
    scores = {"a": csr_matrix([[5.0, 4.0, 3.0, 2.0], [5.0, 4.0, 3.0, 2.0]])}
    refused = csr_matrix([[1.0, 0, 0, 0], [0, 0, 0, 0]])
    found = propose(scores, excluded=refused, allowed=np.array([True, True, False, True]), proposed=2)
    assert list(zip(found.customer.tolist(), found.item.tolist(), strict=True)) == [(0, 1), (0, 3), (1, 0), (1, 1)]
    assert found.ranks[:, 0].tolist() == [0, 1, 0, 1]


def features_of(history: History, *pairs: tuple[int, int]) -> dict[str, list[float]]:
    """By name, for (customer, item)."""
    customers, items = history.customers, history.items
    wanted = csr_matrix((np.ones(len(pairs)), np.array(pairs).T), shape=(customers, items))
    features = pair_features(propose({"m": wanted}, proposed=items), history, ItemFacts.of(history))
    return {name: features.values[:, place].tolist() for place, name in enumerate(features.names)}


def test_features_by_hand() -> None:
    elements = np.array([(0, 0, 30), (0, 0, 20), (0, 0, 5), (0, 1, 5), (1, 1, 10), (1, 2, 10)], np.int64)
    catalogue = Catalogue(np.array([0, 0, 1, 1]), np.array([0, 1, 1, -1]), np.array([2.0, 4.0, np.nan, 1.0]))
    history = History.of(2, catalogue, TODAY, elements[:, 0], elements[:, 1], TODAY - elements[:, 2])
    found = features_of(history, (0, 0), (0, 2), (1, 0))
    assert found["own_days"] == [3, 0, 0]
    assert found["own_recent_days"] == [2, 0, 0]
    assert found["own_days_since"][0] == 5
    assert np.isnan(found["own_days_since"][1])
    assert found["own_interval"][0] == 12.5
    assert found["own_due"][0] == pytest.approx(5 / 12.5)
    assert found["own_share_of_visits"] == [1, 0, 0]
    assert found["age"] == [30, 10, 30]
    assert found["repeat_rate"] == [1, 0, 1]
    assert found["customer_visits"] == [3, 3, 1]
    assert found["customer_days_since"] == [5, 5, 10]
    assert found["customer_rhythm"] == [12.5, 12.5, 0]
    assert found["category_days_since"][0] == 5
    assert np.isnan(found["category_days_since"][1])
    assert found["category_days_since"][2] == 10
    assert found["category_share"][1] == 0
    assert found["category_share"][2] == pytest.approx(0.5)
    assert found["price_fit"][2] == pytest.approx(np.log(2.0) - np.log(4.0))
    assert np.isnan(found["price_fit"][1])


def test_a_row_is_the_same_whichever_other_candidates_and_customers_there_are() -> None:
    together = features_of(shop.HISTORY, (3, 3), (3, 5), (9, 9), (9, 40))
    alone = features_of(shop.HISTORY, (9, 9))
    # The rank is among the candidates asked for.
    assert {name: values[2] for name, values in together.items() if "_m" not in name} == pytest.approx(
        {name: values[0] for name, values in alone.items() if "_m" not in name}, nan_ok=True
    )
    apart = shop.HISTORY.of_customers(np.array([9]))
    scored = csr_matrix(([1.0], ([0], [9])), shape=(1, shop.ITEMS))
    features = pair_features(propose({"m": scored}), apart, ItemFacts.of(shop.HISTORY))
    assert features.values[0].tolist() == pytest.approx([values[0] for values in alone.values()], nan_ok=True)


def test_no_feature_sees_the_hidden_part() -> None:
    """Whatever happens after the cut, what a lesson shows of the candidates stays the same to the last bit."""
    split = cut_at(shop.HISTORY, TODAY - 28, 28)
    after = np.flatnonzero(shop.HISTORY.day > TODAY - 28)
    other = np.random.default_rng(5).permutation(after)
    mixed = shop.HISTORY.item.copy()
    mixed[after] = mixed[other]
    changed = History.of(shop.CUSTOMERS, shop.HISTORY.catalogue, TODAY, shop.HISTORY.customer, mixed, shop.HISTORY.day)
    again = cut_at(changed, TODAY - 28, 28)
    for one, two in zip(passes(split), passes(again), strict=True):
        np.testing.assert_array_equal(one.ordered.features.values, two.ordered.features.values)
        assert (one.bought != two.bought).any()


def passes(split: learning.Split) -> list[learning.Pass]:
    fitted = TwoStage.fit(split.past, shop.RECIPE)
    return list(learning.passes(fitted, split, np.arange(shop.CUSTOMERS)))


def ndcg_of(split: learning.Split, fitted: TwoStage) -> float:
    """Mean nDCG@10 of next purchases."""
    from include.recommender import metrics

    found = [one for one in learning.passes(fitted, split, np.arange(shop.CUSTOMERS)) if one.purpose == NEXT_PURCHASE]
    made = np.vstack([lists(one.ordered.candidates, one.ordered.places, len(one.block), 10) for one in found])
    relevance = metrics.Relevance.of(*split.relevant(NEXT_PURCHASE), shop.CUSTOMERS)
    return float(metrics.ndcg(metrics.hits(made, relevance), relevance.counts)[relevance.counts > 0].mean())


def test_a_planted_leak_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one feature that looks past the cut, the lesson looks splendid and the next month does not.

    The honest ranker does as well in the month that it learned from as in one it never saw; the leaky one falls.
    """
    taught, unseen = splits(shop.HISTORY, days=28, count=2, seed=1)[::-1]

    def fall() -> float:
        fitted = TwoStage.fit(taught.past, shop.RECIPE)
        told = learning.lessons(fitted, taught, learning.known_buyers(taught), seed=1)
        rankers = learning.learn([told], shop.RECIPE)
        on_taught = ndcg_of(taught, replace(fitted, rankers=rankers))
        monkeypatch.undo()
        return on_taught - ndcg_of(unseen, TwoStage.fit(unseen.past, shop.RECIPE, rankers=rankers))

    assert abs(fall()) < 0.08

    future = set(zip(taught.customer.tolist(), taught.item.tolist(), strict=True))
    honest = pair_features

    def leaky(candidates: object, history: History, facts: ItemFacts) -> PairFeatures:
        features = honest(candidates, history, facts)  # type: ignore[arg-type]
        pairs = zip(candidates.customer.tolist(), candidates.item.tolist(), strict=True)  # type: ignore[attr-defined]
        values = features.values.copy()
        values[:, features.names.index("trend_7")] = [pair in future for pair in pairs]
        return PairFeatures(features.names, values)

    monkeypatch.setattr("include.recommender.two_stage.pair_features", leaky)
    assert fall() > 0.2


@pytest.mark.parametrize("purpose", PURPOSES)
def test_the_same_lessons_teach_the_same_on_any_number_of_threads(purpose: str) -> None:
    split = cut_at(shop.HISTORY, TODAY - 28, 28)
    fitted = TwoStage.fit(split.past, shop.RECIPE)
    told = learning.lessons(fitted, split, learning.known_buyers(split), seed=1)[purpose]
    one, two = (Ranker.learn(told, shop.RECIPE.ranker, threads=threads) for threads in (1, 2))
    assert one == two


def test_a_ranker_finds_the_feature_that_decides() -> None:
    random = np.random.default_rng(1)
    values = random.random((4000, 3)).astype(np.float32)
    customer = np.repeat(np.arange(200), 20)
    relevant = values[:, 1] > 0.9
    features = PairFeatures(("noise", "signal", "more_noise"), values)
    lesson = Lesson.of(customer, features, relevant, share=0.5, random=random)
    assert lesson.relevant.sum() == relevant.sum()
    assert len(lesson.relevant) < 0.7 * len(relevant)
    ranker = Ranker.learn([lesson], RankerParameters(rounds=20, smallest_leaf=20, feature_share=1.0))
    assert next(iter(ranker.leans_on())) == "signal"
    scores = ranker.scores(features)
    # But for the few within one bin of the border.
    assert np.quantile(scores[relevant], 0.05) > np.quantile(scores[~relevant], 0.99)
    with pytest.raises(ValueError, match="learned from other features"):
        ranker.scores(PairFeatures(("a", "b", "c"), values))


def test_lessons_without_anything_bought_teach_nothing() -> None:
    nothing = np.zeros(0)
    lesson = Lesson(("a",), np.zeros((0, 1), np.float32), nothing.astype(bool), nothing.astype(np.int64))
    with pytest.raises(ValueError, match="nothing to learn an order from"):
        Ranker.learn([lesson], RankerParameters())


def test_whoever_has_no_past_gets_what_is_popular_in_its_order() -> None:
    fitted = shop.learned()
    nobody = np.zeros(0, np.int64)
    newcomer = History.of(1, shop.HISTORY.catalogue, TODAY, nobody, nobody, nobody)
    for purpose in PURPOSES:
        refused = not_to_list(newcomer, purpose)
        ordered = fitted.order(newcomer, fitted.say(newcomer), purpose, refused=refused)
        made = lists(ordered.candidates, ordered.places, 1, 10)[0]
        popularity = fitted.models["popularity"].arrays()["popularity"]
        assert made.tolist() == np.lexsort((np.arange(shop.ITEMS), -popularity))[:10].tolist()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), block=st.integers(1, 50))
def test_lists_are_the_same_whoever_is_served_together(seed: int, block: int) -> None:
    fitted = shop.learned()
    numbers = np.sort(np.random.default_rng(seed).choice(shop.CUSTOMERS, block, replace=False))
    for purpose in PURPOSES:
        whole, some = shop.HISTORY, shop.HISTORY.of_customers(numbers)
        made = []
        for history in (whole, some):
            ordered = fitted.order(history, fitted.say(history), purpose, refused=not_to_list(history, purpose))
            made.append(lists(ordered.candidates, ordered.places, history.customers, 10))
        np.testing.assert_array_equal(made[0][numbers], made[1])


def test_discovery_never_lists_what_was_bought() -> None:
    fitted = shop.learned()
    ordered = fitted.order(
        shop.HISTORY, fitted.say(shop.HISTORY), DISCOVERY, refused=not_to_list(shop.HISTORY, DISCOVERY)
    )
    known = shop.HISTORY.known
    assert not known[ordered.candidates.customer, ordered.candidates.item].any()


def test_a_recipe_survives_json_with_the_order_of_its_parts() -> None:
    recipe = Recipe({"b": OwnHistoryParameters(7.0), "a": PopularityParameters()}, RankerParameters(rounds=3))
    again = Recipe.of_json(recipe.as_json())
    assert again == recipe
    assert list(again.parts) == ["b", "a"]


def test_item_facts_are_per_thousand_customers_and_in_their_order() -> None:
    facts = ItemFacts.of(tiny((0, 0, 0), (1, 0, 0), (1, 1, 0)))
    assert facts.of_name("popularity_7").tolist()[:2] == [1000, 500]
    assert facts.values.shape == (4, len(ITEM_FACTS))


def test_what_was_only_looked_at_is_never_said_to_be_bought() -> None:
    """Odd customers only look; neither their own items nor what goes with them may read as if they had bought any."""
    whole = shop.HISTORY
    history = replace(whole, bought=whole.customer % 2 == 0)
    fitted = TwoStage.fit(history, shop.RECIPE)
    for purpose in PURPOSES:
        ordered = fitted.order(history, fitted.say(history), purpose, refused=not_to_list(history, purpose))
        listed = np.arange(len(ordered.candidates))
        strategy = strategies(ordered, listed)
        customer, item = ordered.candidates.customer, ordered.candidates.item
        met = np.asarray(history.matrix(np.ones(len(history.pairs.item)))[customer, item]).ravel() > 0
        looked = customer % 2 == 1
        assert set(strategy[met & looked]) == {LOOKED_AT}
        assert OWN_HISTORY not in strategy[looked]
        assert set(strategy[met & ~looked]) == ({OWN_HISTORY} if purpose == NEXT_PURCHASE else set())
        found = reasons(fitted, history, customer, item, strategy, presentable=np.ones(shop.ITEMS, bool))
        np.testing.assert_array_equal(found[met], item[met])
        assert (found[looked & ~met] == -1).all()
        assert (found[~looked & ~met] >= 0).any()
