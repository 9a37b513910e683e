"""A node without an identity of its own, which logs in at every start: no controller is needed for one.

Its key's file stays on the router, so that a power cut and the guard's way back need nobody, over whichever way mtts
came; and neither a deploy nor an update takes it away or needs it twice.
"""

from typing import Any

import pytest

from mtts.core.outcome import Outcome
from mtts.core.secret import FromEnv, Literal
from mtts.lab.journal import JournalEntry
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, Deployment, versions
from tests.engine.updates import code_of

BACK_S = 800
"""By then a guard that nobody confirms has gone back."""
MOST_WRITES = 30
"""No clean update of this node writes more often, its lock included; see the first test of power cuts."""


async def ephemeral(make: MakeDeployment, version: str = "7.23.3") -> Deployment:
    """A router whose ephemeral node was deployed with a key that can be used again."""
    here = await make(version=version, node={"ephemeral": True})
    here.new_key(reusable=True)
    assert (await here.deploy()).outcome is Outcome.DEPLOYED
    await here.wait(60)
    assert len(here.online) == 1
    return here


def key_on(here: Deployment) -> str | None:
    """What the key's file holds; None where there is none."""
    contents = here.router.files().get(f"{here.state_dir}/authkey")
    return None if contents is None else contents.decode()


def key_in_inventory(here: Deployment) -> str:
    assert isinstance(here.node.auth_key, Literal)
    return here.node.auth_key.value.reveal()


def _writes() -> list[Any]:
    """Every write of an update, all but some left to the slow run."""
    return [pytest.param(k, marks=() if k % 7 == 1 else pytest.mark.slow) for k in range(1, MOST_WRITES + 1)]


def starts(here: Deployment) -> list[str]:
    """What mtts itself started or stopped in the last run, rather than the guard."""
    mine = [entry for entry in here.journal if not entry.script]
    return [entry.path for entry in mine if entry.path in ("/container/start", "/container/stop")]


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
async def test_its_key_stays_where_it_was_put_and_a_second_deploy_writes_nothing(
    deployment: MakeDeployment, version: str
) -> None:
    here = await ephemeral(deployment, version)

    assert key_on(here) == key_in_inventory(here)
    assert here.world.environment["TS_AUTH_ONCE"] == "false"
    assert (await here.deploy()).outcome is Outcome.NO_OP
    assert here.writes == []
    here.router.faults.power_cut()
    await here.wait(BOOT_S + 20)
    assert len(here.online) == 1
    assert (await here.deploy()).outcome is Outcome.NO_OP
    assert here.writes == []


async def test_a_deploy_brings_an_older_environment_and_a_lost_key_up_to_date(deployment: MakeDeployment) -> None:
    here = await ephemeral(deployment)
    (row,) = here.rows("/container/envs", key="TS_AUTH_ONCE")
    here.router.set_row("/container/envs", row[".id"], value="true")
    here.router.device.files.remove(f"{here.state_dir}/authkey")

    assert (await here.deploy()).outcome is Outcome.DEPLOYED

    assert key_on(here) == key_in_inventory(here)
    assert [row["value"] for row in here.rows("/container/envs", key="TS_AUTH_ONCE")] == ["false"]
    assert len(here.online) == 1
    assert (await here.deploy()).outcome is Outcome.NO_OP


@pytest.mark.parametrize("path", ["lan", "tailnet"])
@pytest.mark.parametrize("behaviour", ["never-online", "crash"])
async def test_the_old_release_comes_back_by_itself_and_is_not_stopped_again(
    deployment: MakeDeployment, store: Store, behaviour: str, path: str
) -> None:
    here = await ephemeral(deployment)
    here.publish("1.2.4", behaviour=behaviour)
    here.router.faults.tailnet_path(off=path == "lan")

    result = await here.update(store)
    await here.wait(BACK_S)

    assert [node.version for node in here.online] == ["1.2.3"]
    assert key_on(here) == key_in_inventory(here)
    assert result.outcome in (Outcome.ROLLED_BACK, Outcome.PENDING), result.problem
    assert starts(here) == []
    settled = await here.update(store)
    assert code_of(settled) == "release-quarantined"
    assert [node.version for node in here.online] == ["1.2.3"]
    assert here.container.root.endswith("/a")


