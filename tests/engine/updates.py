"""What tests of updates share: routers with an update to come, starts that fail, and results in short."""

from datetime import datetime, timedelta
from typing import Any, Final

from mtts.core.outcome import NodeResult, Outcome
from mtts.lab.table import Singleton
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import Deployment

KIB: Final = 1024
ROOM_BYTES: Final = 600 * KIB
"""Free beside the running release: less than another one takes."""


async def fleet_of(make: MakeDeployment, count: int, **options: Any) -> list[Deployment]:
    made = []
    for number in range(1, count + 1):
        here = await make(f"router{number}", node={"hostname": f"edge{number}"}, **options)
        assert (await here.deploy()).outcome is Outcome.DEPLOYED
        made.append(here)
    return made


async def small_board(make: MakeDeployment, version: str) -> Deployment:
    """A deployed node on a router with room for one release."""
    here = await make(version=version)
    await here.deploy()
    await here.wait(60)
    free = here.router.device.storage.flash.free_bytes
    here.router.write_file("ballast", bytes(free - 1024 * KIB - ROOM_BYTES))
    await here.wait(60)
    return here


async def home_board(make: MakeDeployment, version: str) -> Deployment:
    """One with room for one release, whose device-mode forbids the scheduler, which a bridge needs."""
    here = await small_board(make, version)
    here.router.device.menu_of(Singleton, "/system/device-mode").values["scheduler"] = "false"
    return here


async def outdated(make: MakeDeployment, **options: Any) -> Deployment:
    """A node that serves, and a new release to be had."""
    here = await make(**options)
    await here.deploy()
    await here.wait(60)
    here.publish("1.2.4")
    return here


def close_the_window(here: Deployment) -> None:
    """Until two hours from now."""
    now = datetime.fromtimestamp(here.lab.clock.wall.timestamp()).astimezone()
    soon, later = ((now + timedelta(hours=hours)).strftime("%H:00") for hours in (2, 3))
    here.change(window=f"{soon}-{later}")


def have_starts_fail(here: Deployment) -> None:
    """As often as a guard tries to start the new container."""
    for _ in range(5):
        here.router.faults.trap_next("/container/start", "failure: out of luck")


def outcomes(results: list[NodeResult]) -> list[Outcome]:
    return [result.outcome for result in results]


def code_of(result: NodeResult) -> str:
    assert result.problem is not None, result
    assert result.problem.message
    return result.problem.code
