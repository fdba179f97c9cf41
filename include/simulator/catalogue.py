"""What the made-up shop sells: items in categories, what each kind of customer likes of them, prices, stock.

An item's place in its category differs by the customer's kind (``World.styles``), about a common popularity. That is
what a recommender can find out from others, beside the customer's own categories and regular purchases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import pyarrow
from numpy.typing import NDArray

from include.simulator import rates
from include.simulator.chance import Floats, Numbers, Subjects, normal, numbered, uniform
from include.simulator.world import World

NAMES = (
    "Coffee", "Tea", "Bread", "Pasta", "Cheese", "Fruit", "Vegetables", "Spices", "Chocolate", "Biscuits", "Drinks",
    "Juice", "Baby care", "Pet food", "Cosmetics", "Soap", "Kitchen", "Garden", "Tools", "Books", "Games", "Toys",
    "Stationery", "Sports", "Shoes", "Shirts", "Lamps", "Bags", "Phones", "Music",
)  # fmt: skip
BRANDS_PER_CATEGORY = 6


@dataclass(frozen=True)
class Catalogue:
    """Items by number, those of a category side by side.

    category, price, margin_rate, brand: (items,). first: (categories + 1,), where a category begins. by_rank: (styles,
    items), the item at each place of its category; rank: (styles, items), an item's place as a share of its category,
    0 the best.
    """

    seed: int
    ids: pyarrow.Array
    category: Numbers
    brand: Numbers
    first: Numbers
    price: Floats
    margin_rate: Floats
    by_rank: Numbers
    rank: Floats

    def __len__(self) -> int:
        return len(self.category)

    def category_names(self) -> list[str]:
        count = len(self.first) - 1
        return [NAMES[number] if number < len(NAMES) else f"Category {number + 1}" for number in range(count)]

    def prices(self, day: date) -> Floats:
        """(items,), promotions of the week included."""
        promoted = uniform(self._subjects(), self.seed, "promotion", _week(day)) < rates.PROMOTION_SHARE
        return np.round(self.price * np.where(promoted, 1 - rates.PROMOTION_OFF, 1.0), 2)

    def in_stock(self, day: date) -> NDArray[np.bool_]:
        """(items,)."""
        return uniform(self._subjects(), self.seed, "out of stock", _week(day)) >= rates.OUT_OF_STOCK_SHARE

    def at_place(self, category: Numbers, style: Numbers, place: Floats) -> Numbers:
        """The items at ``place``, a share in [0, 1), of these categories in the eyes of these styles."""
        first = self.first[category]
        return self.by_rank[style, first + (place * (self.first[category + 1] - first)).astype(np.int64)]

    def _subjects(self) -> Subjects:
        return np.arange(len(self), dtype=np.uint64)


@lru_cache(maxsize=2)
def catalogue_of(world: World) -> Catalogue:
    """The items of ``world``; the same however many customers it has."""
    count, seed = world.items, world.seed
    sizes = np.array([len(part) for part in np.array_split(np.arange(count), world.categories)])
    first = np.concatenate([[0], np.cumsum(sizes)])
    category = np.repeat(np.arange(world.categories), sizes)
    items, categories = np.arange(count, dtype=np.uint64), np.arange(world.categories, dtype=np.uint64)
    level = np.log(rates.PRICE_MEDIAN) + rates.PRICE_SIGMA * normal(categories, seed, "category price")
    price = np.exp(level[category] + rates.ITEM_PRICE_SIGMA * normal(items, seed, "item price"))
    by_rank, rank = _orders(world, category, first)
    return Catalogue(
        seed=seed,
        ids=pyarrow.array([f"i{number}" for number in range(count)]),
        category=category,
        brand=category * BRANDS_PER_CATEGORY + (uniform(items, seed, "brand") * BRANDS_PER_CATEGORY).astype(np.int64),
        first=first,
        price=np.maximum(np.round(price, 2), 0.5),
        margin_rate=np.round(0.15 + 0.4 * uniform(items, seed, "margin rate"), 2),
        by_rank=by_rank,
        rank=rank,
    )


def _orders(world: World, category: Numbers, first: Numbers) -> tuple[Numbers, Floats]:
    items, places = np.arange(len(category), dtype=np.uint64), np.arange(len(category))
    popularity = normal(items, world.seed, "popularity")
    by_rank = np.empty((world.styles, len(category)), np.int64)
    rank = np.empty((world.styles, len(category)))
    for style in range(world.styles):
        liking = popularity + normal(numbered(items, np.array(style)), world.seed, "liking of a style")
        by_rank[style] = np.lexsort((-liking, category))
        rank[style, by_rank[style]] = (places - first[category]) / (first[category + 1] - first[category])
    return by_rank, rank


def _week(day: date) -> int:
    return day.toordinal() // 7
