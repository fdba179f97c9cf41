"""The fuzzer's process for one reader: ``python -m tests.fuzz.one_reader <reader> <libFuzzer's arguments>``."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["include.landing", "json", "gzip", "codecs"]):
    from tests.fuzz.readers import check


def main() -> None:
    reader = sys.argv.pop(1)
    atheris.Setup(sys.argv, lambda data: check(reader, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
