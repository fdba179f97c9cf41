"""The order of candidates, learned from what customers went on to buy: LambdaMART by way of LightGBM.

Burges 2010. Trees see the candidates of each customer as one group and are rewarded for putting what was bought at the
top. The model is kept as LightGBM's own text, never as a pickle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from include.recommender.pair_features import PairFeatures

if TYPE_CHECKING:
    from lightgbm import Booster


@dataclass(frozen=True)
class RankerParameters:
    rounds: int = 150
    """0: no order is learned, and the models are fused."""
    learning_rate: float = 0.06
    leaves: int = 15
    smallest_leaf: int = 300
    feature_share: float = 0.4
    row_share: float = 0.8
    l2: float = 5.0
    negative_share: float = 0.2
    """Of the candidates that were not bought, so many are learned from."""
    truncation: int = 20
    """Only mistakes above this rank cost anything."""
    seed: int = 20170101


@dataclass(frozen=True)
class Lesson:
    """What a ranker learns from: features of candidates as known on a day, and which were bought after it.

    values: (n, names) float32, the candidates of each customer together; relevant: (n,); sizes: of each customer's
    group, in their order.
    """

    names: tuple[str, ...]
    values: NDArray[np.float32]
    relevant: NDArray[np.bool_]
    sizes: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        customer: NDArray[np.int64],
        features: PairFeatures,
        relevant: NDArray[np.bool_],
        *,
        share: float,
        random: np.random.Generator,
    ) -> Self:
        """From candidates sorted by customer.

        Kept are customers who bought any of their candidates, since the others teach nothing about order, all that was
        bought, and a ``share`` of what was not: a fraction of them teaches as much as all.
        """
        told = np.isin(customer, np.unique(customer[relevant]))
        kept = told & (relevant | (random.random(len(customer)) < share))
        sizes = np.unique(customer[kept], return_counts=True)[1]
        return cls(features.names, features.values[kept], relevant[kept], sizes)


@dataclass(frozen=True)
class Ranker:
    """names: of the features, in their order; text: the trees, as LightGBM writes them."""

    names: tuple[str, ...]
    text: str

    @classmethod
    def learn(cls, lessons: Sequence[Lesson], parameters: RankerParameters, *, threads: int = 1) -> Self:
        """The same ranker for the same lessons, on any number of threads.

        Raises ValueError where no lesson has any candidate that was bought.
        """
        import lightgbm

        if not sum(lesson.relevant.sum() for lesson in lessons):
            raise ValueError("no candidate was bought in any lesson: there is nothing to learn an order from")
        names = lessons[0].names
        data = lightgbm.Dataset(
            np.concatenate([lesson.values for lesson in lessons]),
            np.concatenate([lesson.relevant for lesson in lessons]).astype(np.int8),
            group=np.concatenate([lesson.sizes for lesson in lessons]),
            feature_name=list(names),
        )
        booster = lightgbm.train(_options(parameters, threads), data, parameters.rounds)
        # The text names the number of threads, on which nothing else in it hangs.
        text = booster.model_to_string().replace(f"[num_threads: {threads}]", "[num_threads: 1]")
        return cls(names, text)

    @cached_property
    def booster(self) -> Booster:
        import lightgbm

        return lightgbm.Booster(model_str=self.text)

    def scores(self, features: PairFeatures, *, threads: int = 1) -> NDArray[np.float64]:
        """(candidates,): higher is better, among one customer's candidates only.

        Raises ValueError for features other than those it learned from.
        """
        if features.names != self.names:
            raise ValueError("this ranker learned from other features: train it anew")
        if not len(features.values):
            return np.zeros(0)
        return np.asarray(self.booster.predict(features.values, num_threads=threads))

    def leans_on(self) -> dict[str, float]:
        """The share of the trees' gain that each feature brought, the largest first."""
        gain = np.asarray(self.booster.feature_importance("gain"), np.float64)
        shares = gain / max(gain.sum(), 1e-12)
        return {self.names[place]: float(shares[place]) for place in np.argsort(-shares, kind="stable")}


def _options(parameters: RankerParameters, threads: int) -> dict[str, object]:
    return {
        "objective": "lambdarank",
        "lambdarank_truncation_level": parameters.truncation,
        "learning_rate": parameters.learning_rate,
        "num_leaves": parameters.leaves,
        "min_data_in_leaf": parameters.smallest_leaf,
        "feature_fraction": parameters.feature_share,
        "bagging_fraction": parameters.row_share,
        "bagging_freq": 1,
        "lambda_l2": parameters.l2,
        "max_bin": 127,
        "seed": parameters.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbose": -1,
    }
