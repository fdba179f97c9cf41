"""What a template gets to see: items with a decent title, a price, a safe link, and why they are recommended."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from email.utils import parseaddr
from typing import Any
from urllib.parse import quote, urlsplit

from include.delivery.outbox import ClaimedMessage
from include.settings import Settings

CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
CURRENCIES_WITHOUT_CENTS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "HUF"})
MAXIMUM_TEXT_LENGTH = 200


@dataclass(frozen=True)
class ItemView:
    """A recommended item as the customer reads it; plain text, not escaped."""

    item_id: str
    title: str
    detail: str
    """Brand and category, as far as known."""
    price: str
    """With its currency; empty when unknown."""
    url: str
    image_url: str
    """Empty when there is none."""
    reason: str
    """Why it is recommended, in a sentence."""


@dataclass(frozen=True)
class MessageView:
    """All a template can use."""

    message_id: str
    shop_name: str
    shop_url: str
    unsubscribe_url: str
    postal_address: str
    items: Sequence[ItemView]


def view_message(message: ClaimedMessage, items: Mapping[str, Mapping[str, Any]], settings: Settings) -> MessageView:
    """The view of ``message``; items that are unknown or out of stock by now are left out.

    items: rows of ``items`` by item_id.
    """
    delivery = settings.delivery
    entries = [
        entry for entry in message.content.get("items", []) if _can_be_shown(items.get(entry.get("item_id") or ""))
    ]
    sender_name, sender_address = parseaddr(delivery.sender)
    return MessageView(
        message_id=message.message_id,
        shop_name=one_line(sender_name) or sender_address.rpartition("@")[2],
        shop_url=delivery.shop_url,
        unsubscribe_url=unsubscribe_url(delivery.unsubscribe_email, message.message_id),
        postal_address=one_line(delivery.postal_address),
        items=[_view_item(entry, items, settings) for entry in entries],
    )


def _can_be_shown(item: Mapping[str, Any] | None) -> bool:
    return item is not None and item["in_stock"] is not False


def _view_item(entry: Mapping[str, Any], items: Mapping[str, Mapping[str, Any]], settings: Settings) -> ItemView:
    item = items[entry["item_id"]]
    title = title_of(item)
    category = readable(item["category"])
    details = [readable(item["brand"]), category if category != title else ""]
    return ItemView(
        item_id=item["item_id"],
        title=title,
        detail=" · ".join(detail for detail in details if detail),
        price=money(item["price"], item["currency"] or settings.currency),
        url=web_url(item["url"]) or f"{settings.delivery.shop_url.rstrip('/')}/items/{quote(item['item_id'], safe='')}",
        image_url=web_url(item["image_url"]),
        reason=reason_sentence(entry.get("strategy"), category, items.get(entry.get("reason_item_id") or "")),
    )


def title_of(item: Mapping[str, Any]) -> str:
    return readable(item["title"]) or readable(item["category"]) or f"Item {one_line(item['item_id'])}"


OCCASION_SENTENCES = {
    "abandoned_cart": "You put this into your cart",
    "back_in_stock": "Back in stock",
    "price_drop": "Now at a lower price",
    "replenishment_due": "You may be running out of this",
}
"""Of an item that called for the message, by the trigger it came by."""


def reason_sentence(strategy: str | None, category: str, reason_item: Mapping[str, Any] | None) -> str:
    """Why an item was chosen, as its strategy has it; a strategy of your own reads "Picked for you"."""
    if strategy == "own_history":
        return "You buy this regularly"
    if strategy == "looked_at":
        return "You had a look at this"
    if strategy in ("als", "ease") and reason_item is not None:
        return f"Because you bought {title_of(reason_item)}"
    if strategy == "item_neighbours" and reason_item is not None:
        return f"Often bought with {title_of(reason_item)}"
    if strategy == "user_neighbours":
        return "Customers with a taste like yours buy this"
    if strategy == "category_favourites":
        return f"Popular in {category}" if category else "Popular in what you like to buy"
    if strategy == "trending":
        return "More and more customers buy this"
    if strategy in ("popularity", "local_popularity"):
        return "A favourite with our customers"
    return OCCASION_SENTENCES.get(strategy or "", "Picked for you")


def one_line(value: str | None) -> str:
    """``value`` on one line without control characters, so that it can stand in a mail header, cut to a sane length."""
    visible = "".join(" " if unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} else sign for sign in value or "")
    collapsed = " ".join(visible.split())
    return collapsed if len(collapsed) <= MAXIMUM_TEXT_LENGTH else f"{collapsed[: MAXIMUM_TEXT_LENGTH - 1]}…"


def readable(value: str | None) -> str:
    """``value`` on one line; text in capitals alone, as stock systems keep it, in sentence case."""
    line = one_line(value)
    return line.capitalize() if line.isupper() and len(line) > 3 else line


def money(amount: Decimal | None, currency: str) -> str:
    """``amount`` with its currency, such as $1,234.50 or 12.00 CHF; empty for none or nothing."""
    if amount is None or amount <= 0:
        return ""
    code = currency.upper()
    cents = Decimal(1) if code in CURRENCIES_WITHOUT_CENTS else Decimal("0.01")
    digits = f"{amount.quantize(cents, ROUND_HALF_UP):,}"
    sign = CURRENCY_SIGNS.get(code)
    return f"{sign}{digits}" if sign else f"{digits} {one_line(code)}"


def web_url(url: str | None) -> str:
    """``url`` when it is an absolute http or https one without spaces or control characters, else nothing."""
    address = (url or "").strip()
    if not address or any(sign.isspace() or unicodedata.category(sign) == "Cc" for sign in address):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.scheme.lower() in {"http", "https"} and parts.netloc else ""


def unsubscribe_url(unsubscribe_email: str, message_id: str) -> str:
    """The mailto URL whose mail asks to be left out; its subject names the message."""
    return f"mailto:{quote(unsubscribe_email, safe='@+.-_')}?subject={quote(f'unsubscribe {message_id}', safe='')}"
