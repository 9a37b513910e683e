"""What `mtts update --all` costs when nothing changed, next to the least that reading the same routers takes.

Simulated routers in a process of their own; the floor and the threads send the very sentence that mtts sends. It
measures and judges nothing: targets are printed beside the figures.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Final

from bench.rig.fleet import Fleet, Seen, fleet
from bench.rig.rounds import Run, alternate, contend, spread

ROUTERS: Final = 500
GROWTH: Final = (500, 1000, 2000)
GROWTH_ROUNDS: Final = 3
ROUND_TRIP_S: Final = 0.05
DEFAULT_PARALLEL: Final = 32
THREADS: Final = 64
"""The most that helps: more threads are slower, on loopback and at a distance."""
NEAR_TARGET: Final = 2.0
FAR_TARGET: Final = 1.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run (at least 2)")
    parser.add_argument("--growth", type=int, nargs="*", default=GROWTH, help="fleets to compare by size")
    given = parser.parse_args()
    rounds = max(2, given.rounds)

    print(
        f"no-change update of {ROUTERS} simulated routers, {rounds} rounds, Python {sys.version.split()[0]}", flush=True
    )
    if find_spec("nornir_routeros") is None:
        print("  nornir and nornir-routeros are not installed, and so not measured")
    with fleet(ROUTERS, round_trip_s=ROUND_TRIP_S) as routers:
        sentence = _what_mtts_asks(routers)
        for inventory, place, target in (
            (routers.near, "loopback", NEAR_TARGET),
            (routers.far, f"{ROUND_TRIP_S * 1000:.0f} ms round trip", FAR_TARGET),
        ):
            for parallel in (DEFAULT_PARALLEL, ROUTERS):
                print(f"\n{place}, {parallel} at a time", flush=True)
                _compare(rounds, inventory, parallel, sentence, target)

    print(f"\ngrowth, loopback, {DEFAULT_PARALLEL} at a time, {GROWTH_ROUNDS} rounds", flush=True)
    for size in given.growth:
        with fleet(size) as routers:
            _grow(routers, size, _what_mtts_asks(routers))


def _what_mtts_asks(routers: Fleet) -> Sequence[str]:
    """The sentence of the one print that mtts sends, after a run that also warms the disk's cache."""
    contend("mtts", routers.near, DEFAULT_PARALLEL, ())
    seen = routers.seen()
    _tell(seen)
    (sentence,) = seen.container_prints
    return sentence


def _tell(seen: Seen) -> None:
    print(
        f"  asked of {seen.routers} routers: {seen.logins} logins, {seen.commands} commands, {seen.writes} writes; "
        f"of the registry: {seen.registry_requests} requests",
        flush=True,
    )


def _compare(rounds: int, inventory: Path, parallel: int, sentence: Sequence[str], target: float) -> None:
    kinds = {"mtts": parallel, "bare-loop": parallel, "threads": min(parallel, THREADS)}
    if find_spec("nornir_routeros") is not None:
        kinds["nornir"] = min(parallel, THREADS)
    contenders = {kind: partial(contend, kind, inventory, width, sentence) for kind, width in kinds.items()}
    found = alternate(rounds, contenders)
    for kind, runs in found.items():
        print(f"  {kind:<10} {_figures(runs)}")
    print(f"  mtts to the bare loop: {_ratio(found, 'bare-loop')}; target at most {target}")
    print(f"    by the process' own CPU time: {_cpu_ratio(found)}")
    for kind in [kind for kind in kinds if kind not in {"mtts", "bare-loop"}]:
        print(f"  mtts to {kind} ({kinds[kind]} of them): {_ratio(found, kind)}; target below 1", flush=True)


def _grow(routers: Fleet, size: int, sentence: Sequence[str]) -> None:
    contenders = {
        kind: partial(contend, kind, routers.near, DEFAULT_PARALLEL, sentence) for kind in ("mtts", "bare-loop")
    }
    found = alternate(GROWTH_ROUNDS, contenders)
    per_router = {kind: median(run.run_s for run in runs) / size * 1000 for kind, runs in found.items()}
    print(
        f"  {size:5} routers: mtts {per_router['mtts']:.2f} ms each, bare loop {per_router['bare-loop']:.2f} ms; "
        f"ratio {_ratio(found, 'bare-loop')}",
        flush=True,
    )


def _figures(runs: Sequence[Run]) -> str:
    run_s, cpu_s, wall_s = (median(getattr(run, name) for run in runs) for name in ("run_s", "cpu_s", "wall_s"))
    return f"median {run_s:5.2f} s, CPU {cpu_s:5.2f} s; with start-up {wall_s:5.2f} s"


def _ratio(found: Mapping[str, Sequence[Run]], other: str) -> str:
    return str(spread([ours.run_s / theirs.run_s for ours, theirs in zip(found["mtts"], found[other], strict=True)]))


def _cpu_ratio(found: Mapping[str, Sequence[Run]]) -> str:
    pairs = zip(found["mtts"], found["bare-loop"], strict=True)
    return str(spread([ours.cpu_s / theirs.cpu_s for ours, theirs in pairs]))


if __name__ == "__main__":
    main()
