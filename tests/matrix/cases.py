"""The axes of the kill matrix: each one a table to which a row is added, and every case is their product."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mtts.core.router_lock import read_lock
from mtts.lab.faults import Faults
from tests.engine.fleet import LOCK_PATH, Deployment

VERSIONS: Final = ("7.18.2", "7.20.8", "7.22.3", "7.23.3", "7.24")
PATHS: Final = ("lan", "tailnet")


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a router must be for a swap to take this way, and how many moments it has."""

    router: Mapping[str, Any]
    """Options of the lab."""
    points: int
    """The writes of a clean update, those of the guard on the router and each start of a script included."""
    back_s: float
    """After a boot, the router has brought the node back by itself."""


STRATEGIES: Final[Mapping[str, Strategy]] = {
    "a/b": Strategy({}, points=14, back_s=10),
    "ram-bridge": Strategy({"flash_free": 2_000_000}, points=27, back_s=120),
}

KINDS: Final[Mapping[str, Callable[[Faults], object]]] = {
    "kill": Faults.cut_link,
    "cut": Faults.cut_link,
    "power": Faults.power_cut,
}
"""What happens to the router when a write took effect and its reply is not sent yet; `kill` ends the run as well."""
WAITS_S: Final = (0.0, 7.0, 65.0, 800.0)
"""How long nobody comes then; the last one is longer than any guard waits."""
SETTLED_S: Final = 1800.0
"""After that long nothing is at work on a router any more that was begun before."""
AWAY_S: Final = 7.0
"""For so long there is no way to a router through its node while the guard swaps."""


@dataclass(frozen=True, slots=True)
class Case:
    """An update in which something happens right after its n-th write."""

    version: str
    strategy: str
    path: str
    kind: str
    point: int

    @property
    def wait_s(self) -> float:
        wait_s = WAITS_S[(self.point + list(KINDS).index(self.kind)) % len(WAITS_S)]
        return max(wait_s, AWAY_S) if self.path == "tailnet" else wait_s

    @property
    def has_other_controller(self) -> bool:
        """Whether the next run is another machine's, without the first one's store and journal (I3)."""
        return self.point % 2 == 1

    @property
    def group(self) -> str:
        """What it is counted with."""
        return f"{self.version:8}{self.strategy:12}{self.path:9}{self.kind}"

    def __str__(self) -> str:
        return f"{self.version}-{self.strategy}-{self.path}-{self.kind}-{self.point}"


def held_for_s(here: Deployment) -> float:
    """For how long yet a lock on the router keeps out a machine that knows nothing of its holder."""
    locks, uptime_s = map(read_lock, here.rows(LOCK_PATH)), here.router.device.uptime_s
    ends_s = [lock.uptime_s + lock.longest_s - uptime_s for lock in locks if lock.uptime_s <= uptime_s]
    return max((left_s + 1 for left_s in ends_s if left_s >= 0), default=0.0)


def cases() -> Iterator[Case]:
    """All of them."""
    for version in VERSIONS:
        for name, strategy in STRATEGIES.items():
            for path in PATHS:
                for kind in KINDS:
                    for point in range(1, strategy.points + 1):
                        yield Case(version, name, path, kind, point)