@pytest.mark.parametrize("path", ["lan", "tailnet"])
@pytest.mark.parametrize("k", _writes())
async def test_a_power_cut_at_any_write_of_its_update_has_it_back_without_a_controller(
    deployment: MakeDeployment, store: Store, k: int, path: str
) -> None:
    here = await ephemeral(deployment)
    here.publish("1.2.4")
    here.router.faults.tailnet_path(off=path == "lan")
    seen = 0

    def cut(_number: int, _entry: JournalEntry) -> None:
        nonlocal seen
        seen += 1
        if seen == k:
            here.router.faults.power_cut()

    here.router.faults.on_write(cut)
    await here.update(store)
    here.router.faults.on_write(None)
    await here.wait(BOOT_S + 20)
    assert len(here.online) == 1, k

    result = await here.update(store)

    assert result.outcome in (Outcome.UPDATED, Outcome.NO_OP), result.problem
    assert [node.version for node in here.online] == ["1.2.4"]
    assert key_on(here) == key_in_inventory(here)


async def test_the_power_cuts_cover_a_whole_update(deployment: MakeDeployment, store: Store) -> None:
    here = await ephemeral(deployment)
    here.publish("1.2.4")
    seen: list[str] = []
    here.router.faults.on_write(lambda _number, entry: seen.append(entry.path))

    assert (await here.update(store)).outcome is Outcome.UPDATED

    assert len(seen) <= MOST_WRITES


@pytest.mark.parametrize("path", ["lan", "tailnet"])
async def test_a_key_that_was_lost_is_put_back_before_anything_is_stopped(
    deployment: MakeDeployment, store: Store, path: str
) -> None:
    here = await ephemeral(deployment)
    here.router.device.files.remove(f"{here.state_dir}/authkey")
    here.publish("1.2.4")
    here.router.faults.tailnet_path(off=path == "lan")

    assert (await here.update(store)).outcome is Outcome.UPDATED

    assert key_on(here) == key_in_inventory(here)
    here.router.faults.power_cut()
    await here.wait(BOOT_S + 20)
    assert [node.version for node in here.online] == ["1.2.4"]


async def test_a_key_that_lies_on_the_router_suffices_where_the_inventory_names_none(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await ephemeral(deployment)
    key = key_on(here)
    here.change_node(auth_key=None)
    here.publish("1.2.4")

    assert (await here.update(store)).outcome is Outcome.UPDATED

    assert [node.version for node in here.online] == ["1.2.4"]
    assert key_on(here) == key


async def test_without_a_key_anywhere_nothing_is_staged(deployment: MakeDeployment, store: Store) -> None:
    here = await ephemeral(deployment)
    here.change_node(auth_key=None)
    here.router.device.files.remove(f"{here.state_dir}/authkey")
    here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, code_of(result)) == (Outcome.REFUSED, "auth-key-missing")
    assert here.writes == []
    assert len(here.online) == 1


async def test_a_key_that_cannot_be_read_is_found_out_before_a_write(
    deployment: MakeDeployment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await ephemeral(deployment)
    monkeypatch.delenv("LAB_AUTH_KEY", raising=False)
    here.change_node(auth_key=FromEnv("LAB_AUTH_KEY"))
    here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, code_of(result)) == (Outcome.REFUSED, "secret-unavailable")
    assert here.writes == []
    assert len(here.online) == 1


@pytest.mark.parametrize(("nth", "restarts"), [(1, ["/container/stop", "/container/start"]), (2, [])])
async def test_a_release_that_takes_the_key_with_it_leaves_the_old_one_online_and_able_to_come_back(
    deployment: MakeDeployment, store: Store, nth: int, restarts: list[str]
) -> None:
    here = await ephemeral(deployment)
    here.publish("1.2.4", behaviour="never-online")
    seen = 0

    def drop(_number: int, entry: JournalEntry) -> None:
        nonlocal seen
        if entry.path == "/container/start" and entry.script:
            seen += 1
            if seen == nth:
                here.lab.clock.call_later(1, lambda: here.router.device.files.remove(f"{here.state_dir}/authkey"))

    here.router.faults.on_write(drop)

    result = await here.update(store)

    assert result.outcome is Outcome.ROLLED_BACK, result.problem
    assert [node.version for node in here.online] == ["1.2.3"]
    assert key_on(here) == key_in_inventory(here)
    assert starts(here) == restarts
