"""What is computed ahead arrives in order, with its errors, and leaves no thread behind."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from include.landing.ahead import running_ahead


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "landing-reader"]


def numbers(until: int, error: Exception | None = None, closed: list[bool] | None = None) -> Generator[int]:
    try:
        yield from range(until)
        if error is not None:
            raise error
    finally:
        if closed is not None:
            closed.append(True)


def test_items_arrive_in_order() -> None:
    with running_ahead(numbers(1_000), 3) as items:
        assert list(items) == list(range(1_000))
    assert threads() == []


def test_an_error_is_raised_after_the_items_before_it() -> None:
    with running_ahead(numbers(5, OSError("cut off")), 2) as items:
        assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(OSError, match="cut off"):
            next(items)
    assert threads() == []


def test_no_more_are_computed_than_may_wait() -> None:
    computed = []

    def counted() -> Generator[int]:
        for number in range(100):
            computed.append(number)
            yield number

    with running_ahead(counted(), 2) as items:
        next(items)
        assert len(computed) <= 5
    assert len(computed) <= 6


@pytest.mark.parametrize("taken", [0, 1, 7])
def test_a_block_left_early_ends_the_thread_and_closes_the_items(taken: int) -> None:
    closed: list[bool] = []
    with running_ahead(numbers(1_000, closed=closed), 2) as items:
        for _ in range(taken):
            next(items)
    assert closed == [True]
    assert threads() == []
