"""Rounds that alternate between what is compared, and what they come to.

Ratios are taken within a round, so that a busy machine burdens both sides alike; a figure is the middle of all
rounds, and the middle half says how far they lie apart.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

_LIMIT_S: Final = 120
"""For one measured process; none takes a tenth of it on a quiet machine."""


@dataclass(frozen=True, slots=True)
class Run:
    """One measured process."""

    run_s: float
    """Between start-up and the last router's answer."""
    cpu_s: float
    """The process' own, in the same time."""
    peak_bytes: int
    """The most memory that it ever held, start-up included."""
    wall_s: float
    """From its start to its end."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some figures, and the middle half of them."""

    low: float
    middle: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} (middle half {self.low:.2f} to {self.high:.2f})"


def spread(figures: Sequence[float]) -> Spread:
    """Of at least two figures."""
    return Spread(*statistics.quantiles(figures, n=4, method="inclusive"))


def alternate(rounds: int, contenders: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Every contender's results; each round has each of them once, in turn."""
    found: dict[str, list[T]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contend in contenders.items():
            found[name].append(contend())
    return found


def contend(kind: str, inventory: Path, parallel: int, sentence: Sequence[str]) -> Run:
    """One run of a contender (bench/rig/contender.py) in a fresh process; CalledProcessError when it fails."""
    given = {"kind": kind, "inventory": str(inventory), "parallel": parallel, "sentence": list(sentence)}
    began_s = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", "bench.rig.contender", json.dumps(given)],
        stdout=subprocess.PIPE,
        timeout=_LIMIT_S,
        check=True,
    )
    return Run(**json.loads(ended.stdout), wall_s=time.perf_counter() - began_s)
