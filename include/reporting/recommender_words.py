"""The recommender's terms in plain words, for the pages: lists, groups of customers and items, features, states."""

from __future__ import annotations

from collections.abc import Mapping

from include.reporting.formats import words

PURPOSE_TITLES: Mapping[str, tuple[str, str]] = {
    "next_purchase": ("Next purchases", "What a customer is likely to buy next, whether they had it before or not."),
    "discovery": ("New to the customer", "What a customer has never bought and is likely to want."),
}
"""Title and explanation of each kind of list."""

LISTS: Mapping[str, tuple[str, str]] = {
    "served": (
        "What is served",
        "The lists that are made: every source's proposals, in the order that was learned",
    ),
    "fused": ("Sources, without a ranker", "All proposals put together by their ranks; no order was learned"),
    "own_frequency": ("Own favourites", "What the customer bought most often, days long ago counting less"),
    "own_lately": ("Own favourites, lately", "The same with a shorter memory"),
    "als": ("ALS", "Implicit ALS: hidden tastes that customers and items share"),
    "ease": ("EASE", "EASE: which items together foretell another, by a linear model"),
    "item_neighbours": ("Bought together", "Items often bought by the same customers"),
    "user_neighbours": ("Like-minded customers", "What customers with similar purchases buy"),
    "recent_neighbours": ("Like-minded, lately", "What customers with similar purchases bought in the last weeks"),
    "attributes": ("Category and brand", "The favourites of the categories and brands the customer buys"),
    "trending": ("Trending", "What more and more customers buy"),
    "popularity": ("Most popular", "What most customers buy: the same list for everyone"),
}

CUSTOMER_GROUPS: Mapping[str, tuple[str, str]] = {
    "new": ("New customers", "First seen in the 28 days before"),
    "light": ("Light customers", "Fewer different items than the median customer"),
    "heavy": ("Heavy customers", "As many different items as the median customer, or more"),
}

ITEM_GROUPS: Mapping[str, tuple[str, str]] = {
    "head": ("Best sellers", "The most popular items, which make half of all purchases"),
    "middle": ("Middle", "The next most popular, up to 80% of all purchases"),
    "tail": ("Rarely bought", "All others that anyone bought"),
    "new": ("New items", "First bought in the 28 days before"),
    "never_bought": ("Never bought", "Nobody has bought them yet"),
}

STATES: Mapping[str, tuple[str, str]] = {
    "champion": ("in force", "good"),
    "retired": ("was in force", ""),
    "rejected": ("rejected", ""),
    "taken_out": ("taken out of force", "bad"),
    "candidate": ("candidate", "warn"),
    "proposal_candidate": ("proposed, not judged yet", "warn"),
    "proposal_retired": ("proposed, then promoted", ""),
    "proposal_rejected": ("proposed, then rejected", ""),
}
"""What became of a model, and the colour of its dot."""

ORIGINS: Mapping[str, str] = {
    "settings": "Its recipe is that of the settings.",
    "tuning": "Its recipe was proposed by tune_recommender.",
    "plain": "Own history, favourites and popularity serve, without a ranker.",
}

FEATURES: Mapping[str, str] = {
    "own_days": "days the customer had the item",
    "own_bought_days": "days the customer bought the item",
    "own_recent_days": "days the customer had the item in the last 28",
    "own_days_since": "days since the customer last had the item",
    "own_days_since_first": "days since the customer first had the item",
    "own_interval": "the customer's usual interval for the item",
    "own_due": "how due the item is by the customer's interval",
    "own_share_of_visits": "share of the customer's visits with the item",
    "popularity_7": "popularity of the item this week",
    "popularity_30": "popularity of the item this month",
    "popularity_90": "popularity of the item this season",
    "trend_7": "trend of the item, week against month",
    "trend_30": "trend of the item, month against season",
    "met_7": "first purchases of the item this week",
    "met_30": "first purchases of the item this month",
    "met_trend": "trend of first purchases of the item",
    "met_share": "share of first purchases in the item's popularity",
    "met_14_days": "share of the item's customers new in 14 days",
    "met_28_days": "share of the item's customers new in 28 days",
    "customers": "customers who ever had the item",
    "repeat_rate": "share of the item's customers who come back for it",
    "age": "days since anyone first had the item",
    "log_price": "price of the item",
    "popularity_in_category": "popularity of the item within its category",
    "price_fit": "price against what the customer usually pays",
    "customer_visits": "the customer's visits",
    "customer_recent_visits": "the customer's visits in the last 28 days",
    "customer_days_since": "days since the customer's last visit",
    "customer_rhythm": "the customer's days between visits",
    "customer_items": "different items the customer ever had",
    "customer_new_items": "items new to the customer in the last 28 days",
    "customer_recent_items": "different items of the customer's last 28 days",
    "customer_new_share": "share of new items in the customer's last 28 days",
    "customer_repeat_share": "share of the customer's items had more than once",
}
"""What the ranker sees of a candidate; those of the sources and of category and brand are put together below."""

SOURCE_FEATURES = {"score_": "score", "rank_": "rank"}
GROUP_FEATURES: Mapping[str, str] = {
    "weight": "the customer's purchases in the item's {group}",
    "share": "share of the item's {group} in the customer's purchases",
    "lift": "how much more the customer buys the item's {group} than others",
    "days": "days the customer bought the item's {group}",
    "days_since": "days since the customer last bought the item's {group}",
    "due": "how due the item's {group} is by the customer's interval",
}


def list_label(name: str) -> str:
    return LISTS.get("own_frequency" if name == "own_history" else name, (words(name), ""))[0]


def list_hint(name: str) -> str:
    return LISTS.get(name, ("", ""))[1]


def item_group_label(name: str) -> str:
    return ITEM_GROUPS.get(name, (words(name), ""))[0]


def item_group_hint(name: str) -> str:
    return ITEM_GROUPS.get(name, ("", ""))[1]


def no_hint(name: str) -> str:
    """Of what says all by its name."""
    return ""


def feature_label(name: str) -> str:
    """A feature of the ranker in words; one that is not known by its name.

    >>> feature_label("rank_als"), feature_label("category_days_since")
    ('rank by ALS', "days since the customer last bought the item's category")
    """
    if name in FEATURES:
        return FEATURES[name]
    for prefix, word in SOURCE_FEATURES.items():
        if name.startswith(prefix):
            return f"{word} by {list_label(name.removeprefix(prefix))}"
    group, _, figure = name.partition("_")
    if group in ("category", "brand") and figure in GROUP_FEATURES:
        return GROUP_FEATURES[figure].format(group=group)
    return words(name)
