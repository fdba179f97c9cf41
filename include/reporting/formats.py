"""Figures as a reader sees them: grouped, rounded, with a true minus sign; a missing one is a dash."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

MISSING = "–"
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}

DECISION_LABELS: Mapping[str, str] = {
    "scheduled": "Message planned",
    "held_out": "Global holdout",
    "control": "Campaign's control group",
    "no_consent": "No consent",
    "no_address": "No address",
    "suppressed": "Address suppressed",
    "capped": "Had enough messages",
    "quiet_hours": "No hour outside quiet hours",
    "no_capacity": "No sending capacity left",
    "over_budget": "Campaign's budget spent",
    "nothing_to_say": "Nothing to recommend",
    "not_worth_sending": "Not worth a message",
    "not_approved": "Not approved",
    "not_in_audience": "Not in the audience",
}

CHANNEL_LABELS: Mapping[str, str] = {"email": "Email", "app_push": "App push", "all": "All channels"}

POLICY_LABELS: Mapping[str, str] = {
    "as_logged": "Our choice",
    "random_hour": "Random hour",
    "modal_hour": "Customer's modal hour",
    "global_hour": "Shop's best hour",
}
ESTIMATOR_LABELS: Mapping[str, str] = {
    "ips": "IPS",
    "snips": "SNIPS",
    "dr": "DR",
    "experiment": "experiment",
}

STRATEGY_SENTENCES: Mapping[str, str] = {
    "own_history": "They buy it again and again.",
    "looked_at": "They looked at it.",
    "als": "It goes with what they buy.",
    "ease": "It goes with what they buy.",
    "item_neighbours": "It is often bought together with what they buy.",
    "user_neighbours": "Customers like them buy it.",
    "category_favourites": "It is a favourite of the categories they buy.",
    "trending": "More and more customers buy it.",
    "local_popularity": "It is popular where they live.",
    "popularity": "It is popular with everyone.",
}
BECAUSE_OF: Mapping[str, str] = {
    "als": "It goes with {item}, which they bought.",
    "ease": "It goes with {item}, which they bought.",
    "item_neighbours": "It is often bought together with {item}, which they bought.",
    "user_neighbours": "Customers like them buy it, and it goes with {item}, which they bought.",
}
"""Where an item of the customer's past is known to be the reason."""


def number(value: float | Decimal | None) -> str:
    return MISSING if value is None else _signed(f"{value:,.0f}")


def percent(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """A share in [0, 1], or a ratio such as ROI with ``sign``, in percent."""
    if value is None:
        return MISSING
    return _signed(f"{100 * value:{'+' if sign else ''},.{digits}f}%")


def money(value: float | Decimal | None, currency: str = "", digits: int = 0) -> str:
    if value is None:
        return MISSING
    symbol = SYMBOLS.get(currency)
    amount = f"{abs(value):,.{digits}f}"
    text = f"{symbol}{amount}" if symbol else f"{amount} {currency}".strip()
    return f"−{text}" if value < 0 else text


def score(value: float | None) -> str:
    """A measure such as nDCG@10."""
    return MISSING if value is None else f"{value:.4f}"


def signed_score(value: float | None) -> str:
    """A difference of two such measures."""
    return MISSING if value is None else _signed(f"{value:+.4f}")


def decimal(value: float | None) -> str:
    """A mean of any size, to four significant digits."""
    return MISSING if value is None else _signed(f"{value:,.4g}")


def long_date(day: date | None) -> str:
    return MISSING if day is None else f"{day:%A} {day.day} {day:%B %Y}"


def short_date(day: date | None) -> str:
    return MISSING if day is None else f"{day:%a} {day.day} {day:%b %Y}"


def iso_day(day: str) -> str:
    """A day as JSON has it.

    >>> iso_day("2017-12-01")
    'Fri 1 Dec 2017'
    """
    return short_date(date.fromisoformat(day))


def iso_moment(moment: str) -> str:
    """A moment of somebody's own clock as JSON has it.

    >>> iso_moment("2017-12-01T19:00")
    'Fri 1 Dec 2017 19:00'
    """
    return f"{iso_day(moment[:10])} {moment[11:16]}"


def words(value: str | None) -> str:
    """A code such as ``not_enough_data`` as words."""
    return MISSING if not value else value.replace("_", " ")


def decision_label(decision: str) -> str:
    return DECISION_LABELS.get(decision, words(decision))


def channel_label(channel: str | None) -> str:
    return MISSING if channel is None else CHANNEL_LABELS.get(channel, words(channel))


def points(value: float | None) -> str:
    """A difference of two shares, in percentage points."""
    return MISSING if value is None else _signed(f"{100 * value:+.2f} pp")


def policy_label(policy: str, estimator: str = "") -> str:
    """A way of choosing the hour; that of an experiment says so."""
    label = POLICY_LABELS.get(policy, words(policy))
    return f"{label}, by experiment" if estimator == "experiment" else label


def estimator_label(estimator: str) -> str:
    return ESTIMATOR_LABELS.get(estimator, words(estimator))


def offer_sentence(strategy: str, reason_item: str | None) -> str:
    """Why an item stands in a customer's list. reason_item: the title of the item of their past that speaks for it.

    >>> offer_sentence("ease", "Coffee"), offer_sentence("ease", None)
    ('It goes with Coffee, which they bought.', 'It goes with what they buy.')
    """
    if reason_item and strategy in BECAUSE_OF:
        return BECAUSE_OF[strategy].format(item=reason_item)
    return STRATEGY_SENTENCES.get(strategy, f"Chosen by {words(strategy)}.")


def paid_label(verdict: str | None) -> str:
    """The verdict on ROI as the answer to "did it pay?"."""
    return {"gain": "yes, a gain", "loss": "no, a loss"}.get(verdict or "", verdict or MISSING)


def _signed(text: str) -> str:
    return text.replace("-", "−")
