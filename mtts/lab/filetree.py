"""The router's files: one flat table of paths, accounted on the volume that holds each.

Paths have no slash in front. A container's root directory is one entry with the size of all that is in it;
files inside it are kept by the container, not here. Contents exist only for files that somebody wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mtts.lab.pull import PulledImage
from mtts.lab.storage import Storage, on_disk_bytes

Kind = Literal["file", "directory", "disk"]


@dataclass(slots=True)
class FileEntry:
    """One path: what it is, what it holds, how much room it takes."""

    id: int
    kind: Kind
    modified: datetime
    contents: bytes = b""
    room_bytes: int = 0
    image: PulledImage | None = None
    """Whose files a container's root directory holds, once they are all there."""


class FileTree:
    """Every file, directory and disk entry of a router."""

    def __init__(self, storage: Storage, wall: Callable[[], datetime]) -> None:
        self._storage = storage
        self._wall = wall
        self._last_id = 0
        self.entries: dict[str, FileEntry] = {}

    def __contains__(self, path: str) -> bool:
        return path in self.entries

    def add_disk(self, slot: str) -> None:
        """Show a mounted volume."""
        self._enter(slot, "disk")

    def make_directory(self, path: str) -> None:
        """Make a directory and whatever is missing above it."""
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            ancestor = "/".join(parts[:depth])
            if ancestor not in self.entries:
                self._enter(ancestor, "directory")

    def write(self, path: str, contents: bytes) -> None:
        """Create or replace a file; NoSpaceError leaves the old contents."""
        if "/" in path:
            self.make_directory(path.rpartition("/")[0])
        old = self.entries.get(path)
        room = on_disk_bytes(len(contents))
        volume = self._storage.volume_of(path)
        before = old.room_bytes if old else 0
        self._storage.charge(volume, room - before)
        if room == before:
            self._storage.rewritten(volume, room)
        entry = old or self._enter(path, "file")
        entry.contents, entry.room_bytes, entry.modified = contents, room, self._wall()

    def grow(self, path: str, delta_bytes: int) -> None:
        """Change the room that an entry takes without touching contents (extraction)."""
        self._storage.charge(self._storage.volume_of(path), delta_bytes)
        self.entries[path].room_bytes += delta_bytes

    def place(self, path: str, size_bytes: int) -> None:
        """Make a file of this size whose contents nobody will read; NoSpaceError leaves it empty."""
        self.write(path, b"")
        self.grow(path, on_disk_bytes(size_bytes))

    def image_at(self, path: str) -> PulledImage | None:
        """The image that was extracted here, None where there is none any more."""
        entry = self.entries.get(path)
        return None if entry is None else entry.image

    def empty(self, path: str) -> None:
        """Free the room that an entry itself takes."""
        entry = self.entries[path]
        entry.image = None
        self.grow(path, -entry.room_bytes)

    def read(self, path: str) -> bytes | None:
        """A file's contents, None when there is no such file."""
        entry = self.entries.get(path)
        return entry.contents if entry is not None and entry.kind == "file" else None

    def remove(self, path: str) -> None:
        """Remove a path with everything below it."""
        for below in [name for name in self.entries if name == path or name.startswith(path + "/")]:
            entry = self.entries.pop(below)
            self._storage.charge(self._storage.volume_of(below), -entry.room_bytes)

    def rename(self, old: str, new: str) -> None:
        """Move a path with everything below it; crossing volumes moves the room too."""
        moving = {name: entry for name, entry in self.entries.items() if name == old or name.startswith(old + "/")}
        source, target = self._storage.volume_of(old), self._storage.volume_of(new)
        if source is not target:
            room = sum(entry.room_bytes for entry in moving.values())
            self._storage.charge(target, room)
            self._storage.charge(source, -room)
        for name in moving:
            del self.entries[name]
        for name, entry in moving.items():
            self.entries[new + name.removeprefix(old)] = entry

    def forget_volatile(self) -> None:
        """What a reboot does: RAM disks are empty afterwards, their entries stay."""
        for path in list(self.entries):
            entry = self.entries[path]
            if entry.kind != "disk" and self._storage.volume_of(path).volatile:
                del self.entries[path]
        for volume in self._storage.volumes.values():
            if volume.volatile:
                volume.used_bytes = 0

    def _enter(self, path: str, kind: Kind) -> FileEntry:
        self._last_id += 1
        entry = self.entries[path] = FileEntry(self._last_id, kind, self._wall())
        return entry
