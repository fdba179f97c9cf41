"""App push over HTTP: one JSON POST per message to the push gateway of the settings.

The gateway answers 2xx (taken), 410, or 404 with the word "unregistered" in its body (no such token), 429 or 503 (not
now; with a Retry-After: nothing now). It gets an ``Idempotency-Key`` with the message id. A bare 404 or a redirect is
rather a wrong URL, a 401 a wrong token: no message is given up for these, the channel waits for its settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import httpx

from include.delivery.channels import Outcome, without_address
from include.delivery.outbox import ClaimedMessage
from include.delivery.presentation import view_message
from include.delivery.rendering import Renderer
from include.settings import DeliverySettings

NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)
"""Raised before the request left the house."""
NOT_NOW = frozenset({408, 425, 429, 503})
NOT_ALLOWED = frozenset({401, 403, 407})
NOT_THE_GATEWAY = frozenset({404, 405})


class PushChannel:
    """Sends to the push gateway as the delivery settings say."""

    def __init__(self, settings: DeliverySettings, renderer: Renderer) -> None:
        self._settings = settings
        self._renderer = renderer
        self._client: httpx.Client | None = None

    def send(self, message: ClaimedMessage, items: Mapping[str, Mapping[str, Any]], *, as_of: datetime) -> Outcome:
        view = view_message(message, items, self._renderer.settings)
        written = self._renderer.push(message, view)
        body = {
            "message_id": message.message_id,
            "token": message.address,
            "title": written.title,
            "body": written.body,
            "url": view.items[0].url,
            "items": [asdict(item) for item in view.items],
        }
        try:
            response = self._connected().post(
                self._settings.push_url, json=body, headers={"Idempotency-Key": ascii_key(message.message_id)}
            )
        except (*NOTHING_SENT, httpx.InvalidURL) as error:
            text = f"no connection to {self._settings.push_url} (delivery.push_url): {type(error).__name__}: {error}"
            return Outcome("retry", without_address(text, message.address), channel_is_down=True)
        except httpx.HTTPError as error:
            text = f"handed over, but no answer came ({type(error).__name__}: {error}): look it up at the gateway"
            return Outcome("unknown", without_address(text, message.address))
        return _outcome_of(response, message.address)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> httpx.Client:
        if self._client is None:
            token = self._settings.push_token
            headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
            self._client = httpx.Client(timeout=self._settings.timeout_seconds, headers=headers)
        return self._client


def ascii_key(message_id: str) -> str:
    """``message_id`` as a header value, anything beyond printable ASCII escaped; different ids stay different."""
    return "".join(sign if "!" <= sign <= "~" and sign != "%" else f"%{ord(sign):X}" for sign in message_id)


def _outcome_of(response: httpx.Response, token: str) -> Outcome:
    code = response.status_code
    text = without_address(f"HTTP {code} from the push gateway: {response.text[:300]}", token)
    if response.is_success:
        return Outcome("sent")
    if code in NOT_NOW:
        return Outcome("retry", text, channel_is_down="Retry-After" in response.headers)
    if code in NOT_ALLOWED:
        return Outcome("retry", f"{text} (delivery.push_token)", channel_is_down=True)
    if code == httpx.codes.GONE or (code == httpx.codes.NOT_FOUND and "unregistered" in response.text.lower()):
        return Outcome("failed", text, address_is_dead=True)
    if code in NOT_THE_GATEWAY or response.is_redirect:
        return Outcome("retry", f"{text} (delivery.push_url)", channel_is_down=True)
    if code >= 500:
        # The gateway may have passed it on before it stumbled.
        return Outcome("unknown", text)
    return Outcome("failed", text)
