"""What a ranker sees of each candidate: the models' words, the customer's own past with it, the item, the customer.

Every figure is known at the end of the history's day; none looks further. Each element's row is the same whichever
other candidates there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from include.recommender.candidates import Candidates, find, propose
from include.recommender.history import UNKNOWN, Catalogue, History, Numbers, distinct
from include.recommender.item_facts import ITEM_FACTS, ItemFacts

TASTE_HALF_LIFE = 120.0
"""Days: of what counts for a customer's favourite categories, brands and prices."""
RECENT_DAYS = 28
NEVER = float("nan")
"""A time since what never happened: trees treat it as a case of its own."""

Column = NDArray[np.number]


@dataclass(frozen=True)
class PairFeatures:
    """values: (candidates, names) float32."""

    names: tuple[str, ...]
    values: NDArray[np.float32]

    def of_name(self, name: str) -> NDArray[np.float32]:
        """(candidates,)."""
        return self.values[:, self.names.index(name)]


def pair_features(candidates: Candidates, history: History, facts: ItemFacts) -> PairFeatures:
    """history: of the customers whose numbers the candidates name."""
    columns: dict[str, Column] = {}
    for place, model in enumerate(candidates.models):
        columns[f"score_{model}"] = candidates.scores[:, place]
        columns[f"rank_{model}"] = candidates.ranks[:, place]
    columns |= _own_past(candidates, history)
    columns |= {name: facts.values[candidates.item, place] for place, name in enumerate(ITEM_FACTS)}
    columns |= _liking(candidates, history, "category", history.catalogue.category, facts.category_share)
    columns |= _liking(candidates, history, "brand", history.catalogue.brand, facts.brand_share)
    columns |= {"price_fit": _price_fit(candidates, history)}
    columns |= {name: values[candidates.customer] for name, values in _customers(history).items()}
    return PairFeatures(
        tuple(columns), np.column_stack([np.asarray(column, np.float32) for column in columns.values()])
    )


def feature_names(models: Iterable[str]) -> tuple[str, ...]:
    """The names of what ``pair_features`` shows of candidates that ``models`` propose."""
    nothing, catalogue = np.zeros(0, np.int64), Catalogue.bare(1)
    nobody = History.of(1, catalogue, 0, nothing, nothing, nothing)
    candidates = propose({model: csr_matrix(np.zeros((1, 1), np.float32)) for model in models})
    return pair_features(candidates, nobody, ItemFacts.of(nobody)).names


def _own_past(candidates: Candidates, history: History) -> dict[str, Column]:
    pairs = history.pairs
    place, met = find(
        pairs.customer * history.items + pairs.item, candidates.customer * history.items + candidates.item
    )

    def own(values: NDArray[np.generic], otherwise: float) -> Column:
        # Nothing to look up where nobody has any past.
        return np.where(met, values[place], otherwise) if len(values) else np.full(len(met), otherwise)

    ago, days = history.today - pairs.last, pairs.days
    with np.errstate(invalid="ignore", divide="ignore"):
        interval = np.where(days > 1, (pairs.last - pairs.first) / (days - 1), NEVER)
        due = ago / np.maximum(interval, 1)
    visits = _visits(history)
    recent = history.day > history.today - RECENT_DAYS
    in_recent = np.add.reduceat(recent, history.pair_starts) if len(recent) else recent
    return {
        "own_days": own(days, 0),
        "own_bought_days": own(pairs.bought, 0),
        "own_recent_days": own(in_recent, 0),
        "own_days_since": own(ago, NEVER),
        "own_days_since_first": own(history.today - pairs.first, NEVER),
        "own_interval": own(interval, NEVER),
        "own_due": own(due, NEVER),
        "own_share_of_visits": own(days, 0) / np.maximum(visits.count[candidates.customer], 1),
    }


@dataclass(frozen=True)
class _Visits:
    """(customers,): days with anything, how many of them lately, the first and the last."""

    count: Numbers
    recent: Numbers
    first: Column
    last: Column


def _visits(history: History) -> _Visits:
    span = 1 + int(history.today - history.day.min(initial=history.today))
    ago = history.today - history.day
    customer, ago = np.divmod(distinct(history.customer * span + ago), span)
    first, last = np.full(history.customers, np.nan), np.full(history.customers, np.nan)
    # Ascending by days ago: the first of a customer's is the last visit.
    starts = np.flatnonzero(np.diff(customer, prepend=-1))
    ends = np.append(starts[1:], len(customer)) - 1 if len(starts) else starts
    last[customer[starts]], first[customer[starts]] = ago[starts], ago[ends]
    return _Visits(
        np.bincount(customer, minlength=history.customers),
        np.bincount(customer, ago < RECENT_DAYS, minlength=history.customers),
        first,
        last,
    )


