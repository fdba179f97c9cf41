"""From rendered text to the bytes of a mail (RFC 5322)."""

from __future__ import annotations

import binascii
import hashlib
import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr

from include.delivery.outbox import ClaimedMessage
from include.delivery.presentation import MessageView
from include.delivery.rendering import EmailText
from include.settings import DeliverySettings

TOKEN = re.compile(r"[A-Za-z0-9._-]{1,100}")
ADDRESS = re.compile(r"[^\s@<>(),:;\"\\\[\]\x00-\x1f\x7f]+@[^\s@<>(),:;\"\\\[\]\x00-\x1f\x7f]+")


def is_address(text: str) -> bool:
    """Whether ``text`` is one plain address, without anything that could end a header or an SMTP command."""
    return ADDRESS.fullmatch(text) is not None


def header_token(text: str) -> str:
    """``text`` if it can stand in a header as it is, else its hash."""
    return text if TOKEN.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()


def compose(
    message: ClaimedMessage, view: MessageView, written: EmailText, settings: DeliverySettings, as_of: datetime
) -> bytes:
    """The mail, lines ended by CRLF; the same message composed again has the same headers.

    Raises ValueError for an address that is not one.
    """
    if not is_address(message.address):
        raise ValueError("the customer's email is not an address")
    sender_name, sender_address = parseaddr(settings.sender)
    message_token = header_token(message.message_id)
    # Long lines are never folded into encoded words: some receivers do not read those in List-Unsubscribe.
    policy = (SMTP if message.address.isascii() else SMTPUTF8).clone(max_line_length=990)
    mail = EmailMessage(policy)
    mail["From"] = Address(display_name=sender_name, addr_spec=sender_address)
    username, _, domain = message.address.rpartition("@")
    mail["To"] = Address(username=username, domain=domain)
    mail["Subject"] = written.subject
    mail["Date"] = format_datetime(as_of)
    mail["Message-ID"] = f"<{message_token}@{sender_address.rpartition('@')[2]}>"
    mail["List-Unsubscribe"] = f"<{view.unsubscribe_url}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Feedback-ID"] = f"{header_token(message.campaign_id)}:{message.business_date}:marketing:lamplighter"
    mail["X-Lamplighter-Message"] = message_token
    mail["MIME-Version"] = "1.0"
    mail["Content-Type"] = "multipart/alternative"
    # Unset, the boundary is drawn at random.
    mail.set_boundary(f"=_{hashlib.sha256(message_token.encode()).hexdigest()[:32]}")
    mail.attach(_part(written.plain, "text/plain"))
    mail.attach(_part(written.html, "text/html"))
    return mail.as_bytes()


def _part(text: str, content_type: str) -> EmailMessage:
    """``text`` as quoted-printable, by the C codec: ``set_content`` takes ten times as long with its own."""
    part = EmailMessage(SMTP)
    part["Content-Type"] = f'{content_type}; charset="utf-8"'
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(binascii.b2a_qp(text.encode(), istext=True).decode("ascii"))
    return part
