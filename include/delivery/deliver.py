"""The delivery run: at an instant, expire what is late, claim what is due, send each, record each."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from include.delivery.channels import Channel, Outcome
from include.delivery.email_channel import EmailChannel
from include.delivery.outbox import Batch, ClaimedMessage, Outbox, open_outbox
from include.delivery.push_channel import PushChannel
from include.delivery.rendering import TEMPLATES, Renderer, TemplateProblem
from include.settings import Settings

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class DeliverySummary:
    """Counts of one delivery run over all its acting instants."""

    worker: str
    as_of: str
    sent: int
    failed: int
    unknown: int
    put_back: int
    """Not delivered this time and planned again."""
    cancelled: int
    expired: int
    orphans_unknown: int
    """Left in ``sending`` by a run that died; the outcome of these is not known."""
    orphans_put_back: int


def acting_instants(since: datetime | None, as_of: datetime) -> list[datetime]:
    """The instants a run acts at, in UTC: ``as_of`` alone, or ``since``, every full hour after it, and ``as_of``.

    Raises ValueError for an instant without offset or a ``since`` after ``as_of``.
    """
    for name, instant in (("as_of", as_of), ("since", since)):
        if instant is not None and instant.utcoffset() is None:
            raise ValueError(f"{name} {instant} has no UTC offset: write for example 2017-11-30T09:00:00+00:00")
    if since is None:
        return [as_of.astimezone(UTC)]
    if since > as_of:
        raise ValueError(f"since {since} is later than as_of {as_of}: give the earlier instant as since")
    start, end = since.astimezone(UTC), as_of.astimezone(UTC)
    instants = [start]
    hour = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    while hour < end:
        instants.append(hour)
        hour += timedelta(hours=1)
    return instants if start == end else [*instants, end]


def deliver_due_messages(
    engine: Engine,
    settings: Settings,
    *,
    as_of: datetime,
    since: datetime | None,
    worker: str,
    clock: Clock | None = None,
    templates: Path = TEMPLATES,
    channels: Mapping[str, Channel] | None = None,
) -> DeliverySummary:
    """Send each planned message with send_at ≤ now < not_after, once, by its channel.

    as_of: the instant to act at, with offset: it is now, from the first message to the last.
    since: replay the clock: act at ``since``, at every full hour after it and at ``as_of``, as if each were now.
    clock: of a live run, which lasts: now, with offset, read at each message's turn. A message is sent or expires by
    that reading, and it becomes ``sent_at`` and the mail's Date.
    channels: ways out other than the settings', by name; all else is the same.
    worker: a name no other run has at the same time; a retry of a killed run may use it again.
    Raises RuntimeError when a run of that name is still at work, ValueError for instants without offset and for a
    replay with a clock. Any number of runs may work side by side.
    See ``outbox`` for how a message is never sent twice.
    """
    instants = acting_instants(since, as_of)
    if since is not None and clock is not None:
        raise ValueError(f"a replay since {since} steps through instants of its own: give it no clock")
    if channels is None:
        renderer = Renderer(settings, templates)
        channels = {
            "email": EmailChannel(settings.delivery, renderer),
            "app_push": PushChannel(settings.delivery, renderer),
        }
    counts: Counter[str] = Counter()
    with open_outbox(engine, worker) as outbox:
        orphans_unknown, orphans_put_back = outbox.settle_orphans()
        for instant in instants:
            now = _stopped_at(instant) if clock is None else _in_utc(clock)
            counts["expired"] += outbox.expire(now())
            _deliver_at(outbox, channels, settings, now, counts)
    return DeliverySummary(
        worker=worker,
        as_of=instants[-1].isoformat(),
        sent=counts["sent"],
        failed=counts["failed"],
        unknown=counts["unknown"],
        put_back=counts["planned"],
        cancelled=counts["cancelled"],
        expired=counts["expired"],
        orphans_unknown=orphans_unknown,
        orphans_put_back=orphans_put_back,
    )


def _stopped_at(instant: datetime) -> Clock:
    return lambda: instant


def _in_utc(clock: Clock) -> Clock:
    def read() -> datetime:
        now = clock()
        if now.utcoffset() is None:
            raise ValueError(f"the clock says {now}, without UTC offset: give one that knows its zone")
        return now.astimezone(UTC)

    return read


def _deliver_at(
    outbox: Outbox, channels: Mapping[str, Channel], settings: Settings, now: Clock, counts: Counter[str]
) -> None:
    """Claim and send until nothing more is due on a channel that works."""
    working = dict(channels)
    postponed: list[str] = []
    while working:
        batch = outbox.claim(
            now(), channels=list(working), postponed=postponed, batch_size=settings.delivery.batch_size
        )
        if not batch.messages and not batch.cancelled:
            break
        counts["cancelled"] += batch.cancelled
        try:
            _send_batch(outbox, batch, working, settings, now, counts, postponed)
        finally:
            for channel in channels.values():
                channel.close()
        logger.info("Delivery at %s: %s sent so far", now().isoformat(), counts["sent"])


def _send_batch(
    outbox: Outbox,
    batch: Batch,
    working: dict[str, Channel],
    settings: Settings,
    now: Clock,
    counts: Counter[str],
    postponed: list[str],
) -> None:
    """Send ``batch`` in its order; takes channels that turn out to be down off ``working``."""
    for message in batch.messages:
        at = now()
        channel = working.get(message.channel)
        if at >= message.not_after:
            error = f"its last permitted instant had passed when its turn came at {at.isoformat()}"
            outbox.record(message, "expired", error=error, attempted=False)
            counts["expired"] += 1
            continue
        if channel is None:
            error = f"{message.channel} could not be reached at {at.isoformat()}; waiting for the next run"
            outbox.record(message, "planned", error=error, attempted=False)
            counts["planned"] += 1
            continue
        try:
            outcome = channel.send(message, batch.items, as_of=at)
        except TemplateProblem as problem:
            outcome = Outcome("failed", str(problem))
        state = _record(outbox, message, outcome, settings.delivery.maximum_attempts, at)
        counts[state] += 1
        if state == "planned":
            postponed.append(message.message_id)
        if outcome.channel_is_down:
            logger.error("Channel %s is down at %s: %s", message.channel, at.isoformat(), outcome.error)
            del working[message.channel]


def _record(outbox: Outbox, message: ClaimedMessage, outcome: Outcome, maximum_attempts: int, as_of: datetime) -> str:
    """Commit ``outcome`` and return the message's new state."""
    state, error = outcome.kind, outcome.error
    if outcome.kind == "retry":
        if outcome.channel_is_down or message.attempts < maximum_attempts:
            outbox.record(message, "planned", error=error, attempted=not outcome.channel_is_down)
            return "planned"
        state, error = "failed", f"gave up after {message.attempts} attempts: {error}"
    if state != "sent":
        logger.warning("Message %s %s: %s", message.message_id, state, error)
    outbox.record(
        message,
        state,
        sent_at=as_of if state == "sent" else None,
        error=error,
        suppress_since=as_of if outcome.address_is_dead else None,
    )
    return state
