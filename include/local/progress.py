"""Lines that say what a command is doing, with the seconds since it began."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Prints ``[ 12.3 s] message`` lines at once, to standard output unless told otherwise."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.began = time.monotonic()

    def __call__(self, message: str) -> None:
        print(f"[{time.monotonic() - self.began:6.1f} s] {message}", file=self.stream, flush=True)

    def text(self, message: str = "") -> None:
        """A line without the clock."""
        print(message, file=self.stream, flush=True)
