"""The largest memory of this process, or of several processes together."""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

STATUS = Path("/proc/self/status")


def peak_megabytes() -> float:
    """Resident megabytes. On Linux not getrusage's, which starts a child with what its parent had."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    per_megabyte = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_megabyte


def family_megabytes(roots: list[int]) -> float:
    """Memory of these processes and their descendants; what several share is counted once on Linux, else not at all."""
    total = 0
    for process in _families(roots):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            memory = process.memory_full_info()
            total += getattr(memory, "pss", memory.uss)
    return total / 1024**2


class PeakOf:
    """A context in which the memory of processes and their descendants is looked at ten times a second."""

    def __init__(self, roots: list[int]) -> None:
        self._roots = roots
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.megabytes = 0.0

    def __enter__(self) -> PeakOf:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            self.megabytes = max(self.megabytes, family_megabytes(self._roots))


def _families(roots: list[int]) -> Iterator[psutil.Process]:
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(root)
            yield process
            yield from process.children(recursive=True)
