"""What can only be read of containers together: `/container/log` and `/container/layers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtts.lab.listing import Listing

if TYPE_CHECKING:
    from mtts.lab.device import Device


class ContainerLog(Listing):
    """`/container/log`: the last lines of every container that logs."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/container/log", self._rows)

    def _rows(self) -> list[dict[str, str]]:
        lines = [
            (number, container.name, time, message)
            for container in self.device.engine.containers.values()
            for number, time, message in container.log
        ]
        return [
            {".id": f"*{number:X}", "time": time, "container": name, "message": message}
            for number, name, time, message in sorted(lines)
        ]


class Layers(Listing):
    """`/container/layers`: what the extracted images are made of, layers of one image shared by its containers."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/container/layers", self._rows)

    def _rows(self) -> list[dict[str, str]]:
        rows: dict[str, dict[str, str]] = {}
        for container in self.device.engine.containers.values():
            if container.image is None:
                continue
            names = container.image.config.get("rootfs", {}).get("diff_ids", [])
            for name, size in zip(names, container.image.layer_sizes, strict=False):
                row = rows.setdefault(name, {".id": f"*{len(rows) + 1:X}", "name": name, "size": str(size)})
                row["containers"] = ",".join([part for part in (row.get("containers"), container.name) if part])
        return list(rows.values())
