"""What a container finds around it when it starts: lists, mounts, interfaces, a resolver, and what is missing there.

A mount's source that does not exist is made at the first start and filled with what the image has at the
destination; it belongs to nobody afterwards and outlives every container.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mtts.lab.container import Container
from mtts.lab.process import World
from mtts.lab.pull import PulledImage
from mtts.lab.values import path_key

if TYPE_CHECKING:
    from mtts.lab.device import Device


class Surroundings:
    """The rest of one router, seen from its containers."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def obstacle(self, container: Container, is_taken: Callable[[str], bool]) -> str | None:
        """What keeps a container from starting, in the router's words."""
        values = container.item.values
        for veth in interfaces_of(container):
            if not self._device.has_interface(veth):
                return "could not acquire interface: no device"
            if is_taken(veth):
                return "could not acquire interface"
        if not (values.get("cmd") or values.get("entrypoint") or self._image_gives_command(container)):
            return "start failed: no command specified, set cmd or entrypoint"
        if self._device.has("needs-dns") and not (values.get("dns") or self._device.dns_servers()):
            return self._device.quirks.no_dns_text
        if self._device.has("mounted-disks"):
            for source in self.mounts_of(container).values():
                slot = path_key(source).partition("/")[0]
                if slot in self._device.disk_slots() and slot not in self._device.storage.volumes:
                    return f"disk {slot} is not mounted"
        return None

    def fill_mounts(self, container: Container, image: PulledImage | None) -> None:
        """Make the sources of mounts that are missing; NoSpaceError when the image's files do not fit."""
        files = self._device.files
        for destination, source in self.mounts_of(container).items():
            target, inside = path_key(source), f"/{path_key(destination)}"
            if target in files:
                continue
            held = image.files if image is not None and self._device.quirks.mounts_filled_from_image else {}
            if inside in held:
                files.place(target, held[inside])
                continue
            files.make_directory(target)
            for path, size_bytes in held.items():
                if path.startswith(f"{inside}/"):
                    files.place(f"{target}/{path.removeprefix(f'{inside}/')}", size_bytes)

    def world(self, container: Container, *, log: Callable[[str], None], exited: Callable[[int], None]) -> World:
        """What the container's process is given."""
        image = self._device.files.image_at(container.root) or container.image
        labels = image.config.get("config", {}).get("Labels") or {} if image is not None else {}
        return World(
            environment={**_image_environment(image), **self.environment_of(container)},
            mounts=self.mounts_of(container),
            root=container.root,
            image_version=labels.get("org.opencontainers.image.version", ""),
            behaviour=labels.get("org.mtts.lab.behaviour", "ok"),
            has_network=bool(interfaces_of(container)),
            tailnet=self._device.tailnet,
            files=self._device.files,
            log=log,
            later=self._device.later,
            exited=exited,
        )

    def environment_of(self, container: Container) -> dict[str, str]:
        """The variables of every list that a container refers to, in order."""
        by_list = self._device.has("env-lists")
        property_name, column = ("envlists", "list") if by_list else ("envlist", "name")
        rows = self._rows("/container/envs", column, container.item.values.get(property_name, ""))
        return {row.get("key", ""): row.get("value", "") for row in rows}

    def mounts_of(self, container: Container) -> dict[str, str]:
        """Destination -> source of every mount that a container refers to."""
        by_list = self._device.has("mount-lists")
        property_name, column = ("mountlists", "list") if by_list else ("mounts", "name")
        rows = self._rows("/container/mounts", column, container.item.values.get(property_name, ""))
        return {row["dst"]: row["src"] for row in rows}

    def _rows(self, path: str, column: str, wanted: str) -> list[dict[str, str]]:
        items = self._device.table(path).items.values()
        return [
            item.values
            for name in wanted.split(",")
            for item in items
            if name and item.values.get(column) == name and item.values.get("disabled") != "true"
        ]

    def _image_gives_command(self, container: Container) -> bool:
        if self._device.has("explicit-command") or container.image is None:
            return False
        config = container.image.config.get("config", {})
        return bool(config.get("Entrypoint") or config.get("Cmd"))


def interfaces_of(container: Container) -> tuple[str, ...]:
    """The interfaces that a container is to have."""
    return tuple(name for name in container.item.values.get("interface", "").split(",") if name)


def _image_environment(image: PulledImage | None) -> dict[str, str]:
    lines = image.config.get("config", {}).get("Env") or () if image is not None else ()
    return dict(line.partition("=")[::2] for line in lines)
