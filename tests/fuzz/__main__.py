"""Fuzz the landing readers for a given time: ``make fuzz``, or ``python -m tests.fuzz <seconds for each reader>``.

Whatever the bytes, a reader may raise only what ``load_landing_files`` turns into a LandingFileError, and the rows that
it hands over are numbered 1 to n, each once. Every reader is fuzzed by a process of its own; inputs that reached new
code are kept in ``.lamplighter/fuzz`` and start the next run. Exit status 0: nothing found; an input that breaks a
reader lies as ``<reader>-crash-…`` in the same folder.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

from include.settings import STATE_DIRECTORY
from tests.fuzz.readers import READERS, SEEDS

SECONDS = 60
FOLDER = STATE_DIRECTORY / "fuzz"
MEMORY_MIB = 2_048
LONGEST_INPUT_BYTES = 4_096
SECONDS_OF_ONE_INPUT = 20


def main(seconds: int) -> int:
    """Fuzz each reader for that long, one after the other; how many were broken."""
    if find_spec("atheris") is None:
        print("make fuzz needs atheris, which has no wheel for this platform; nothing was fuzzed.")
        return 0
    broken = [reader for reader in READERS if not _holds(reader, seconds)]
    print(f"broken: {', '.join(broken)}; the inputs lie in {FOLDER}" if broken else "No reader broke.")
    return len(broken)


def _holds(reader: str, seconds: int) -> bool:
    corpus = FOLDER / reader
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[reader]):
        (corpus / f"seed-{number}").write_bytes(seed)
    return (
        subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.one_reader", reader, str(corpus)),
                f"-max_total_time={seconds}",
                f"-rss_limit_mb={MEMORY_MIB}",
                f"-max_len={LONGEST_INPUT_BYTES}",
                f"-timeout={SECONDS_OF_ONE_INPUT}",
                f"-artifact_prefix={FOLDER}/{reader}-",
                "-print_final_stats=1",
            ],
            check=False,
        ).returncode
        == 0
    )


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
