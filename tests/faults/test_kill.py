"""A controller that is killed (SIGKILL, a real process) after any of its writes leaves what the next run completes.

The router kills the process itself, at the moment when the k-th write has taken effect and before its reply is sent.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from mtts.adapters.whole_file import write_private
from mtts.cli.lab_fleet import inventory_text
from mtts.lab.fleet import Lab
from mtts.lab.images import build_image
from mtts.lab.journal import JournalEntry
from mtts.lab.router import LabRouter

TABLES = (
    "/container/envs",
    "/container/mounts",
    "/disk",
    "/interface/bridge",
    "/interface/bridge/port",
    "/interface/veth",
    "/ip/address",
    "/ip/route",
)
SPEED = 100.0
SHARDS = 4
"""The kill points are dealt out over as many tests, so that they can run side by side."""


async def deploy(inventory: Path, kill: LabRouter | None = None, *, after: int = 0) -> int:
    """`mtts deploy --all` as a process; its exit code, -SIGKILL when the router killed it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mtts", "deploy", "--all", "-q", "-i", str(inventory),
        "--state", str(inventory.parent / "state"),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip

    def count(number: int, entry: JournalEntry) -> None:
        if number == after:
            os.kill(process.pid, signal.SIGKILL)

    if kill is not None:
        kill.faults.on_write(count)
    code = await process.wait()
    if kill is not None:
        kill.faults.on_write(None)
    return code


def standing(router: LabRouter) -> dict[str, object]:
    """What a deploy leaves on a router, without ids and images' addresses."""
    tables: dict[str, object] = {
        path: sorted(
            str({k: v for k, v in row.items() if k not in {".id", "free", "use"}}) for row in router.rows(path)
        )
        for path in TABLES
    }
    (container,) = router.rows("/container")
    kept = ("name", "root-dir", "start-on-boot", "running", "interface", "mountlists", "envlists")
    tables["/container"] = {prop: container.get(prop) for prop in kept}
    tables["files"] = sorted(name for name in router.files() if not name.startswith("mtts-tmp/"))
    return tables


async def undisturbed(directory: Path) -> tuple[dict[str, object], int]:
    """What a deploy that nobody kills leaves, and how many writes it takes."""
    async with Lab(clock="running", speed=SPEED) as lab:
        lab.registry.publish(build_image("1.0.0", extracted_bytes=9000))
        router = await lab.add_router("router1")
        write_private(directory / "clean.yaml", inventory_text(lab))
        assert await deploy(directory / "clean.yaml") == 0
        return standing(router), len(router.writes())


@pytest.mark.parametrize("shard", range(SHARDS))
async def test_a_deploy_killed_after_any_write_converges_when_run_again(shard: int, tmp_path: Path) -> None:
    reference, writes = await undisturbed(tmp_path)
    points = range(1 + shard, writes + 1, SHARDS)
    converged = 0
    for point in points:
        async with Lab(clock="running", speed=SPEED) as lab:
            lab.registry.publish(build_image("1.0.0", extracted_bytes=9000))
            router = await lab.add_router("router1")
            inventory = tmp_path / f"killed-{point}.yaml"
            write_private(inventory, inventory_text(lab))
            assert await deploy(inventory, router, after=point) == -signal.SIGKILL, f"not killed after write {point}"
            assert await deploy(inventory) == 0, f"did not converge after a kill at write {point}"
            assert standing(router) == reference, f"leftovers after a kill at write {point}"
            writes_before = len(router.writes())
            assert await deploy(inventory) == 0
            assert len(router.writes()) == writes_before, f"not converged after a kill at write {point}"
        converged += 1
    print(f"kill points {points.start}, {points.start + SHARDS}, … of {writes}: {converged} of {len(points)} converged")  # noqa: T201 - shown with -s
    assert converged == len(points) > 0
