"""The recommender: lists beside a bare product, a warm fit beside a cold one, evaluation, generation, and Spark."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from include.recommender import evaluation, learning
from include.recommender.arrange import ItemTraits, RankedCandidates
from include.recommender.evaluation import Listed, ListMaking
from include.recommender.history import History
from include.recommender.item_facts import ItemFacts
from include.recommender.learning import PURPOSES, Split
from include.recommender.metrics import CUTOFF
from include.recommender.models import ImplicitAls, ImplicitAlsParameters
from include.recommender.models.best_items import Factors, best_items
from include.recommender.models.interface import best
from include.recommender.recipe import default_parts
from include.recommender.two_stage import not_to_list
from include.recommender.vocabulary import OWN_FREQUENCY, POPULARITY, SERVED
from tests.benchmarks import generation
from tests.benchmarks.figures import NO_LIMIT, NOT_MEASURED, Figure
from tests.benchmarks.shop_histories import Shelves
from tests.science.recommending import TODAY, journey

THREADS = 2
SEED = 1
LENGTH = 20
MAXIMUM_LISTS, MAXIMUM_WARM_FIT, MAXIMUM_LOSS, MAXIMUM_EVALUATION = 1.7, 0.35, 0.5, 20
"""Times the bare product; times the cold fit; per cent of its nDCG@10; seconds."""
SEEDS_OF_FITS = 4
ROWS_OF_PRODUCT = 1024
EVALUATED = 50_000
DEFAULT_SPARK_SECONDS = 240
SPARK_SECONDS = "LAMPLIGHTER_BENCH_SPARK_SECONDS"
"""Environment: Spark may take so long, its start included."""
SPARK = Path("pyspark")


def measure(folder: Path, events: int) -> list[Figure]:
    """``events``: interactions that are learned from beside Spark."""
    return [
        _lists(),
        _lists(equal=True),
        *_warm_fits(),
        _evaluation(),
        *generation.measure(folder),
        _beside_spark(folder, events),
    ]


def _fastest(*works: Callable[[], object], times: int = 3) -> list[float]:
    """Seconds of the fastest run of each; they take turns, so that what else runs meets them alike."""
    seconds = [[0.0] * times for _ in works]
    for turn in range(times):
        for place, work in enumerate(works):
            start = time.perf_counter()
            work()
            seconds[place][turn] = time.perf_counter() - start
    return [min(of_work) for of_work in seconds]


def _lists(customers: int = 100_000, items: int = 20_000, factors: int = 64, *, equal: bool = False) -> Figure:
    """Factors of items differ in length as those of ALS do, where few items sell much; equal: all are alike."""
    random = np.random.default_rng(SEED)
    of_customers = random.standard_normal((customers, factors), np.float32)
    of_items = random.standard_normal((items, factors), np.float32)
    if not equal:
        of_items *= random.gamma(1, 1, (items, 1)).astype(np.float32)
    own = Shelves.of(items, SEED).customers(customers, 50, 1, [SEED]).known
    refused = random.choice(items, items // 100, replace=False)

    def lists() -> None:
        best_items(of_items, of_customers, LENGTH, excluded=own, refused_items=refused, threads=THREADS)

    ours, bare = _fastest(lists, lambda: _product(of_customers, of_items))
    return Figure(
        f"the {LENGTH} best of {items:,} items for {customers:,} customers" + (", items alike" if equal else ""),
        ours / bare,
        NO_LIMIT if equal else MAXIMUM_LISTS,
        "×",
        f"{ours:.1f} s to {bare:.1f} s of the bare product, {THREADS} threads; fastest of 3",
    )


def _product(of_customers: Factors, of_items: Factors) -> None:
    """Every score, in blocks that are written over."""
    scores = np.empty((ROWS_OF_PRODUCT, len(of_items)), np.float32)
    with threadpool_limits(THREADS, user_api="blas"):
        for start in range(0, len(of_customers), ROWS_OF_PRODUCT):
            block = of_customers[start : start + ROWS_OF_PRODUCT]
            np.matmul(block, of_items.T, out=scores[: len(block)])


def _warm_fits() -> list[Figure]:
    """The Complete Journey: factors of the night before, from which tonight's start.

    The loss is that of the mean of several seeds, since one seed to the next moves nDCG by more than the limit.
    """
    everything = journey()
    split = learning.cut_at(everything, TODAY, 28)
    warm: list[ImplicitAls] = []
    cold: list[ImplicitAls] = []
    seconds = []
    for seed in range(1, 1 + SEEDS_OF_FITS):
        parameters = replace(default_parts()["als"], seed=seed)
        before = ImplicitAls.fit(everything.up_to(TODAY - 1), parameters, threads=THREADS).item_factors
        # What a history works out once is worked out before the clock starts.
        split.past.weights(parameters.half_life_days)

        def fit(into: list[ImplicitAls], start: Factors | None, parameters: Any) -> None:
            into.append(ImplicitAls.fit(split.past, parameters, threads=THREADS, start=start))

        fits = (partial(fit, warm, before, parameters), partial(fit, cold, None, parameters))
        seconds.append(_fastest(*fits, times=1))
    of_warm, of_cold = np.min(seconds, axis=0)
    what = "ALS from the night before, The Complete Journey"
    detail = f"{of_warm:.2f} s to {of_cold:.2f} s from nothing"
    figures = [Figure(f"{what}: fit", of_warm / of_cold, MAXIMUM_WARM_FIT, "×", detail)]
    for purpose in PURPOSES:
        ndcg = [float(np.mean([_ndcg(model, split, purpose) for model in models])) for models in (warm, cold)]
        loss = 100 * (1 - ndcg[0] / ndcg[1])
        detail = f"{ndcg[0]:.4f} to {ndcg[1]:.4f} of the next 28 days, means of {SEEDS_OF_FITS} seeds"
        figures.append(Figure(f"{what}: nDCG@10 lost, {purpose}", loss, MAXIMUM_LOSS, "%", detail))
    return figures


def _ndcg(model: ImplicitAls, split: Split, purpose: str) -> float:
    past, numbers = split.past, split.buyers
    excluded = not_to_list(past, purpose)
    items, _ = best(model.scores(past, threads=THREADS), CUTOFF, excluded=excluded)
    listed = Listed(numbers, {purpose: {"als": items[numbers]}}, {}, {})
    return float(evaluation.ndcg(listed, split, purpose)["als"].mean())


def _evaluation(items: int = 20_000, pool: int = 100, draws: int = 1000) -> Figure:
    shelves = Shelves.of(items, SEED)
    history = shelves.customers(EVALUATED, 60, 180, [SEED, 1])
    split = learning.cut_at(history, history.today - 28, 28)
    numbers = np.arange(EVALUATED)
    random = np.random.default_rng(SEED)
    customer, item = np.repeat(numbers, pool), _distinct_items(random, EVALUATED, pool, items)
    ranked = RankedCandidates.of(EVALUATED, customer, item.ravel(), random.random(item.size))
    names = [SERVED, OWN_FREQUENCY, POPULARITY, *(f"part {number}" for number in range(9))]
    lists = {name: _distinct_items(random, EVALUATED, CUTOFF, items) for name in names}
    listed = Listed(numbers, dict.fromkeys(PURPOSES, lists), dict.fromkeys(PURPOSES, ranked), {})
    traits = ItemTraits(shelves.catalogue.category, shelves.catalogue.brand, random.random(items))
    facts = ItemFacts.of(split.past)
    start = time.perf_counter()
    evaluation.evaluate(listed, split, facts, traits, ListMaking(), draws=draws, seed=[SEED])
    return Figure(
        f"evaluation of {EVALUATED:,} customers",
        time.perf_counter() - start,
        MAXIMUM_EVALUATION,
        "s",
        f"{len(names)} lists of {len(PURPOSES)} purposes, {draws} draws",
    )


def _distinct_items(random: np.random.Generator, rows: int, columns: int, items: int) -> np.ndarray:
    """(rows, columns): no item twice in a row, one from each of as many parts of the catalogue."""
    step = items // columns
    found = np.arange(columns) * step + random.integers(0, step, (rows, columns))
    return random.permuted(found, axis=1)


def _beside_spark(folder: Path, interactions: int) -> Figure:
    customers, items = interactions // 50, 20_000
    parameters = replace(ImplicitAlsParameters(), factors=64, iterations=8)
    what = f"ALS and the {LENGTH} best of {items:,} items from {interactions:,} interactions"
    history = Shelves.of(items, SEED).customers(customers, 50, 1, [SEED, 2])
    start = time.perf_counter()
    model = ImplicitAls.fit(history, parameters, threads=THREADS)
    fitted = time.perf_counter()
    best_items(model.item_factors, model.customer_factors(history, threads=THREADS), LENGTH, threads=THREADS)
    fit, listing = fitted - start, time.perf_counter() - fitted
    ours = f"{fit:.0f} s fit + {listing:.0f} s lists"
    try:
        theirs = _spark(folder, history, parameters)
    except (OSError, subprocess.SubprocessError) as error:
        return Figure(what, NOT_MEASURED, NO_LIMIT, "×", f"{ours}; not compared with Spark: {_why(error)}")
    detail = f"{ours} to {theirs[0]:.0f} s + {theirs[1]:.0f} s of Spark's local[{THREADS}]"
    return Figure(what, (fit + listing) / sum(theirs), NO_LIMIT, "×", detail)


def _spark(folder: Path, history: History, parameters: ImplicitAlsParameters) -> list[float]:
    """Seconds of fit and of lists; raises OSError or SubprocessError where there is no Java or no PySpark."""
    if shutil.which("java") is None:
        raise OSError("there is no Java")
    python = _python_with_spark(folder / SPARK)
    place = (folder / "pairs.parquet").absolute()
    pyarrow.parquet.write_table(_table(history.weights(parameters.half_life_days)), place)
    numbers = (parameters.factors, parameters.iterations, LENGTH)
    command = [str(python), str(Path(__file__).absolute().with_name("spark_als.py")), str(place), *map(str, numbers)]
    # Workers of another Python than the driver's would be refused.
    environment = os.environ | {"PYSPARK_PYTHON": str(python), "OMP_NUM_THREADS": "1"}
    return [float(line) for line in _said(command, environment, folder).splitlines()]


def _said(command: list[str], environment: Mapping[str, str], folder: Path) -> str:
    """What a command prints; with it ends all that it started, such as the Java below a Python."""
    limit = int(os.environ.get(SPARK_SECONDS, DEFAULT_SPARK_SECONDS))
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=folder, start_new_session=True
    ) as spark:
        try:
            said, complaints = spark.communicate(timeout=limit)
        except subprocess.TimeoutExpired as error:
            fitted = f" (its fit took {error.output.decode().strip()} s)" if error.output else ""
            why = f"it had not ended after {limit} s{fitted}; {SPARK_SECONDS} for more"
            raise subprocess.SubprocessError(why) from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(spark.pid, signal.SIGKILL)
    if spark.returncode:
        raise subprocess.CalledProcessError(spark.returncode, command, said, complaints)
    return said


def _table(weights: csr_matrix) -> pyarrow.Table:
    rows = weights.tocoo()
    columns = {"customer": rows.row.astype(np.int32), "item": rows.col.astype(np.int32), "weight": rows.data}
    return pyarrow.table(columns)


def _python_with_spark(place: Path) -> Path:
    """Of an environment of its own, made where there is none."""
    python = (place / "bin" / "python").absolute()
    if not (place / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "pyspark", "numpy"]
        subprocess.run(pip, check=True, capture_output=True, text=True)
        (place / "ready").touch()
    return python


def _why(error: Exception) -> str:
    """The last line of what a command said, or the error itself."""
    said = str(getattr(error, "stderr", None) or error).strip()
    return said.splitlines()[-1]
