"""Email over SMTP (RFC 5321), one connection for many messages."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Mapping
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from include.delivery.channels import Outcome, without_address
from include.delivery.email_message import compose
from include.delivery.outbox import ClaimedMessage
from include.delivery.presentation import view_message
from include.delivery.rendering import Renderer
from include.settings import DeliverySettings

SERVICE_CLOSING = 421
AUTHENTICATION_REQUIRED = 530
DEAD_MAILBOX_CODES = frozenset({550, 551, 553})
ENHANCED_CODE = re.compile(r"\s*5\.(\d{1,3})\.(\d{1,3})\b")
SENDERS_FAULT = frozenset({"7", "8"})
"""Details of 5.1.x that speak of the sender's address, not the recipient's (RFC 3463)."""


def is_dead_mailbox(code: int, reply: str) -> bool:
    """Whether a refused RCPT TO means there is no such mailbox, rather than a policy, a block or a full one.

    The enhanced code (RFC 3463) decides where the server gives one, since 550 is also used for spam blocks (5.7.x).
    """
    enhanced = ENHANCED_CODE.match(reply)
    if enhanced:
        subject, detail = enhanced.groups()
        if subject == "1":
            return detail not in SENDERS_FAULT
        if subject == "7" or (subject, detail) == ("2", "2"):
            return False
    return code in DEAD_MAILBOX_CODES


class _ConnectionLost(Exception):
    """The connection ended before any data went out."""

    def __init__(self, *, recipient_was_named: bool) -> None:
        super().__init__()
        self.recipient_was_named = recipient_was_named


class EmailChannel:
    """Sends by SMTP as the delivery settings say."""

    def __init__(self, settings: DeliverySettings, renderer: Renderer) -> None:
        self._settings = settings
        self._renderer = renderer
        self._sender = parseaddr(settings.sender)[1]
        self._connection: smtplib.SMTP | None = None

    def send(self, message: ClaimedMessage, items: Mapping[str, Mapping[str, Any]], *, as_of: datetime) -> Outcome:
        """Render and hand over once. A connection found dead before any data went out is opened anew, once."""
        view = view_message(message, items, self._renderer.settings)
        written = self._renderer.email(message, view)
        try:
            mail = compose(message, view, written, self._settings, as_of)
        except ValueError as error:
            return Outcome("failed", without_address(f"mail cannot be composed: {error}", message.address))
        reused = self._connection is not None
        try:
            return self._try(message.address, mail)
        except _ConnectionLost as lost:
            if not reused:
                return _lost(lost)
        try:
            return self._try(message.address, mail)
        except _ConnectionLost as lost:
            return _lost(lost)

    def close(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.quit()
        except (smtplib.SMTPException, OSError):
            self._connection.close()
        self._connection = None

    def _try(self, recipient: str, mail: bytes) -> Outcome:
        """One attempt on the open connection or a new one; raises _ConnectionLost when it ended before any data."""
        try:
            connection = self._connection or self._connect()
        except (smtplib.SMTPException, OSError) as error:
            where = f"{self._settings.smtp_host}:{self._settings.smtp_port}"
            text = f"no SMTP session with {where} (delivery.smtp_*): {type(error).__name__}: {error}"
            return Outcome("retry", without_address(text, recipient), channel_is_down=True)
        self._connection = connection
        named = False
        try:
            refusal = self._name_sender(connection, recipient)
            if refusal is None:
                named = True
                refusal = self._name_recipient(connection, recipient)
        except (smtplib.SMTPNotSupportedError, UnicodeEncodeError):
            # The latter from a server without any extensions (HELO).
            self._reset(connection)
            return Outcome("failed", "the SMTP server takes no addresses beyond ASCII (SMTPUTF8)")
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise _ConnectionLost(recipient_was_named=named) from error
        if refusal is not None:
            self._reset(connection)
            return refusal
        return self._hand_over(connection, recipient, mail)

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        context = ssl.create_default_context()
        connection: smtplib.SMTP
        if settings.smtp_security == "tls":
            connection = smtplib.SMTP_SSL(
                settings.smtp_host, settings.smtp_port, timeout=settings.timeout_seconds, context=context
            )
        else:
            connection = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=settings.timeout_seconds)
        try:
            if settings.smtp_security == "starttls":
                connection.starttls(context=context)
            if settings.smtp_username is not None:
                password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
                connection.login(settings.smtp_username, password)
            connection.ehlo_or_helo_if_needed()
        except (smtplib.SMTPException, OSError):
            connection.close()
            raise
        return connection

    def _name_sender(self, connection: smtplib.SMTP, recipient: str) -> Outcome | None:
        """MAIL FROM; the outcome if it is refused. Nothing here is the message's own but the options."""
        options = () if recipient.isascii() else ("SMTPUTF8", "BODY=8BITMIME")
        code, reply = connection.mail(self._sender, options)
        if code != 250:
            return self._refused("MAIL FROM", code, reply, recipient, channel_is_down=not options)
        return None

    def _name_recipient(self, connection: smtplib.SMTP, recipient: str) -> Outcome | None:
        """RCPT TO, and DATA up to the server's go-ahead; the outcome if it refuses."""
        code, reply = connection.rcpt(recipient)
        if code not in {250, 251}:
            dead = 500 <= code < 600 and is_dead_mailbox(code, reply.decode(errors="replace"))
            return self._refused("RCPT TO", code, reply, recipient, address_is_dead=dead)
        code, reply = connection.docmd("DATA")
        if code != 354:
            return self._refused("DATA", code, reply, recipient)
        return None

    def _hand_over(self, connection: smtplib.SMTP, recipient: str, mail: bytes) -> Outcome:
        """The mail itself. From the first byte on, silence means that nobody knows."""
        # Dot stuffing, RFC 5321 section 4.5.2.
        data = re.sub(rb"(?m)^\.", b"..", mail.rstrip(b"\r\n")) + b"\r\n.\r\n"
        try:
            connection.send(data)
            code, reply = connection.getreply()
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            text = f"handed over, but no answer came ({type(error).__name__}: {error}): look it up at the provider"
            return Outcome("unknown", without_address(text, recipient))
        if 200 <= code < 300:
            return Outcome("sent")
        if not 400 <= code < 600:
            self._drop()
            return Outcome("unknown", without_address(f"handed over; the server answered {code}", recipient))
        self._reset(connection)
        try:
            return self._refused("the message", code, reply, recipient)
        except smtplib.SMTPServerDisconnected:
            return Outcome("retry", f"SMTP {code}: the server is closing")

    def _refused(
        self,
        stage: str,
        code: int,
        reply: bytes,
        recipient: str,
        *,
        address_is_dead: bool = False,
        channel_is_down: bool = False,
    ) -> Outcome:
        if code == SERVICE_CLOSING or code < 0:
            raise smtplib.SMTPServerDisconnected(f"{stage}: {code}")
        text = without_address(f"SMTP {code} to {stage}: {reply.decode(errors='replace')}", recipient)
        if channel_is_down or code == AUTHENTICATION_REQUIRED:
            return Outcome("retry", f"{text} (delivery.sender, delivery.smtp_*)", channel_is_down=True)
        return Outcome("retry" if code < 500 else "failed", text, address_is_dead=address_is_dead)

    def _reset(self, connection: smtplib.SMTP) -> None:
        """RSET, so that the next message starts clean; a connection that cannot is given up."""
        try:
            code, _ = connection.rset()
        except (smtplib.SMTPException, OSError):
            code = 0
        if code != 250:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _lost(lost: _ConnectionLost) -> Outcome:
    """A server that leaves before it heard of any recipient would leave at the next message too."""
    text = "the SMTP server ended the connection before the message was handed over"
    return Outcome("retry", text, channel_is_down=not lost.recipient_was_named)
