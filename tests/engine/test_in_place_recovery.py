"""In place something goes wrong for good: a release that does not work, a power cut, an old container that is down."""

import pytest

from mtts.core.outcome import Outcome
from mtts.core.rollback import Target
from mtts.lab.journal import JournalEntry
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, REPOSITORY, Deployment, lab_image
from tests.engine.test_rollback import rolled_back
from tests.engine.updates import home_board

BAD = ("never-online", "crash")


async def _stranded(make: MakeDeployment, store: Store, behaviour: str, version: str = "7.23.3") -> Deployment:
    """A router whose only container is a release that does not work."""
    here = await home_board(make, version)
    here.publish("1.2.4", behaviour=behaviour)
    result = await here.update(store, allow_in_place=True)
    assert (result.outcome, result.from_version) == (Outcome.BROKEN, "1.2.3")
    assert len(here.rows("/container")) == 1
    return here


@pytest.mark.parametrize("version", ["7.20.8", "7.23.3"])
@pytest.mark.parametrize("behaviour", BAD)
async def test_a_corrected_release_takes_the_room_of_one_that_does_not_work(
    deployment: MakeDeployment, store: Store, behaviour: str, version: str
) -> None:
    here = await _stranded(deployment, store, behaviour, version)
    here.publish("1.2.5")
    await here.wait(300)

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert (result.from_version, result.to_version) == (None, "1.2.5")
    assert [one.version for one in here.online] == ["1.2.5"]
    await here.wait(300)
    here.router.faults.power_cut()
    await here.wait(BOOT_S + 60)
    assert [one.version for one in here.online] == ["1.2.5"]
    assert len(here.rows("/container")) == 1
    assert (await here.update(store)).outcome is Outcome.NO_OP


@pytest.mark.parametrize("version", ["7.20.8", "7.23.3"])
@pytest.mark.parametrize("behaviour", BAD)
async def test_a_deploy_of_a_corrected_release_counts_the_room_that_becomes_free(
    deployment: MakeDeployment, store: Store, behaviour: str, version: str
) -> None:
    here = await _stranded(deployment, store, behaviour, version)
    here.publish("1.2.5")

    result = await here.deploy()
    await here.wait(300)

    assert (result.outcome, result.problem, result.to_version) == (Outcome.DEPLOYED, None, "1.2.5")
    assert [one.version for one in here.online] == ["1.2.5"]
    assert len(here.rows("/container")) == 1


@pytest.mark.parametrize("behaviour", BAD)
async def test_a_rollback_is_not_held_up_by_what_does_not_work(
    deployment: MakeDeployment, store: Store, behaviour: str
) -> None:
    here = await _stranded(deployment, store, behaviour)
    here.lab.registry.publish(lab_image("1.2.3"), repository=REPOSITORY, tags=("1.2.3",))

    result = await rolled_back(here, store, to=Target.parse("1.2.3"))

    assert (result.problem, result.to_version) == (None, "1.2.3")
    assert [one.version for one in here.online] == ["1.2.3"]


async def test_the_same_release_is_pulled_again_by_force_only(deployment: MakeDeployment, store: Store) -> None:
    here = await _stranded(deployment, store, "crash")
    before = here.rows("/container")[0][".id"]

    unforced = await here.update(store)

    assert unforced.problem is not None
    assert unforced.outcome is Outcome.BROKEN
    assert "release-unproven" in [warning.code for warning in unforced.warnings]
    assert here.rows("/container")[0][".id"] == before
    forced = await here.update(store, force=True)
    assert forced.outcome is Outcome.BROKEN
    assert here.rows("/container")[0][".id"] != before


@pytest.mark.parametrize(
    ("path", "code", "hint"),
    [
        ("/container/stop", "changed-underway", "the next run"),
        ("/container/remove", "changed-underway", "mtts deploy router1"),
        ("/container/add", "pull-failed", "mtts update router1"),
        ("/container/start", None, ""),
    ],
)
async def test_after_a_power_cut_the_hint_leads_back_to_a_node_that_serves(
    deployment: MakeDeployment, store: Store, path: str, code: str | None, hint: str
) -> None:
    here = await home_board(deployment, "7.23.3")
    (node,) = here.online
    here.publish("1.2.4")

    def at(_number: int, entry: JournalEntry) -> None:
        if entry.script and entry.path == path:
            here.router.faults.on_write(None)
            here.router.faults.power_cut()

    here.router.faults.on_write(at)
    first = await here.update(store, allow_in_place=True)
    await here.wait(BOOT_S)

    assert (None if first.problem is None else first.problem.code) == code
    assert hint in first.next_step
    assert "memory" not in str(first.problem)
    again = await here.deploy() if "mtts deploy" in hint else await here.update(store, allow_in_place=True)
    assert again.problem is None
    assert [one.version for one in here.online] == ["1.2.4"]
    assert here.online == [node]


async def test_a_resume_tells_what_pulls_a_failed_entry_again(deployment: MakeDeployment, store: Store) -> None:
    here = await home_board(deployment, "7.23.3")
    here.publish("1.2.4")

    def at(_number: int, entry: JournalEntry) -> None:
        if entry.script and entry.path == "/container/add":
            here.router.faults.on_write(None)
            here.router.faults.power_cut()

    here.router.faults.on_write(at)
    await here.update(store, allow_in_place=True)
    await here.wait(BOOT_S)

    resumed = await here.resume(store)

    assert resumed.problem is not None
    assert (resumed.outcome, resumed.problem.code) == (Outcome.BROKEN, "pull-failed")
    assert "mtts update router1" in resumed.next_step
    assert (await here.update(store)).outcome is Outcome.UPDATED


async def test_where_the_old_one_is_down_the_proof_in_memory_is_no_node(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await home_board(deployment, "7.23.3")
    here.publish("1.2.4")
    here.router.device.engine.stop(here.container)
    await here.wait(10)

    result = await here.update(store, allow_in_place=True)

    assert (result.outcome, result.problem, result.strategy) == (Outcome.UPDATED, None, "in-place")
    assert here.container.root == "mtts/root/tailscale/b"
    await here.wait(60)
    here.router.faults.power_cut()
    await here.wait(BOOT_S + 60)
    assert [one.version for one in here.online] == ["1.2.4"]
    assert (await here.update(store)).outcome is Outcome.NO_OP
