"""An iterator that a thread runs ahead, so that reading a file and writing to Postgres take both of two cores."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

_END = object()


@contextmanager
def running_ahead(items: Generator[Item], most: int) -> Iterator[Iterator[Item]]:
    """``items``, computed in a thread up to ``most`` ahead of their use; what they raise is raised where they are used.

    When the block ends the thread has ended, however many items are left.
    """
    waiting: queue.Queue[object] = queue.Queue(most)
    failures: list[BaseException] = []
    stopping = threading.Event()

    def run() -> None:
        try:
            for item in items:
                waiting.put(item)
                if stopping.is_set():
                    return
        except BaseException as failure:
            failures.append(failure)
        finally:
            items.close()
            waiting.put(_END)

    def read() -> Iterator[Item]:
        while (item := waiting.get()) is not _END:
            yield item  # type: ignore[misc]
        if failures:
            raise failures[0]

    thread = threading.Thread(target=run, name="landing-reader", daemon=True)
    thread.start()
    try:
        yield read()
    finally:
        stopping.set()
        while thread.is_alive():
            # Room for what the thread is about to put, or it would wait for ever.
            try:
                waiting.get(timeout=0.01)
            except queue.Empty:
                continue
