"""What tests of updates share: routers with an update to come, starts that fail, and results in short."""

from datetime import datetime, timedelta
from typing import Any

from mtts.core.outcome import NodeResult, Outcome
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import Deployment


async def fleet_of(make: MakeDeployment, count: int, **options: Any) -> list[Deployment]:
    made = []
    for number in range(1, count + 1):
        here = await make(f"router{number}", node={"hostname": f"edge{number}"}, **options)
        assert (await here.deploy()).outcome is Outcome.DEPLOYED
        made.append(here)
    return made


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
