"""The most memory that a no-change `mtts update --all` of many routers ever holds, next to what loading it takes.

Resident memory as the kernel accounts for it, of a fresh process each time. It measures and judges nothing: the target
is printed beside the figures.
"""

import argparse
import sys
from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.rig.fleet import fleet
from bench.rig.lab_process import ARCHITECTURES
from bench.rig.rounds import Run, contend

ROUTERS: Final = 2000
FEWEST: Final = len(ARCHITECTURES)
DEFAULT_PARALLEL: Final = 32
TARGET_MB: Final = 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run")
    rounds = range(max(1, parser.parse_args().rounds))

    print(f"peak resident memory, median of {len(rounds)}, Python {sys.version.split()[0]}", flush=True)
    with fleet(FEWEST) as routers:
        _tell("interpreter and asyncio", [contend("idle", routers.near, 1, ()) for _ in rounds])
        _tell(f"mtts update, {FEWEST} routers", [contend("mtts", routers.near, DEFAULT_PARALLEL, ()) for _ in rounds])
    with fleet(ROUTERS) as routers:
        for parallel in (DEFAULT_PARALLEL, ROUTERS):
            runs = [contend("mtts", routers.near, parallel, ()) for _ in rounds]
            _tell(f"mtts update, {ROUTERS} routers, {parallel} at a time", runs)
    print(f"  target for {ROUTERS} routers: at most {TARGET_MB} MB")


def _tell(name: str, runs: Sequence[Run]) -> None:
    peaks_mb = [run.peak_bytes / 1e6 for run in runs]
    print(f"  {name:<46} {median(peaks_mb):6.1f} MB (from {min(peaks_mb):.1f} to {max(peaks_mb):.1f})", flush=True)


if __name__ == "__main__":
    main()
