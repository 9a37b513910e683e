"""The benchmarks' side of the simulated fleet: starts its process, asks it what it saw, ends it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NEAR: Final = "near.yaml"
FAR: Final = "far.yaml"
STATE: Final = "state"
"""The directory beside the inventories where mtts keeps its runs."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the whole fleet and its registry were asked within some time."""

    routers: int
    logins: int
    commands: int
    """Besides logins."""
    writes: int
    container_prints: Sequence[Sequence[str]]
    """The different `/container/print` sentences, as words."""
    registry_requests: int


class Fleet:
    """A running fleet: its inventories, and its own account of what it was asked."""

    def __init__(self, process: "subprocess.Popen[str]", directory: Path) -> None:
        self._process = process
        self.near = directory / NEAR
        self.far = directory / FAR
        """The same routers behind the round trip."""

    def seen(self) -> Seen:
        """What was asked since the last time."""
        self._write("\n")
        return self.read()

    def read(self) -> Seen:
        """The next account that the fleet gives."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the simulated fleet ended")
        return Seen(**json.loads(line))

    def _write(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(line)
            self._process.stdin.flush()


@contextmanager
def fleet(routers: int, *, round_trip_s: float = 0.0) -> Iterator[Fleet]:
    """A fleet of deployed routers in a process of its own; `far` needs a round trip."""
    with tempfile.TemporaryDirectory(prefix="mtts-bench-") as directory:
        command = (sys.executable, "-m", "bench.rig.lab_process", directory)
        options = ("--routers", str(routers), "--round-trip-s", str(round_trip_s))
        with subprocess.Popen(
            [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                made = Fleet(process, Path(directory))
                made.read()
                yield made
            finally:
                if process.stdin:
                    process.stdin.close()
