"""What an image does when it is started, by its label: the real thing, or one way to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtts.lab.process import CrashingProcess, Process, World
from mtts.lab.pull import PulledImage
from mtts.lab.tailscaled import Tailscaled

if TYPE_CHECKING:
    from mtts.lab.device import Device

PROCESS_RAM_BYTES = 24 * 1024 * 1024
OCI_ARCHITECTURES = {"arm64": "arm64", "x86_64": "amd64", "arm": "arm"}
ARMV5_CPU = "EN7562CT"


def start_process(world: World, device: Device, image: PulledImage | None, *, memory_max: str) -> Process:
    """The process of a container whose root directory holds this image, or nothing at all."""
    if image is None:
        words = "execvpe /entrypoint.sh failed: No such file or directory"
        return CrashingProcess(world, after_s=0.1, status=255, last_words=words)
    board = device.build.board
    if image.config.get("architecture") != OCI_ARCHITECTURES[board.architecture]:
        return CrashingProcess(world, after_s=0.1, status=255, last_words="exec format error")
    if board.cpu == ARMV5_CPU and image.config.get("variant") != "v5":
        words = "exited with signal 4 (Illegal instruction)"
        return CrashingProcess(world, after_s=0.1, status=132, last_words=words)
    if memory_max.isdecimal() and int(memory_max) < PROCESS_RAM_BYTES:
        return CrashingProcess(world, after_s=0.5, status=137, last_words="out of memory, killed")
    match world.behaviour:
        case "crash":
            return CrashingProcess(world, after_s=0.2, status=1, last_words="panic: cannot start")
        case "crash-later":
            return CrashingProcess(world, after_s=12.0, status=2, last_words="fatal error: stack overflow")
        case _:
            return Tailscaled(world)
