"""The link cut, the controller killed or the power lost at any command of a deploy: the next one converges.

A cut link and a killed controller look the same from the router: nobody reads the reply, nobody sends the next command.
"""

from typing import Any

import pytest

from mtts.core.outcome import Outcome
from mtts.core.tag import UNPROVEN, Tag
from mtts.core.version import Version
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, Deployment

LONGEST = 195
"""No clean deploy sends more commands than this, its login included; see the first test."""
STRIDE = 43
UNPROVEN_RECORD = str(Tag("tailscale", version=UNPROVEN))
VERSIONS = ("7.18.2", "7.21.5", "7.23.3")
"""State as text and mounts by name; flags; flags that are left out when false."""


def _points(number: int) -> list[Any]:
    """Every command of a deploy on each of the versions; those that each `number` leaves to the slow run marked so."""
    return [
        pytest.param(
            version, k, id=f"{version}-{k}", marks=() if (k + 3 * row) % STRIDE == number else pytest.mark.slow
        )
        for row, version in enumerate(VERSIONS)
        for k in range(1, LONGEST + 1)
    ]


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_points_of_interruption_cover_a_whole_deploy(deployment: MakeDeployment, version: str) -> None:
    here = await deployment(version=version)

    await here.deploy()

    assert len(here.journal) <= LONGEST


@pytest.mark.parametrize(("version", "k"), _points(1))
async def test_a_link_cut_before_a_command_took_effect_is_made_good_by_the_next_deploy(
    deployment: MakeDeployment, version: str, k: int
) -> None:
    here = await deployment(version=version)

    await _deploy_and_cut(here, k, before=True)

    await _assert_recovers(deployment, here)


@pytest.mark.parametrize(("version", "k"), _points(8))
async def test_a_link_cut_after_a_command_took_effect_is_made_good_by_the_next_deploy(
    deployment: MakeDeployment, version: str, k: int
) -> None:
    here = await deployment(version=version)

    await _deploy_and_cut(here, k, before=False)

    await _assert_recovers(deployment, here)


@pytest.mark.parametrize(("version", "k"), _points(15))
async def test_a_killed_deploy_is_made_good_by_one_that_comes_much_later(
    deployment: MakeDeployment, version: str, k: int
) -> None:
    here = await deployment(version=version)

    await _deploy_and_cut(here, k, before=False)
    await here.wait(3600)

    await _assert_recovers(deployment, here)


@pytest.mark.parametrize(("version", "k"), _points(22))
async def test_a_power_cut_is_made_good_by_the_next_deploy(deployment: MakeDeployment, version: str, k: int) -> None:
    here = await deployment(version=version)

    await _deploy_and_cut(here, k, before=False)
    here.router.faults.power_cut()
    assert (await here.deploy()).outcome is Outcome.UNREACHABLE
    await here.wait(BOOT_S)

    await _assert_recovers(deployment, here)


async def _deploy_and_cut(here: Deployment, k: int, *, before: bool) -> None:
    """A deploy that loses its link at the k-th command; one that is shorter ends well."""
    here.router.faults.cut_after(k, before=before)
    result = await here.deploy()
    if result.outcome is Outcome.DEPLOYED:
        here.router.faults.cut_after(LONGEST * LONGEST)
        return
    assert result.problem is not None
    assert result.problem.code in {"session-lost", "unreachable"}
    assert result.outcome is (Outcome.UNKNOWN if here.writes else Outcome.UNREACHABLE)


async def _assert_recovers(make: MakeDeployment, here: Deployment) -> None:
    """One more deploy brings the router to where an undisturbed one is, and a third finds nothing to do."""
    twin = await make("twin", version=here.router.device.build.version)
    assert (await twin.deploy()).outcome is Outcome.DEPLOYED

    result = await here.deploy()

    assert result.problem is None
    assert result.outcome in {Outcome.DEPLOYED, Outcome.NO_OP}
    expected = twin.snapshot()
    (row,) = here.rows("/container")
    if Version.parse(here.router.device.build.version) < Version(7, 21) and row["comment"] == UNPROVEN_RECORD:
        # Before 7.21 nothing proves what the interrupted run pulled; everything but the record is as ever.
        expected["/container"][0]["comment"] = UNPROVEN_RECORD
    assert here.snapshot() == expected
    (node,) = here.online
    assert here.lab.tailnet.online[node.id] == 1
    assert here.lab.tailnet.fights == 0
    assert len(here.lab.tailnet.nodes) == 2, "the node logged in more than once"

    assert (await here.deploy()).outcome is Outcome.NO_OP
    assert here.writes == []
