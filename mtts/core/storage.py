"""Where on a router persistent things may live, and how much room is there.

The `flash` trap: on boards whose /file shows an entry `flash`, everything outside it is a RAM disk
that a reboot empties. A disk that is not mounted would silently become a folder on the flash.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mtts.core.errors import Problem
from mtts.core.facts import Item, Resource
from mtts.core.values import is_true, normalise_path, parse_size

AUTO = "auto"
_FLASH = "flash"
_VOLATILE_TYPES = ("tmpfs", "ramdisk")


@dataclass(frozen=True, slots=True)
class Place:
    """A persistent directory on the router and the room on the medium under it."""

    prefix: str
    """Path without leading or trailing slash; empty for the root of internal storage."""
    free_bytes: int | None

    def path(self, *parts: str) -> str:
        return "/".join(part for part in (self.prefix, *parts) if part)


def persistent_places(*, resource: Resource, disks: Sequence[Item], flash_disk: bool) -> tuple[Place, ...]:
    """Internal storage, then every mounted disk that outlives a reboot."""
    internal = Place(
        prefix=_FLASH if flash_disk else "",
        free_bytes=resource.free_flash_bytes,
    )
    return (internal, *(_disk_place(disk) for disk in disks if _is_mounted(disk)))


def standing_place(prefix: str, *, resource: Resource, disks: Sequence[Item], flash_disk: bool) -> Place:
    """The place of something that stands at `prefix` already, with the room on the medium under it."""
    internal, *on_disks = persistent_places(resource=resource, disks=disks, flash_disk=flash_disk)
    under = next((place for place in on_disks if f"{prefix}/".startswith(f"{place.prefix}/")), internal)
    return Place(prefix, under.free_bytes)


def is_internal(place: Place, disks: Sequence[Item]) -> bool:
    """Whether a place is on the router's own flash, whatever disks there are besides."""
    return not any(f"{place.prefix}/".startswith(f"{_disk_place(disk).prefix}/") for disk in disks if _is_mounted(disk))


def may_be_internal(setting: str) -> bool:
    """Whether `storage:` may mean internal storage, as far as its own words tell."""
    return setting == AUTO or normalise_path(setting).partition("/")[0] == _FLASH


def choose_storage(
    setting: str,
    *,
    resource: Resource,
    disks: Sequence[Item],
    flash_disk: bool,
    needed_bytes: int = 0,
    state_home: str | None = None,
) -> Place | Problem:
    """The place that `storage:` names; `auto` is internal flash, or a mounted disk where that has no room.

    Where `auto` finds the node's state already (`state_home`, a prefix), the node stays: elsewhere it would be
    another node of the tailnet (I2).
    """
    internal, *on_disks = persistent_places(resource=resource, disks=disks, flash_disk=flash_disk)
    mounted = [disk for disk in disks if _is_mounted(disk)]
    if setting == AUTO:
        at_home = next((place for place in (internal, *on_disks) if place.prefix == state_home), None)
        if at_home is not None:
            return at_home
        roomy = [place for place in on_disks if (place.free_bytes or 0) >= needed_bytes]
        if (internal.free_bytes or 0) >= needed_bytes or not roomy:
            return internal
        return max(roomy, key=lambda place: place.free_bytes or 0)
    head, _, rest = normalise_path(setting).partition("/")
    if flash_disk and head == _FLASH:
        return Place(normalise_path(setting), internal.free_bytes)
    for disk in disks:
        if head not in (disk.get("slot"), normalise_path(disk.get("mount-point"))):
            continue
        if disk.get("type") in _VOLATILE_TYPES:
            return Problem(
                "storage-not-persistent",
                f"storage {setting!r} is a {disk.get('type')}, lost at a reboot",
                _hint(mounted),
            )
        if not _is_mounted(disk):
            return Problem("storage-not-found", f"storage {setting!r} is not mounted", _hint(mounted))
        place = _disk_place(disk)
        return Place("/".join(part for part in (head, rest) if part), place.free_bytes)
    return Problem("storage-not-found", f"the router has no disk {head!r}", _hint(mounted))


def _is_mounted(disk: Item) -> bool:
    """Mounted and persistent. Versions without a `mounted` property show a mount point instead."""
    if disk.get("type") in _VOLATILE_TYPES or is_true(disk.get("disabled")):
        return False
    return is_true(disk.get("mounted")) if "mounted" in disk.props else bool(disk.get("mount-point"))


def _disk_place(disk: Item) -> Place:
    return Place(
        prefix=normalise_path(disk.get("mount-point")) or disk.get("slot"),
        free_bytes=parse_size(disk.get("free")),
    )


def _hint(mounted: Sequence[Item]) -> str:
    slots = ", ".join(disk.get("slot") for disk in mounted)
    return f"use `storage: auto` or one of: {slots}" if slots else "use `storage: auto`"
