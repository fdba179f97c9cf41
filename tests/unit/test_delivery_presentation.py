"""What a customer gets to read, and what a template may do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from include.delivery.deliver import acting_instants
from include.delivery.email_channel import is_dead_mailbox
from include.delivery.email_message import is_address
from include.delivery.outbox import ClaimedMessage
from include.delivery.presentation import (
    MessageView,
    money,
    one_line,
    readable,
    reason_sentence,
    view_message,
    web_url,
)
from include.delivery.push_channel import ascii_key
from include.delivery.rendering import Renderer, TemplateProblem
from include.settings import DeliverySettings, Settings

SETTINGS = Settings(delivery=DeliverySettings(shop_url="https://corner.example/", postal_address="1 High Street"))
ITEM: dict[str, Any] = {
    "item_id": "ice",
    "title": "ICE CREAM",
    "category": "FROZEN",
    "brand": "<b>Cold</b>",
    "price": Decimal("3.995"),
    "currency": "EUR",
    "url": None,
    "image_url": "https://corner.example/ice.jpg",
    "in_stock": True,
}


def message(**content: object) -> ClaimedMessage:
    entries = [{"item_id": "ice", "strategy": "popularity", "reason_item_id": None}]
    return ClaimedMessage(
        message_id="m1",
        campaign_id="c1",
        customer_id="k1",
        channel="email",
        business_date=date(2017, 11, 29),
        send_at=datetime(2017, 11, 30, 9, tzinfo=UTC),
        not_after=datetime(2017, 11, 30, 15, tzinfo=UTC),
        attempts=1,
        content={"items": entries, "template": None} | content,
        address="ann@example.com",
        address_hash="",
    )


def view(item: dict[str, Any] | None = None) -> MessageView:
    return view_message(message(), {"ice": ITEM | (item or {})}, SETTINGS)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A writable template folder named ``own``."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "subject.txt").write_text("{{ items[0].title }}")
    (folder / "email.txt").write_text("{{ items[0].title }}")
    (folder / "email.mjml").write_text("<mjml><mj-body></mj-body></mjml>")
    return folder


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (Decimal("1234.5"), "USD", "$1,234.50"),
        (Decimal("2.005"), "EUR", "€2.01"),
        (Decimal("1234.5"), "JPY", "¥1,235"),
        (Decimal("12"), "chf", "12.00 CHF"),
        (Decimal("0"), "USD", ""),
        (None, "USD", ""),
    ],
)
def test_money(amount: Decimal | None, currency: str, shown: str) -> None:
    assert money(amount, currency) == shown


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://corner.example/a?b=c#d", True),
        ("HTTP://corner.example/", True),
        ("javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,x", False),
        ("//corner.example/a", False),
        ("/a", False),
        ("https://", False),
        ("https://[broken/", False),
        ("https://corner.example/a b", False),
        (None, False),
    ],
)
def test_only_whole_web_links_are_kept(url: str | None, kept: bool) -> None:
    assert web_url(url) == (url if kept else "")


def test_text_is_one_readable_line() -> None:
    assert readable("ICE CREAM - BULK") == "Ice cream - bulk"
    assert readable("iPhone 8") == "iPhone 8"
    assert readable("DVD") == "DVD"
    assert one_line("a\r\nBcc: b\x00\u2028c\ud800") == "a Bcc: b c"
    assert len(one_line("x" * 1000)) == 200


def test_each_strategy_says_why() -> None:
    assert reason_sentence("als", "Frozen", ITEM) == "Because you bought Ice cream"
    assert reason_sentence("ease", "Frozen", ITEM) == "Because you bought Ice cream"
    assert reason_sentence("als", "Frozen", None) == "Picked for you"
    assert reason_sentence("price_drop", "Frozen", None) == "Now at a lower price"
    assert reason_sentence("item_neighbours", "Frozen", ITEM) == "Often bought with Ice cream"
    assert reason_sentence("item_neighbours", "Frozen", None) == "Picked for you"
    assert reason_sentence("user_neighbours", "Frozen", None) == "Customers with a taste like yours buy this"
    assert reason_sentence("trending", "Frozen", None) == "More and more customers buy this"
    assert reason_sentence("own_history", "Frozen", None) == "You buy this regularly"
    assert reason_sentence("looked_at", "Frozen", ITEM) == "You had a look at this"
    assert reason_sentence("category_favourites", "Frozen", None) == "Popular in Frozen"
    assert reason_sentence("popularity", "", None) == "A favourite with our customers"
    assert reason_sentence("one_of_your_own", "", None) == "Picked for you"


def test_an_item_without_url_leads_to_the_shop_and_one_with_an_image_shows_it() -> None:
    [item] = view().items
    assert item.url == "https://corner.example/items/ice"
    assert (item.title, item.price) == ("Ice cream", "€4.00")
    written = Renderer(SETTINGS).email(message(), view())
    assert 'src="https://corner.example/ice.jpg"' in written.html
    assert "ice.jpg" not in Renderer(SETTINGS).email(message(), view({"image_url": None})).html
    assert "1 High Street" in written.html
    assert "1 High Street" in written.plain


def test_html_is_escaped_and_plain_text_is_not() -> None:
    written = Renderer(SETTINGS).email(message(), view())
    assert "&lt;b&gt;Cold&lt;/b&gt;" in written.html
    assert "<b>Cold</b>" not in written.html
    assert "<b>Cold</b>" in written.plain


def test_no_mail_asks_the_network_for_fonts_or_scripts() -> None:
    html = Renderer(SETTINGS).email(message(), view({"image_url": None})).html
    assert "googleapis" not in html
    assert "<script" not in html
    assert "<link" not in html


@pytest.mark.parametrize(
    "dangerous",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ items[0].reason.format.__globals__ }}",
        "{{ '{0.__class__}'.format(items[0]) }}",
        "{{ self._TemplateReference__context }}",
        "{% for n in range(10000000) %}x{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{{ no_such_name }}",
        "{{ 1 / 0 }}",
        "{% if %}",
    ],
)
@pytest.mark.parametrize("file", ["email.txt", "email.mjml"])
def test_a_dangerous_or_broken_template_is_refused(template: Path, file: str, dangerous: str) -> None:
    source = dangerous if file == "email.txt" else f"<mjml><mj-body><mj-raw>{dangerous}</mj-raw></mj-body></mjml>"
    (template / file).write_text(source)
    with pytest.raises(TemplateProblem, match=f"template 'own', {file}: "):
        Renderer(SETTINGS, template.parent).email(message(template="own"), view())


def test_a_template_cannot_change_what_the_next_message_sees(template: Path) -> None:
    (template / "email.txt").write_text("{% set _ = items.append(1) %}")
    with pytest.raises(TemplateProblem, match="SecurityError"):
        Renderer(SETTINGS, template.parent).email(message(template="own"), view())


def test_broken_mjml_names_template_and_file(template: Path) -> None:
    (template / "email.mjml").write_text("<mjml><mj-body><mj-nonsense></mj-body>")
    with pytest.raises(TemplateProblem, match=r"template 'own', email\.mjml: "):
        Renderer(SETTINGS, template.parent).email(message(template="own"), view())


@pytest.mark.parametrize(
    ("code", "reply", "dead"),
    [
        (550, "5.1.1 no such user", True),
        (550, "No such user here", True),
        (553, "mailbox name not allowed", True),
        (554, "5.1.1 unknown", True),
        (550, "5.2.1 mailbox disabled", True),
        (550, "5.7.1 blocked by policy", False),
        (550, "5.1.8 sender address rejected", False),
        (552, "5.2.2 mailbox full", False),
        (550, "5.2.2 mailbox full", False),
        (554, "transaction failed", False),
    ],
)
def test_only_a_missing_mailbox_is_a_dead_address(code: int, reply: str, dead: bool) -> None:
    assert is_dead_mailbox(code, reply) is dead


def test_addresses_that_could_smuggle_commands_are_none() -> None:
    assert is_address("ann+tag@example.com")
    for text in ("a@b\r\nc", "a@b>", "a b@c.d", "a@b@c", "a,b@c.d", "@c.d", "ann", ""):
        assert not is_address(text), text


def test_header_keys_stay_different() -> None:
    assert ascii_key("abc-1") == "abc-1"
    assert len({ascii_key(text) for text in ("ü", "u", "%FC", "%C3", "a b", "a\nb", "ab")}) == 7


def test_a_replay_steps_through_the_full_hours() -> None:
    start = datetime(2017, 11, 30, 8, 30, tzinfo=UTC)
    end = datetime(2017, 11, 30, 10, 15, tzinfo=UTC)
    assert [f"{at:%H:%M}" for at in acting_instants(start, end)] == ["08:30", "09:00", "10:00", "10:15"]
    assert acting_instants(None, end) == [end]
    assert acting_instants(end, end) == [end]
    assert len(acting_instants(end - timedelta(days=1, minutes=15), end - timedelta(minutes=15))) == 25
