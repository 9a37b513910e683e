"""One container of a router: the state that it is in, and how each RouterOS version shows it.

RouterOS up to 7.19 says `status=running`; from 7.20 there is one boolean property per state, spelt as on
the console, blanks and slashes included, and from 7.23 those that are false are left out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from mtts.lab.clock import Timer
from mtts.lab.healthcheck import HealthCheck
from mtts.lab.process import Process
from mtts.lab.pull import PulledImage
from mtts.lab.table import Item

CONTAINER_LOG_LINES = 100


class Health(Enum):
    """What the health check of a running container says; the value is the name of its flag."""

    UNKNOWN = "starting-with-healthcheck"
    GOOD = "healthy"
    BAD = "unhealthy"


class Phase(Enum):
    """What a container is doing; the value is the name of its flag."""

    EXTRACTING = "downloading/extracting"
    FAILED = "download/extract failed"
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    DELETING = "deleting"


UP = frozenset({Phase.STARTING, Phase.RUNNING, Phase.STOPPING})
"""Phases in which a process, or what is left of it, holds the container's interface."""

STATUS_TEXT = {
    Phase.EXTRACTING: "extracting",
    Phase.FAILED: "error",
    Phase.STOPPED: "stopped",
    Phase.STARTING: "starting",
    Phase.RUNNING: "running",
    Phase.STOPPING: "stopping",
    Phase.DELETING: "stopped",
}


@dataclass(slots=True)
class Container:
    """A container's item in the menu, with what happens to it."""

    item: Item
    root: str
    """Its root directory, as `/file` names it."""
    phase: Phase = Phase.STOPPED
    about: str = ""
    image: PulledImage | None = None
    pulling: asyncio.Task[None] | None = None
    scratch: str | None = None
    is_downloaded: bool = False
    starts_when_ready: bool = False
    starts_when_stopped: bool = False
    is_repull: bool = False
    replaces: PulledImage | None = None
    """The image that a repull under way replaces."""
    process: Process | None = None
    held: tuple[str, ...] = ()
    """The interfaces that its process has, whatever the item says by now."""
    extraction_ram_bytes: int = 0
    health: Health | None = None
    check: HealthCheck | None = None
    restart: Timer | None = None
    restart_count: int = 0
    log: deque[tuple[int, str, str]] = field(default_factory=lambda: deque(maxlen=CONTAINER_LOG_LINES))

    @property
    def name(self) -> str:
        """What log lines call it."""
        return self.item.values["name"]

    def is_set(self, flag: str) -> bool:
        """Whether a yes/no property is on."""
        return self.item.values.get(flag) in {"true", "yes"}


def status_text(container: Container) -> str:
    """The state as versions up to 7.19 put it."""
    if container.phase is Phase.EXTRACTING and not container.is_downloaded:
        return "pulling"
    return STATUS_TEXT[container.phase]
