"""A simulated fleet in a process of its own, so that its work does not share an interpreter with what is measured.

mtts deploys one router of each architecture; the others get a copy of what that left. Each line on stdin is answered
with what the fleet was asked since the last one (a `Seen`, as JSON); the end of stdin ends the fleet.
"""

import argparse
import asyncio
import dataclasses
import json
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from bench.rig.distance import far_away
from bench.rig.fleet import FAR, NEAR, STATE, Seen
from mtts.adapters.whole_file import write_private
from mtts.cli.lab_fleet import inventory_text
from mtts.lab.clone import clone
from mtts.lab.fleet import Lab
from mtts.lab.images import build_image
from mtts.lab.router import HOST, LabRouter
from mtts.lab.session import Session

ARCHITECTURES: Final = ("arm64", "arm")
SPEED: Final = 50.0
EXTRACTED_BYTES: Final = 100_000


async def serve(directory: Path, *, routers: int, round_trip_s: float) -> None:
    """Build the fleet, write its inventories into the directory and answer until stdin ends."""
    async with Lab(clock="running", speed=SPEED) as lab:
        lab.registry.publish(build_image("1.0.0", extracted_bytes=EXTRACTED_BYTES))
        for number in range(routers):
            await lab.add_router(f"router{number}", arch=ARCHITECTURES[number % len(ARCHITECTURES)], tls=False)
        fleet = list(lab.routers.values())
        inventory = inventory_text(lab)
        write_private(directory / NEAR, inventory)
        await _deploy(directory / NEAR, fleet[: len(ARCHITECTURES)])
        for number, router in enumerate(fleet):
            if number >= len(ARCHITECTURES):
                clone(fleet[number % len(ARCHITECTURES)], router)
        if round_trip_s:
            ports = await _far_ports(fleet, round_trip_s)
            write_private(directory / FAR, re.sub(r"port: (\d+)", lambda match: f"port: {ports[match[1]]}", inventory))
        await _answer(lab)


async def _deploy(inventory: Path, routers: Sequence[LabRouter]) -> None:
    names = [router.name for router in routers]
    options = ("-i", str(inventory), "--state", str(inventory.parent / STATE), "-q")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mtts", "deploy", *options, *names), stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        raise RuntimeError("the deploy in the lab failed")


async def _far_ports(fleet: Sequence[LabRouter], round_trip_s: float) -> dict[str, int]:
    """A second port of each router, behind a round trip, by its first one."""
    loop = asyncio.get_running_loop()
    ports: dict[str, int] = {}
    for router in fleet:
        server = await loop.create_server(far_away(partial(Session, router, "api"), round_trip_s), HOST, 0)
        ports[str(router.port)] = server.sockets[0].getsockname()[1]
    return ports


async def _answer(lab: Lab) -> None:
    """A line for the fleet as it begins, and one for each that comes."""
    loop = asyncio.get_running_loop()
    line = "begin"
    while line:
        print(json.dumps(dataclasses.asdict(_seen(lab))), flush=True)
        line = await loop.run_in_executor(None, sys.stdin.readline)


def _seen(lab: Lab) -> Seen:
    entries = [entry for router in lab.routers.values() for entry in router.journal]
    commands = [entry for entry in entries if entry.path != "/login"]
    seen = Seen(
        routers=len(lab.routers),
        logins=len(entries) - len(commands),
        commands=len(commands),
        writes=sum(entry.is_write for entry in commands),
        container_prints=sorted({entry.words for entry in commands if entry.path == "/container/print"}),
        registry_requests=len(lab.registry.requests),
    )
    for router in lab.routers.values():
        router.journal.clear()
    lab.registry.requests.clear()
    return seen


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--routers", type=int, required=True)
    parser.add_argument("--round-trip-s", type=float, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.directory, routers=given.routers, round_trip_s=given.round_trip_s))
