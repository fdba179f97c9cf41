"""Signals that end a command become one exception, so that what it started is stopped on the way out."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """The command was told to end by ``signal``. Not an Exception, so that no handler of errors swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = signal.Signals(number)


class _State:
    deferring = 0
    """Depth of nested blocks that must not be torn."""
    pending: int | None = None
    finishing = False


def _handle(number: int, _frame: FrameType | None) -> None:
    if _State.finishing:
        return
    if _State.deferring:
        _State.pending = number
        return
    raise Stopped(number)


def install() -> None:
    """From here on SIGINT, SIGTERM and SIGHUP raise Stopped in the main thread; a SIGHUP ignored by nohup stays so."""
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)


@contextmanager
def deferred() -> Iterator[None]:
    """A signal that comes within the block raises Stopped at its end: a started process is recorded before that.

    So it does when the block fails: Ctrl-C also reaches the programs that the block waits for.
    """
    _State.deferring += 1
    try:
        yield
    finally:
        _State.deferring -= 1
        if not _State.deferring and _State.pending is not None:
            number, _State.pending = _State.pending, None
            raise Stopped(number)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Further signals within the block are passed over: an impatient second Ctrl-C must not leave processes behind."""
    before, _State.finishing = _State.finishing, True
    try:
        yield
    finally:
        _State.finishing = before
