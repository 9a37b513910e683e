"""How a node stands, as `mtts status` tells it."""

from dataclasses import dataclass

from mtts.core.errors import Problem
from mtts.core.health import Health
from mtts.core.image import Digest, Release


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node at one moment."""

    router: str
    node: str
    routeros: str
    state: str
    """The container's state, or `absent`."""
    version: str | None
    """Of the release that was recorded after it was verified."""
    platform_digest: Digest | None
    latest: Release | Problem | None
    """What the image is now; None where the router's platform is not known."""
    health: Health | None
    free_flash_bytes: int | None
    total_flash_bytes: int | None
    open_update: Problem | None = None
    """That an update is under way, or was interrupted: the container is the one that served before it, unless that was
    lost with the router's memory and another one runs."""

    @property
    def is_current(self) -> bool | None:
        """Whether the recorded release is the latest; None where either is unknown."""
        if self.platform_digest is None or not isinstance(self.latest, Release):
            return None
        return self.platform_digest == self.latest.manifest_digest

    @property
    def serves(self) -> bool:
        """Whether the node does its work, as far as it can be seen."""
        if self.health is None:
            return self.state == "running" and self.platform_digest is not None
        return self.health.is_healthy


@dataclass(frozen=True, slots=True)
class NodeLog:
    """What a node's container said, oldest line first."""

    router: str
    node: str
    lines: tuple[str, ...]
