"""What runs inside a container, seen from the container engine: a world to live in, and the life itself.

The world gives environment, files, time and a log; the process says when it ends. Behaviours of images are
processes, chosen by the label `org.mtts.lab.behaviour` of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from mtts.lab.clock import Timer
from mtts.lab.filetree import FileTree
from mtts.lab.tailnet import Tailnet
from mtts.lab.values import path_key

STATE_DIRECTORY = "/var/lib/tailscale"

OnSignal = Literal["handled", "default", "ignored"]


@dataclass(frozen=True, slots=True)
class World:
    """What a container's first process finds around it."""

    environment: Mapping[str, str]
    mounts: Mapping[str, str]
    """Destination inside -> path on the router."""
    root: str
    image_version: str
    behaviour: str
    has_network: bool
    tailnet: Tailnet
    files: FileTree
    log: Callable[[str], None]
    later: Callable[[float, Callable[[], None]], Timer]
    exited: Callable[[int], None]

    def outside(self, path: str) -> str:
        """The router's path of a path inside the container."""
        for destination in sorted(self.mounts, key=len, reverse=True):
            if path == destination or path.startswith(destination.rstrip("/") + "/"):
                return path_key(self.mounts[destination] + path.removeprefix(destination))
        return path_key(f"{self.root}/{path_key(path)}")


class Process(Protocol):
    """The first process of a container, from begin to end."""

    on_signal: OnSignal
    """What the signal of a stop does: the program ends in good order, has no handler for it, or does not care."""

    def begin(self) -> None:
        """Start living; may call `World.exited` later."""

    def end(self) -> None:
        """Be told to go, by a stop, a kill or a power cut; must not call `World.exited` any more."""

    def run(self, argv: Sequence[str]) -> str:
        """The output of a command run beside it."""

    def probe(self) -> bool:
        """Whether a health check succeeds now."""


class CrashingProcess:
    """An image whose program ends with an error soon after it began."""

    on_signal: OnSignal = "default"

    def __init__(self, world: World, *, after_s: float, status: int, last_words: str) -> None:
        self._world = world
        self._after_s = after_s
        self._status = status
        self._last_words = last_words
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Live for the given time."""
        self._timer = self._world.later(self._after_s, self._die)

    def end(self) -> None:
        """Go earlier."""
        if self._timer is not None:
            self._timer.cancel()

    def run(self, argv: Sequence[str]) -> str:
        """Nothing answers."""
        return f"sh: {argv[0]}: not found"

    def probe(self) -> bool:
        """There is nothing to check."""
        return False

    def _die(self) -> None:
        self._world.log(self._last_words)
        self._world.exited(self._status)
