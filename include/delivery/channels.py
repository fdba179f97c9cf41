"""What every channel answers, and the one interface they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from include.delivery.outbox import ClaimedMessage

MAXIMUM_ERROR_LENGTH = 500


@dataclass(frozen=True)
class Outcome:
    """What became of one message.

    sent: the receiver took it. retry: known not delivered, worth another try. failed: known not delivered, for good.
    unknown: it may have been delivered; never tried again.
    """

    kind: Literal["sent", "retry", "failed", "unknown"]
    error: str | None = None
    address_is_dead: bool = False
    """The receiver says there is no such address: a hard bounce."""
    channel_is_down: bool = False
    """The fault is the channel's: a ``retry`` then costs no attempt, and trying the next message now is pointless."""


class Channel(Protocol):
    """A way out of the house."""

    def send(self, message: ClaimedMessage, items: Mapping[str, Mapping[str, Any]], *, as_of: datetime) -> Outcome:
        """Render ``message`` and hand it over once; raises TemplateProblem before anything left the house."""

    def close(self) -> None:
        """End the connection; the next ``send`` opens another."""


def without_address(error: str, address: str) -> str:
    """``error`` on one line and without the recipient's address, which servers like to repeat."""
    return " ".join(error.replace(address, "<address>").split())[:MAXIMUM_ERROR_LENGTH]