def _customers(history: History) -> dict[str, Column]:
    """(customers,) each."""
    pairs, visits = history.pairs, _visits(history)

    def count(mask: NDArray[np.bool_]) -> Column:
        return np.bincount(pairs.customer, mask, minlength=history.customers)

    new = count(pairs.first > history.today - RECENT_DAYS)
    recent = count(pairs.last > history.today - RECENT_DAYS)
    repeated = count(pairs.days > 1)
    items = np.bincount(pairs.customer, minlength=history.customers)
    return {
        "customer_visits": visits.count,
        "customer_recent_visits": visits.recent,
        "customer_days_since": visits.last,
        "customer_rhythm": (visits.first - visits.last) / np.maximum(visits.count - 1, 1),
        "customer_items": items,
        "customer_new_items": new,
        "customer_recent_items": recent,
        "customer_new_share": new / np.maximum(recent, 1),
        "customer_repeat_share": repeated / np.maximum(items, 1),
    }


def _liking(
    candidates: Candidates, history: History, name: str, group: Numbers, usual: NDArray[np.float32]
) -> dict[str, Column]:
    """How much of the customer's weight lies in the item's group, and how that compares with everyone's."""
    weights = history.weights(TASTE_HALF_LIFE)
    known = np.flatnonzero(group != UNKNOWN)
    groups = int(group.max(initial=0)) + 1
    members = csr_matrix((np.ones(len(known), np.float32), (known, group[known])), shape=(history.items, groups))
    tastes = (weights @ members).tocsr()
    tastes.sort_indices()
    rows = np.repeat(np.arange(history.customers), np.diff(tastes.indptr))
    of_item = group[candidates.item]
    place, there = find(rows * groups + tastes.indices, candidates.customer * groups + of_item)
    there &= of_item != UNKNOWN
    weight = np.where(there, tastes.data[place], 0) if len(tastes.data) else np.zeros(len(candidates))
    total = np.asarray(weights.sum(axis=1), np.float64).ravel()
    share = weight / np.maximum(total[candidates.customer], np.finfo(np.float64).tiny)
    lift = share / np.maximum(usual[candidates.item], 1e-6)
    return {f"{name}_weight": weight, f"{name}_share": share, f"{name}_lift": lift} | _rhythm(
        candidates, history, name, group
    )


def _rhythm(candidates: Candidates, history: History, name: str, group: Numbers) -> dict[str, Column]:
    """Days since the customer last had anything of the item's group, and how that compares with the usual interval."""
    groups, span = int(group.max(initial=0)) + 2, 1 + int(history.today - history.day.min(initial=history.today))
    # UNKNOWN is a group of its own, which no candidate asks for.
    visit = (history.customer * groups + group[history.item] + 1) * span + (history.today - history.day)
    key, ago = np.divmod(distinct(visit), span)
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    ends = np.append(starts[1:], len(key)) - 1 if len(starts) else starts
    days, interval = ends - starts + 1, (ago[ends] - ago[starts]) / np.maximum(ends - starts, 1)
    place, there = find(key[starts], candidates.customer * groups + group[candidates.item] + 1)
    there &= group[candidates.item] != UNKNOWN
    if not len(starts):
        nothing = np.full(len(candidates), NEVER)
        return {f"{name}_days": nothing, f"{name}_days_since": nothing, f"{name}_due": nothing}
    since = np.where(there, ago[starts][place], NEVER)
    due = np.where(there & (days[place] > 1), ago[starts][place] / np.maximum(interval[place], 1), NEVER)
    return {f"{name}_days": np.where(there, days[place], 0), f"{name}_days_since": since, f"{name}_due": due}


def _price_fit(candidates: Candidates, history: History) -> Column:
    """Log price of the item, less the mean of the customer's in its category, or of all where there is none."""
    catalogue, weights = history.catalogue, history.weights(TASTE_HALF_LIFE)
    log_price = catalogue.log_price
    rows = np.repeat(np.arange(history.customers), np.diff(weights.indptr))
    priced = np.isfinite(log_price[weights.indices])
    rows, items, weight = rows[priced], weights.indices[priced], weights.data[priced]
    overall = _mean(rows, log_price[items], weight, history.customers)
    groups = int(catalogue.category.max(initial=0)) + 2
    key, back = np.unique(rows * groups + catalogue.category[items] + 1, return_inverse=True)
    of_category = _mean(back, log_price[items], weight, len(key))
    place, there = find(key, candidates.customer * groups + catalogue.category[candidates.item] + 1)
    usual = overall[candidates.customer]
    if len(key):
        usual = np.where(there, of_category[place], usual)
    return log_price[candidates.item] - usual


def _mean(group: Numbers, values: Column, weights: Column, groups: int) -> Column:
    with np.errstate(invalid="ignore"):
        return np.bincount(group, values * weights, minlength=groups) / np.bincount(group, weights, minlength=groups)
