"""The lists of whole shards of a large shop, made in a worker process: its seconds and its memory, without a database.

The models are fitted on a sample of each shard. A worker has what a task of the nightly DAG has: the artifact and the
history of its own shard.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from include.recommender import artifact, generate, learning
from include.recommender.arrange import ItemTraits
from include.recommender.artifact import RecommenderModel
from include.recommender.fallback import Fallback
from include.recommender.history import History
from include.recommender.recipe import Recipe
from include.recommender.two_stage import TwoStage
from include.settings import PROJECT_ROOT, RecommenderSettings
from tests.benchmarks.figures import NO_LIMIT, Figure
from tests.benchmarks.peak_memory import peak_megabytes
from tests.benchmarks.shop_histories import Shelves

CUSTOMERS, ITEMS, SHARDS = 1_000_000, 50_000, 16
EVENTS, DAYS = 20, 180
SHARD_CUSTOMERS = CUSTOMERS // SHARDS
SAMPLE = 2_500
"""Of each shard, so many customers' histories are learned from."""
PART = 6_000
"""Of the shard that is looked at by default, so many customers' lists are made."""
WHOLE_SHARDS = "LAMPLIGHTER_BENCH_SHARDS"
"""Environment: make all lists of so many shards, up to 16, one after the other."""
MAXIMUM_MEGABYTES = 4096
THREADS = 2
SEED = 5


def measure(folder: Path) -> list[Figure]:
    """One shard in part, or as many whole ones as the environment says."""
    whole = min(int(os.environ.get(WHOLE_SHARDS, "0")), SHARDS)
    uri, sha256 = _fit(folder)
    customers = SHARD_CUSTOMERS if whole else PART
    runs = [_worker(uri, sha256, shard, customers) for shard in range(max(whole, 1))]
    seconds = sum(run[0] for run in runs) / len(runs)
    shop = f"of {CUSTOMERS:,} customers × {ITEMS:,} items"
    which = f"{len(runs)} of {SHARDS} shards" + ("" if whole else f", {PART:,} of its {SHARD_CUSTOMERS:,} customers")
    return [
        Figure(
            f"lists of a shard {shop}",
            seconds * SHARD_CUSTOMERS / customers,
            NO_LIMIT,
            "s",
            f"{which} in {seconds:.0f} s; {WHOLE_SHARDS}={SHARDS} for all",
        ),
        Figure(
            f"lists of a shard {shop}: memory", max(run[1] for run in runs), MAXIMUM_MEGABYTES, "MB", f"peak; {which}"
        ),
    ]


def _shard(shelves: Shelves, shard: int) -> History:
    return shelves.customers(SHARD_CUSTOMERS, EVENTS, DAYS, [SEED, shard])


def _fit(folder: Path) -> tuple[str, str]:
    """URI and checksum of the artifact of a recommender that has learned its order from the newest cut."""
    shelves, settings = Shelves.of(ITEMS, SEED), RecommenderSettings()
    history = _joined([_shard(shelves, shard).of_customers(np.arange(SAMPLE)) for shard in range(SHARDS)])
    with threadpool_limits(1, user_api="blas"):
        newest = learning.splits(history, days=settings.evaluation_days, count=1, seed=SEED)[0]
        fitted = TwoStage.fit(newest.past, Recipe(), threads=THREADS)
        numbers = learning.drawn(learning.known_buyers(newest), settings.learning_customers, SEED)
        told = learning.lessons(fitted, newest, numbers, seed=SEED, threads=THREADS)
        rankers = learning.learn([told], Recipe(), threads=THREADS)
    names = pd.Index([f"i{number}" for number in range(ITEMS)], dtype=object)
    fitted = replace(fitted, rankers=rankers)
    today = date(1970, 6, 29)
    model = RecommenderModel("bench", "purchase", today, [], names, history.catalogue, fitted, {}, today)
    return artifact.save(model, str(folder / "generation_artifacts"))


def _joined(parts: list[History]) -> History:
    """Those of one part, then of the next."""
    customer = [part.customer + place * SAMPLE for place, part in enumerate(parts)]
    item, day = [part.item for part in parts], [part.day for part in parts]
    return History.of(
        SAMPLE * len(parts),
        parts[0].catalogue,
        parts[0].today,
        np.concatenate(customer),
        np.concatenate(item),
        np.concatenate(day),
    )


def _worker(uri: str, sha256: str, shard: int, customers: int) -> tuple[float, float]:
    command = [sys.executable, "-m", "tests.benchmarks.generation", uri, sha256, str(shard), str(customers)]
    ran = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    seconds, peak = json.loads(ran.stdout.splitlines()[-1])
    return seconds, peak


def main(uri: str, sha256: str, shard: str, customers: str) -> None:
    """Print the seconds of the lists of the shard's first customers, and this process's peak megabytes."""
    model, history = artifact.load(uri, sha256), _shard(Shelves.of(ITEMS, SEED), int(shard))
    everyone = np.ones(ITEMS, bool)
    categories = np.array([f"c{number}" for number in model.catalogue.category], object)
    popularity = model.fitted.facts.of_name("popularity_30")
    ids = pd.Index([f"s{shard}c{number}" for number in range(int(customers))], dtype=object)
    read = generate._Shard(
        ids,
        [[] for _ in ids],
        history,
        {},
        Fallback(popularity, categories, everyone),
        everyone,
        ItemTraits(model.catalogue.category, model.catalogue.brand, np.full(ITEMS, np.nan)),
    )
    settings = RecommenderSettings(threads=THREADS)
    start = time.perf_counter()
    with threadpool_limits(1, user_api="blas"):
        drafts = generate._drafts(settings, read, model)
    seconds = time.perf_counter() - start
    assert len(drafts) == 2 * settings.list_length * int(customers), "some list is too short"
    print(json.dumps([seconds, peak_megabytes()]))


if __name__ == "__main__":
    main(*sys.argv[1:])
