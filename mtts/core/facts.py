"""What one router said, typed; unknown is None, and absent is not empty.

`rows.py` makes these values out of replies; nothing downstream edits them. To know more, read again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mtts.core.health import Health
from mtts.core.tag import Tag
from mtts.core.version import Version

_BRIDGE = re.compile(r"mtts-tmp/bridge/([^/]+)/[^/]+")
"""The root directory of a container in memory (`ram_root` in slots.py)."""


class ContainerState(StrEnum):
    """One state out of both ways in which RouterOS shows it (text until 7.19, flags from 7.20)."""

    EXTRACTING = "extracting"
    FAILED = "failed"
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    DELETING = "deleting"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a menu, as text."""

    id: str
    props: Mapping[str, str]

    @property
    def tag(self) -> Tag | None:
        return Tag.parse(self.props.get("comment"))

    def get(self, prop: str) -> str:
        return self.props.get(prop, "")


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """One entry of /container."""

    id: str
    state: ContainerState
    tag: Tag | None
    name: str
    root_dir: str
    """Without leading slash."""
    interface: str
    image: str
    """The reference that the router shows: `tag`, `repo` or `remote-image`, by version."""
    image_id: str | None
    """Digest of the image's config (7.21 and newer)."""
    architecture: str
    """Empty until the image is imported."""
    about: str
    """Why it failed, in the router's words."""
    probe: str | None
    """RouterOS' own health check: `healthy`, `unhealthy`, `starting`, or None without one (7.22 and newer)."""
    restart_count: int | None
    """7.23 and newer."""
    props: Mapping[str, str]

    @property
    def is_up(self) -> bool:
        return self.state in (ContainerState.STARTING, ContainerState.RUNNING)

    @property
    def is_imported(self) -> bool:
        """Whether there is proof that the image is there: `stopped` alone was seen while extraction went on."""
        return bool(self.image_id or self.architecture) and self.state in (
            ContainerState.STOPPED,
            ContainerState.STARTING,
            ContainerState.RUNNING,
            ContainerState.STOPPING,
        )

    @property
    def label(self) -> str:
        """What people know it by; one of ours is named by where it lies, whatever a version calls it by itself."""
        return container_label(self.root_dir) or self.name or self.root_dir or self.id


def container_label(root_dir: str) -> str | None:
    """Node and slot of the container there, or node and `ram` of a bridge; None where the place is none of ours."""
    _, is_ours, place = f"/{root_dir}".rpartition("/mtts/root/")
    bridge = _BRIDGE.fullmatch(root_dir)
    if bridge is not None:
        return f"{bridge[1]}-ram"
    return place.replace("/", "-") if is_ours else None


@dataclass(frozen=True, slots=True)
class Resource:
    """/system/resource at one moment; bytes and seconds."""

    version: Version
    version_text: str
    architecture: str
    board: str
    cpu: str
    uptime_s: float | None
    free_memory_bytes: int | None
    total_memory_bytes: int | None
    free_flash_bytes: int | None
    total_flash_bytes: int | None
    write_sectors_since_reboot: int | None
    write_sectors_total: int | None
    bad_blocks_percent: int | None


@dataclass(frozen=True, slots=True)
class SelfUpdate:
    """One script that renews containers."""

    name: str
    started_by: str | None
    """The entry of the scheduler; None where nothing is known to start it."""
    is_own: bool
    """Whether it is mtts' updater of the node."""
    concerns_node: bool
    """Whether its text names the node or what belongs to it, or takes every container that there is."""

    @property
    def is_in_the_way(self) -> bool:
        return self.started_by is not None and self.concerns_node


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What is read only when something is going to be written; None where the router did not say."""

    container_package: bool | None
    device_mode_container: bool | None
    clock_skew_s: float | None
    """Router minus controller."""
    dns_servers: tuple[str, ...]
    flash_disk: bool
    """The `flash` trap: everything outside `flash/` is a RAM disk."""
    state_bytes: int | None
    """Size of the node's tailscaled.state; None where there is none."""
    tailnet_session: bool
    """Whether a session of ours comes from a tailnet address."""
    state_home: str | None = None
    """Prefix of the place where the node's tailscaled.state lies; None where there is none."""
    device_mode_scheduler: bool | None = None
    leftover_root: bool = False
    """Whether the root directory of the entry to be made is there already, and no entry uses it."""
    self_updates: tuple[SelfUpdate, ...] = ()
    """What else renews containers on the router."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One router at one moment, as far as it was read for one node."""

    router: str
    resource: Resource
    containers: tuple[ContainerRow, ...]
    tables: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)
    """Menu → rows; a menu that was not read is not a key."""
    health: Health | None = None
    """Of the node's own container, when it is up."""
    preconditions: Preconditions | None = None
    missing_menus: frozenset[str] = frozenset()
    """Menus that the router does not have: a package is not active, or its version has none."""

    @property
    def version(self) -> Version:
        return self.resource.version

    def table(self, path: str) -> tuple[Item, ...]:
        return self.tables.get(path, ())

    def containers_of(self, node: str) -> tuple[ContainerRow, ...]:
        return tuple(row for row in self.containers if row.tag and row.tag.node == node)
