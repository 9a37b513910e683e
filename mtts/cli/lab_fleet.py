"""The running lab behind `mtts lab up`: its files, its inventory, its end."""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from mtts.core.errors import UsageError
from mtts.lab.control import ControlError, Publication, publish, read_control_file, write_control_file
from mtts.lab.fleet import Lab
from mtts.lab.images import PLATFORMS, build_image

CONTROL_FILE = "control.json"
INVENTORY_FILE = "inventory.yaml"
FIRST_VERSION = "1.98.10-mt.1"

# The lab's routers live faster than real ones, so that waiting for them need not take as long.
TIMING = """\
  timing: {{poll: 100ms, observe: 500ms, healthy: 20s, settle: {settle_ms:.0f}ms, gap: 50ms}}
"""
SETTLE_S = 45.0
"""Simulated: the lab's flash follows what is written within 40 s."""


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What `mtts lab up` was asked for."""

    routers: int
    version: str
    arch: str
    speed: float
    directory: Path


async def serve(options: LabOptions) -> None:
    """Run the lab until it is interrupted; its files go with it."""
    async with Lab(clock="running", speed=options.speed) as lab:
        lab.registry.publish(build_image(FIRST_VERSION), tags=("stable", f"v{FIRST_VERSION}"))
        try:
            for number in range(1, options.routers + 1):
                await lab.add_router(f"router{number}", version=options.version, arch=options.arch)
        except (KeyError, LookupError, ValueError) as error:
            raise UsageError(f"the lab has no such router: {error}", hint="--arch arm, arm64 or x86_64") from error
        inventory, control = options.directory / INVENTORY_FILE, options.directory / CONTROL_FILE
        options.directory.mkdir(parents=True, exist_ok=True)
        write_private(inventory, inventory_text(lab, settle_s=SETTLE_S / options.speed))
        write_control_file(control, lab.registry.control)
        typer.echo(f"{options.routers} router(s) with RouterOS {options.version}; try, in another terminal:\n")
        typer.echo(f"  export MTTS_INVENTORY={inventory}")
        typer.echo(f"  export MTTS_STATE={options.directory / 'state'}")
        typer.echo("  mtts deploy --all\n\nCtrl-C ends the lab.")
        try:
            await _until_interrupted()
        finally:
            for file in (inventory, control):
                file.unlink(missing_ok=True)
            with suppress(OSError):  # somebody else's files may lie there too
                options.directory.rmdir()


async def publish_version(directory: Path, version: str, behaviour: str, platforms: tuple[str, ...]) -> str:
    """Have the running lab publish an image; its index digest."""
    try:
        control = read_control_file(directory / CONTROL_FILE)
        return await publish(
            control,
            Publication(version, tags=("stable", f"v{version}"), platforms=platforms or PLATFORMS, behaviour=behaviour),
        )
    except ControlError as error:
        raise UsageError(str(error), hint="mtts lab up") from error


def inventory_text(lab: Lab, *, settle_s: float = 0.0) -> str:
    """The lab's inventory with a key of its tailnet, and waits that suit it."""
    text = lab.inventory_yaml().replace("{env: TS_AUTHKEY}", lab.tailnet.issue_key(reusable=True))
    return text.replace("  node:\n", f"{TIMING.format(settle_ms=settle_s * 1000)}  node:\n", 1)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read: it holds the lab's secrets."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


async def _until_interrupted() -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
