"""The lists of one shard of customers, written as drafts."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sqlalchemy import ARRAY, Connection, Engine, Text, any_, cast, delete, select, text
from threadpoolctl import threadpool_limits

from include.db.copy import copy_in
from include.db.locks import lock
from include.db.sql import statement
from include.db.tables import customer_features, recommendation_drafts
from include.recommender import artifact, reading, refusals, registry
from include.recommender.arrange import Arrangement, ItemTraits
from include.recommender.artifact import RecommenderModel
from include.recommender.fallback import Fallback
from include.recommender.history import UNKNOWN, History, Numbers
from include.recommender.learning import PURPOSES
from include.recommender.models.interface import NOTHING
from include.recommender.reasons import reasons, strategies
from include.recommender.shards import shard_count, shard_of
from include.recommender.shop import model_items, read_histories
from include.recommender.two_stage import Ordered, arranged, blocks, not_to_list
from include.recommender.vocabulary import LOCAL_POPULARITY, POPULARITY
from include.settings import RecommenderSettings, Settings

logger = logging.getLogger(__name__)

LOCK_NAME = "lamplighter.recommender.drafts"
ROWS_AT_ONCE = 10_000
DRAFT_COLUMNS = ["customer_id", "purpose", "rank", "item_id", "score", "strategy", "reason_item_id"]


@dataclass(frozen=True)
class GenerationSummary:
    """What one shard wrote; rows of each strategy."""

    business_date: str
    shard: int
    customers: int
    rows: int
    model_id: str
    strategies: dict[str, int]


@dataclass(frozen=True)
class _Shard:
    """customers: ids in the order of the history's numbers. refused: by purpose, (customers, items) not to be listed.

    favourites: each customer's categories, the best first. titled: (items,), as the catalogue says today.
    """

    customers: pd.Index
    favourites: list[list[str]]
    history: History
    refused: Mapping[str, csr_matrix]
    fallback: Fallback
    titled: NDArray[np.bool_]
    traits: ItemTraits


def generate_recommendations(
    engine: Engine, settings: Settings, *, business_date: date, shard: int
) -> GenerationSummary:
    """Write both lists of every customer of the shard to ``recommendation_drafts``, in place of what it held.

    An item is listed only if it is in ``items`` (else it has no title), not out of stock and not blocked. ``score``
    compares rows of one list; the order is ``rank``'s. A customer who bought everything has no ``discovery`` list.

    Raises ValueError for a shard that does not exist, for interactions of another date, when no model is in force, or
    when no item can be recommended; ArtifactError, naming the URI, when the model in force cannot be read.
    """
    started = time.perf_counter()
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        reading.check_interactions_are_of(connection, business_date)
        shards = shard_count(connection, settings, business_date)
        if not 0 <= shard < shards:
            raise ValueError(f"shard {shard} does not exist: {business_date} has shards 0 to {shards - 1}")
        registered = registry.model_in_force(connection, business_date)
        if registered is None:
            raise ValueError(f"no model is in force for {business_date}: clear the run from train_recommender")
        model = artifact.load(registered.artifact_uri, registered.artifact_sha256)
        read = _read(connection, settings, business_date, model, shard, shards)
    if not read.fallback.allowed.any():
        raise ValueError("no item can be recommended: items is empty or all out of stock; land the catalogue")
    with threadpool_limits(1, user_api="blas"):
        drafts = _drafts(settings.recommender, read, model)
    drafts.insert(0, "business_date", business_date)
    drafts["model_id"] = registered.model_id
    drafts["shard"] = shard
    _write(engine, drafts, business_date, shard, list(read.customers))
    logger.info(
        "shard %d of %d: %d customers in %.3gs", shard, shards, len(read.customers), time.perf_counter() - started
    )
    return GenerationSummary(
        business_date=business_date.isoformat(),
        shard=shard,
        customers=len(read.customers),
        rows=len(drafts),
        model_id=registered.model_id,
        strategies={str(name): int(rows) for name, rows in sorted(drafts["strategy"].value_counts().items())},
    )


def _read(
    connection: Connection, settings: Settings, business_date: date, model: RecommenderModel, shard: int, shards: int
) -> _Shard:
    # Streamed, so that of everyone's rows only the shard's are held.
    everyone = connection.execute(
        select(customer_features.c.customer_id, customer_features.c.preferred_categories).where(
            customer_features.c.business_date == business_date
        ),
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    favourites = {customer: list(names) for customer, names in everyone if shard_of(customer, shards) == shard}
    customers = pd.Index(sorted(favourites), dtype=object)
    connection.execute(statement(__file__, "create_shard_customers"), {"customers": list(customers)})
    connection.execute(text("analyze shard_customers"))
    items = model_items(connection, model.items, model.catalogue)
    history = read_histories(connection, settings, business_date, customers, items, model.target, model.segments)
    blocked = np.isin(items.ids.to_numpy(object).astype(str), settings.recommender.blocked_items)
    popularity = model.fitted.facts.of_name("popularity_30")
    return _Shard(
        customers,
        [favourites[customer] for customer in customers],
        history,
        refusals.read(connection, settings.recommender, business_date, customers, items.ids),
        Fallback(popularity, items.categories, items.allowed & ~blocked),
        items.titled,
        model.fitted.traits(model.catalogue, items.margin),
    )


def _drafts(settings: RecommenderSettings, shard: _Shard, model: RecommenderModel) -> pd.DataFrame:
    """Rows of ``recommendation_drafts`` but for date, model and shard."""
    parts = [part for block in blocks(len(shard.customers)) for part in _block(settings, shard, model, block)]
    some = [part for part in parts if len(part)]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=DRAFT_COLUMNS)


def _block(settings: RecommenderSettings, shard: _Shard, model: RecommenderModel, block: Numbers) -> list[pd.DataFrame]:
    fitted, history = model.fitted, shard.history.of_customers(block)
    said = fitted.say(history, threads=settings.threads)
    frames = []
    for purpose in PURPOSES:
        refused = not_to_list(history, purpose, shard.refused[purpose][block] if purpose in shard.refused else None)
        ordered = fitted.order(
            history, said, purpose, allowed=shard.fallback.allowed, refused=refused, threads=settings.threads
        )
        frames.append(_frame(settings, shard, model, block, history, purpose, ordered, refused))
    return frames


def _frame(
    settings: RecommenderSettings,
    shard: _Shard,
    model: RecommenderModel,
    block: Numbers,
    history: History,
    purpose: str,
    ordered: Ordered,
    refused: csr_matrix | None,
) -> pd.DataFrame:
    """By customer, then rank.

    Whoever has no past but favourite categories gets these first, and whoever has neither what is popular.
    """
    cold = np.bincount(history.customer, minlength=history.customers) == 0
    by_favourites = cold & np.array([bool(shard.favourites[customer]) for customer in block], bool)
    rules = Arrangement.of_settings(settings, purpose)
    listed = arranged(ordered, shard.traits, rules, history.customers, settings.list_length)
    listed = listed[~by_favourites[ordered.candidates.customer[listed]]]
    customer, item = ordered.candidates.customer[listed], ordered.candidates.item[listed]
    strategy = strategies(ordered, listed)
    popular = np.where(history.segment[customer] != UNKNOWN, LOCAL_POPULARITY, POPULARITY)
    strategy = np.where(cold[customer] | (strategy == POPULARITY), popular, strategy)
    made = pd.DataFrame(
        {
            "customer": customer,
            "item": item,
            "score": ordered.scores[listed],
            "strategy": strategy,
            "reason": reasons(model.fitted, history, customer, item, strategy, presentable=shard.titled),
        }
    )
    more = _more(settings, shard, block, history, purpose, refused, made, by_favourites)
    made = pd.concat([made, more], ignore_index=True).sort_values("customer", kind="stable")
    names = model.items.to_numpy(object)
    reason = made["reason"].to_numpy(np.int64)
    return pd.DataFrame(
        {
            "customer_id": shard.customers.to_numpy(object)[block[made["customer"]]],
            "purpose": purpose,
            "rank": made.groupby("customer").cumcount().to_numpy() + 1,
            "item_id": names[made["item"]],
            "score": made["score"].to_numpy(),
            "strategy": made["strategy"].to_numpy(),
            "reason_item_id": [names[one] if one != NOTHING else None for one in reason],
        },
        columns=DRAFT_COLUMNS,
    )


def _more(
    settings: RecommenderSettings,
    shard: _Shard,
    block: Numbers,
    history: History,
    purpose: str,
    refused: csr_matrix | None,
    made: pd.DataFrame,
    by_favourites: NDArray[np.bool_],
) -> pd.DataFrame:
    """What fills lists that are too short.

    refused: (customers, items), what not to list. by_favourites: (customers,), whose categories come first.
    """
    listed = np.bincount(made["customer"], minlength=len(block))
    begins = np.concatenate([[0], np.cumsum(listed)])
    values, parts = made["score"].to_numpy(np.float64), []
    for customer in np.flatnonzero(listed < settings.list_length):
        own = slice(begins[customer], begins[customer + 1])
        taken = made["item"].to_numpy(np.int64)[own]
        if refused is not None:
            taken = np.concatenate([taken, refused.indices[refused.indptr[customer] : refused.indptr[customer + 1]]])
        favourites = shard.favourites[block[customer]] if by_favourites[customer] else []
        missing = settings.list_length - listed[customer]
        items, words = shard.fallback.fill(taken, missing, favourites)
        if not listed[customer] and not len(items):
            # All that could be listed rests: what was sent or listed lately is better than nothing.
            items, words = shard.fallback.fill(_known(history, purpose, int(customer)), missing, favourites)
        # A list's scores fall to its end, whichever strategies it has.
        scores = values[own].min(initial=0.0) - 1 - np.arange(len(items))
        parts.append(pd.DataFrame({"customer": customer, "item": items, "score": scores, "strategy": words}))
    more = pd.concat(parts, ignore_index=True) if parts else made.iloc[:0]
    return more.assign(reason=NOTHING)


def _known(history: History, purpose: str, customer: int) -> Numbers:
    """What must not be listed for a customer whatever else there is."""
    known = not_to_list(history, purpose)
    if known is None:
        return np.zeros(0, np.int64)
    return known.indices[known.indptr[customer] : known.indptr[customer + 1]].astype(np.int64)


def _write(engine: Engine, drafts: pd.DataFrame, business_date: date, shard: int, customers: list[str]) -> None:
    """Rows of the shard, and of its customers under any other number of shards, give way in the same transaction."""
    table = recommendation_drafts
    with engine.begin() as connection:
        lock(connection, f"{LOCK_NAME}.{business_date}.{shard}")
        connection.execute(delete(table).where(table.c.business_date == business_date, table.c.shard == shard))
        connection.execute(
            delete(table).where(
                table.c.business_date == business_date, table.c.customer_id == any_(cast(customers, ARRAY(Text)))
            )
        )
        copy_in(connection, table, drafts)
