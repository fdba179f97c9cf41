"""Every name that the recommender writes has words on the page."""

from __future__ import annotations

import doctest
from types import ModuleType

import numpy as np
import pytest
import recommender_shop as shop
from scipy.sparse import csr_matrix

from include.recommender import evaluation
from include.recommender.candidates import propose
from include.recommender.item_facts import ItemFacts
from include.recommender.pair_features import pair_features
from include.recommender.reasons import STRATEGIES
from include.recommender.recipe import default_parts
from include.recommender.vocabulary import (
    LOCAL_POPULARITY,
    LOOKED_AT,
    OWN_FREQUENCY,
    OWN_HISTORY,
    PLAIN,
    SERVED,
    SETTINGS,
    TUNING,
)
from include.reporting import formats, recommender_data
from include.reporting import recommender_words as terms
from include.reporting.formats import STRATEGY_SENTENCES, offer_sentence


def test_every_list_and_every_group_has_words() -> None:
    assert set(terms.LISTS) == {SERVED, evaluation.FUSED, OWN_FREQUENCY, *default_parts()} - {OWN_HISTORY}
    assert terms.list_label(OWN_HISTORY) == terms.list_label(OWN_FREQUENCY)
    customer_groups = (evaluation.NEW, evaluation.LIGHT, evaluation.HEAVY)
    item_groups = (evaluation.HEAD, evaluation.MIDDLE, evaluation.TAIL, evaluation.FRESH, evaluation.UNMET)
    assert tuple(terms.CUSTOMER_GROUPS) == customer_groups == recommender_data.CUSTOMER_GROUPS
    assert tuple(terms.ITEM_GROUPS) == item_groups == recommender_data.ITEM_GROUPS
    assert set(terms.ORIGINS) == {SETTINGS, TUNING, PLAIN}


def test_every_feature_has_words_of_its_own() -> None:
    scores = csr_matrix(([1.0], ([0], [9])), shape=(1, shop.ITEMS))
    history = shop.HISTORY.of_customers(np.array([9]))
    names = pair_features(propose(dict.fromkeys(default_parts(), scores)), history, ItemFacts.of(shop.HISTORY)).names
    labels = [terms.feature_label(name) for name in names]
    assert len(set(labels)) == len(names) > 50
    unknown = [name for name, label in zip(names, labels, strict=True) if label == name.replace("_", " ")]
    assert unknown == []
    assert set(terms.FEATURES) <= set(names)
    assert terms.feature_label("score_of_yours") == "score by of yours"
    assert terms.feature_label("else_unknown") == "else unknown"


def test_every_strategy_has_a_sentence() -> None:
    assert {*STRATEGIES.values(), LOCAL_POPULARITY, LOOKED_AT} == set(STRATEGY_SENTENCES)
    assert offer_sentence("item_neighbours", "Tea {0}") == (
        "It is often bought together with Tea {0}, which they bought."
    )
    assert offer_sentence("own_history", "Tea") == "They buy it again and again."
    assert offer_sentence("of_yours", None) == "Chosen by of yours."


@pytest.mark.parametrize("module", [formats, terms], ids=lambda module: module.__name__)
def test_the_examples_hold(module: ModuleType) -> None:
    outcome = doctest.testmod(module)
    assert outcome.attempted
    assert not outcome.failed
