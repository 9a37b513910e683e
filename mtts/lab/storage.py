"""Where bytes go on a router: flash, RAM disk, tmpfs and USB, and what RouterOS says of them, how late.

A router's flash figures follow a write late, because RouterOS caches writes; its wear counters count
sectors of 512 bytes. Volatile volumes take RAM. Sizes are rounded up to blocks of 4 KiB, as a file system
does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

BLOCK_BYTES = 4096
SECTOR_BYTES = 512
FLUSH_SECTORS = 8
"""Sectors of file system metadata that each flush writes."""


class NoSpaceError(Exception):
    """A volume cannot take what was to be written."""


def on_disk_bytes(size_bytes: int) -> int:
    """What a file of this size takes."""
    return -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES


@dataclass(slots=True)
class Volume:
    """One place with a size; `volatile` ones live in RAM and forget at reboot."""

    name: str
    total_bytes: int
    volatile: bool
    used_bytes: int = 0

    @property
    def free_bytes(self) -> int:
        """What is really left."""
        return self.total_bytes - self.used_bytes


class Storage:
    """All volumes of a router, its RAM, and its wear counters."""

    def __init__(
        self,
        *,
        flash_total_bytes: int,
        flash_free_bytes: int,
        ram_bytes: int,
        flash_trap: bool,
        schedule_flush: Callable[[Callable[[], None]], None],
        out_of_memory: Callable[[], None],
    ) -> None:
        self._schedule_flush = schedule_flush
        self._out_of_memory = out_of_memory
        self.flash = Volume(
            "flash" if flash_trap else "",
            flash_total_bytes,
            volatile=False,
            used_bytes=flash_total_bytes - flash_free_bytes,
        )
        self.volumes: dict[str, Volume] = {self.flash.name: self.flash}
        if flash_trap:
            self.volumes[""] = Volume("", ram_bytes, volatile=True)
        self.ram_bytes = ram_bytes
        self.system_ram_bytes = min(ram_bytes // 4, 96 * 1024 * 1024)
        self.process_ram_bytes = 0
        self.reported_used_bytes = self.flash.used_bytes
        self.sectors_total = 40_000
        self.sectors_since_reboot = 0
        self.bad_blocks_percent = 0
        self._dirty_bytes = 0
        self._flush_pending = False

    @property
    def reported_free_bytes(self) -> int:
        """`free-hdd-space`, as late as a router is."""
        return self.flash.total_bytes - self.reported_used_bytes

    @property
    def free_memory_bytes(self) -> int:
        """`free-memory`: RAM without the system, volatile volumes and container processes."""
        volatile = sum(volume.used_bytes for volume in self.volumes.values() if volume.volatile)
        return self.ram_bytes - self.system_ram_bytes - self.process_ram_bytes - volatile

    def volume_of(self, path: str) -> Volume:
        """The volume that holds a path: a mounted disk by its first part, else the root."""
        return self.volumes.get(path.split("/", 1)[0], self.volumes[""])

    def charge(self, volume: Volume, delta_bytes: int) -> None:
        """Take (or give back, when negative) space; NoSpaceError leaves everything as it was."""
        if delta_bytes > volume.free_bytes:
            raise NoSpaceError(volume.name)
        volume.used_bytes += delta_bytes
        if volume is self.flash and delta_bytes:
            self._dirty_bytes += max(delta_bytes, 0)
            self._flush_soon()
        if volume.volatile and self.free_memory_bytes < 0:
            self._out_of_memory()

    def take_process_ram(self, delta_bytes: int) -> None:
        """Account a container process that began or ended."""
        self.process_ram_bytes += delta_bytes
        if self.free_memory_bytes < 0:
            self._out_of_memory()

    def rewritten(self, volume: Volume, size_bytes: int) -> None:
        """Count a write that changed no sizes."""
        if volume is self.flash:
            self._dirty_bytes += size_bytes
            self._flush_soon()

    def restarted(self) -> None:
        """Forget what a reboot forgets; RouterOS writes its caches out on the way."""
        self.flush()
        self.process_ram_bytes = 0
        self.sectors_since_reboot = 0

    def flush(self) -> None:
        """What was written becomes visible in the figures."""
        self._flush_pending = False
        if not self._dirty_bytes and self.reported_used_bytes == self.flash.used_bytes:
            return
        sectors = -(-self._dirty_bytes // SECTOR_BYTES) + FLUSH_SECTORS
        self.sectors_total += sectors
        self.sectors_since_reboot += sectors
        self._dirty_bytes = 0
        self.reported_used_bytes = self.flash.used_bytes

    def _flush_soon(self) -> None:
        if not self._flush_pending:
            self._flush_pending = True
            self._schedule_flush(self.flush)
