"""A container's row as each RouterOS version prints it: its state, what it knows of its image, what it uses.

Which property is there is a matter of the version; none of them says anything that the engine does not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mtts.lab.behaviours import PROCESS_RAM_BYTES
from mtts.lab.container import Container, Health, Phase, status_text
from mtts.lab.importing import full_reference
from mtts.lab.pull import PulledImage
from mtts.lab.version import Trait

if TYPE_CHECKING:
    from mtts.lab.device import Device

SHOWN_EMPTY = ("cmd", "entrypoint", "hostname", "domain-name", "dns", "workdir", "user", "comment")
"""Properties that older versions show although they are not set."""
DEFAULTS_OF_IMAGE = {
    "default-entrypoint": "Entrypoint",
    "default-cmd": "Cmd",
    "default-workdir": "WorkingDir",
    "default-user": "User",
    "default-stop-signal": "StopSignal",
}
"""Property -> key of an image's configuration."""
HEALTH_TEXT = {Health.UNKNOWN: "starting", Health.GOOD: "healthy", Health.BAD: "unhealthy"}


def container_row(device: Device, container: Container) -> dict[str, str]:
    """Everything that print shows besides the `.id`."""
    row: dict[str, str] = {}
    if not device.has("sparse-rows"):
        row |= dict.fromkeys(SHOWN_EMPTY, "")
    row |= container.item.values
    row |= _image_row(device, container)
    row |= _live_row(device, container)
    if not device.has("flags") or (device.quirks.status_beside_flags and not device.has("false-flags-omitted")):
        row["status"] = status_text(container)
    if device.has("flags"):
        row |= _flags(device, container)
    if container.about:
        row[".about"] = container.about
    return row


def _flags(device: Device, container: Container) -> dict[str, str]:
    """The state as boolean properties; with a health check its verdict is the state."""
    phase = container.phase
    if device.quirks.stopped_while_extracting and phase is Phase.EXTRACTING:
        phase = Phase.STOPPED
    shown = {phase.value}
    if container.health is not None and phase is Phase.RUNNING:
        shown = {container.health.value, *(shown if device.quirks.running_beside_health else ())}
    omitted = device.has("false-flags-omitted")
    if device.quirks.false_flags != "by-version":
        omitted = device.quirks.false_flags == "omitted"
    if omitted:
        return dict.fromkeys(sorted(shown), "true")
    known: list[Phase | Health] = [*Phase, *(Health if device.has("health-checks") else ())]
    return {flag.value: "true" if flag.value in shown else "false" for flag in known}


def _image_row(device: Device, container: Container) -> dict[str, str]:
    reference = full_reference(device, container.item.values["remote-image"])
    name = device.quirks.image_reference
    if name == "by-version":
        name = "repo" if device.has("repo") else "tag"
    row = {"os": "", "arch": "", name: reference}
    image = container.image
    if image is None:
        return row
    row |= {"os": str(image.config.get("os", "linux")), "arch": str(image.config.get("architecture", ""))}
    config: Mapping[str, Any] = image.config.get("config", {})
    later: list[tuple[Trait, dict[str, str]]] = [
        ("config-json", {"config-json": json.dumps(image.config, separators=(",", ":"))}),
        ("image-id", {"image-id": image.config_digest}),
        ("image-defaults", {"layers": ",".join(image.config.get("rootfs", {}).get("diff_ids", []))}),
        ("image-defaults", {name: _words(config.get(key)) for name, key in DEFAULTS_OF_IMAGE.items()}),
        ("size-properties", _sizes(device, container, image)),
    ]
    for trait, properties in later:
        if device.has(trait):
            row |= properties
    return row


def _sizes(device: Device, container: Container, image: PulledImage) -> dict[str, str]:
    entry = device.files.entries.get(container.root)
    room_bytes = entry.room_bytes if entry is not None and entry.image is image else 0
    return {"container-size": str(room_bytes), "data-size": "0"}


def _live_row(device: Device, container: Container) -> dict[str, str]:
    is_up = container.process is not None
    row: dict[str, str] = {}
    if device.has("config-json"):
        row["memory-current"] = str(PROCESS_RAM_BYTES if is_up else 0)
    if device.has("image-defaults"):
        row["cpu-usage"] = "0"
        if is_up:
            environment = device.engine.environment_of(container)
            row["env-current"] = ",".join(f"{name}={value}" for name, value in sorted(environment.items()))
    if device.has("restart-count"):
        row["restart-count"] = str(container.restart_count)
    if device.has("swap"):
        row["swap-current"] = "0"
    if container.health is not None:
        row["healthcheck-status"] = HEALTH_TEXT[container.health]
    return row


def _words(value: object) -> str:
    return " ".join(value) if isinstance(value, list) else str(value or "")
