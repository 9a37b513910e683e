"""Routers whose guard is left to itself in the middle of an update, and how they stand."""

import asyncio
from typing import Any, Final

import pytest

from mtts.core.tag import Tag
from mtts.lab.container import UP
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import Deployment

VERSIONS = pytest.mark.parametrize(
    "version",
    ["7.18.2", "7.23.3", "7.24", *(pytest.param(version, marks=pytest.mark.slow) for version in ("7.20.8", "7.22.3"))],
)
"""State as text, flags that are left out when false, queued starts; and in the slow run flags, and health checks."""
REHEARSAL, TRIGGER = 1, 2
"""A clean update's scripts."""
SOON_S: Final = 30
LIMIT_S: Final = 60
"""What the way back may take beyond the time that a guard waits."""


async def deployed(make: MakeDeployment, version: str, *, behaviour: str = "ok", **options: Any) -> Deployment:
    """A node that serves, and another release to be had."""
    here = await make(version=version, **options)
    await here.deploy()
    await here.wait(SOON_S)
    here.publish("1.2.4", behaviour=behaviour)
    return here


async def left_in_the_swap(make: MakeDeployment, store: Store, version: str, **options: Any) -> Deployment:
    """A router whose guard has the new release run, unconfirmed, and whose controller is gone."""
    here = await deployed(make, version, **options)
    await update_and_kill(here, store, TRIGGER)
    await here.wait(SOON_S)
    assert up(here) == ["b"]
    return here


async def update_and_kill(here: Deployment, store: Store, number: int, *, path: str = "/execute") -> None:
    """An update whose controller is gone once its command of that number and path took effect."""
    run = asyncio.ensure_future(here.update(store))

    def kill() -> None:
        run.cancel()

    here.router.faults.at_command(number, kill, path=path)
    with pytest.raises(asyncio.CancelledError):
        await run


def tags(here: Deployment) -> dict[str, Tag]:
    """By slot."""
    rows = here.rows("/container")
    found = {row["root-dir"][-1]: Tag.parse(row["comment"]) for row in rows}
    return {slot: tag for slot, tag in found.items() if tag is not None}


def up(here: Deployment) -> list[str]:
    """The slots whose containers are up."""
    return [one.root[-1] for one in here.router.device.engine.containers.values() if one.phase in UP]


def booting(here: Deployment) -> list[str]:
    """The slots whose containers start by themselves."""
    return [one.root[-1] for one in here.router.device.engine.containers.values() if one.is_set("start-on-boot")]


def jobs(here: Deployment) -> list[str]:
    return [job.name for job in here.router.device.scripts.jobs.values()]
