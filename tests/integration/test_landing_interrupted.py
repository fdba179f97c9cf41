"""A process that leaves off reading ends as any other does, however slow the stream is that arrow reads ahead of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from include.settings import PROJECT_ROOT

READS_A_SLOW_STREAM = """
import io, os, signal, sys, time
from contextlib import closing, contextmanager
from include.landing.read_csv import read_csv

class Slow(io.RawIOBase):
    reads = 0

    def readable(self):
        return True

    def read(self, size=-1):
        self.reads += 1
        if self.reads > 3:
            time.sleep(0.3)
        return b"a,b\\n" if self.reads == 1 else b"1,2\\n" * (1 << 18)

@contextmanager
def open_stream():
    yield Slow()

# What is started in the background ignores interrupts, and so do its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
with closing(read_csv(open_stream).batches) as batches:
    for number, batch in enumerate(batches):
        if number == 2:
            if sys.argv[1] == "interrupt":
                os.kill(os.getpid(), signal.SIGINT)
            elif sys.argv[1] == "exit":
                sys.exit(3)
            else:
                raise ValueError("cannot go on")
"""


@pytest.mark.parametrize(
    ("way", "code", "last_line"),
    [("interrupt", -2, "KeyboardInterrupt"), ("exit", 3, ""), ("raise", 1, "ValueError: cannot go on")],
)
def test_process_that_leaves_off_reading_ends_orderly(way: str, code: int, last_line: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", READS_A_SLOW_STREAM, way], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60
    )

    assert ended.stderr.rpartition("\n")[0].rpartition("\n")[2] == last_line
    assert ended.returncode == code
