"""Routers on which something else renews the node: mtts leaves them alone, and says what to do."""

from mtts.core.outcome import Outcome
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.updaters import Updater

NAME = "mtts-updater-tailscale"
FOREIGN = "/container/remove [find where name=tailscale-a]; /container/add remote-image=x interface=veth-tailscale"


async def test_an_update_is_left_to_the_routers_own_updater_while_it_is_scheduled(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    updater = Updater(here)
    await updater.install()
    updater.ask(
        "/system/scheduler/add", name=NAME, on_event=NAME, interval="1d", start_date="2026-01-01", policy="read"
    )
    assert (await here.update(store)).outcome is Outcome.NO_OP
    here.publish("1.2.4")

    result = await here.update(store)

    assert result.outcome is Outcome.REFUSED
    assert result.problem is not None
    assert result.problem.code == "updates-itself"
    assert not any(path.startswith("/container") for path in here.writes)

    updater.ask("/system/scheduler/set", numbers="*1", disabled="yes")
    assert (await here.update(store)).outcome is Outcome.UPDATED


async def test_a_foreign_updater_keeps_mtts_from_the_node(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    Updater(here).ask("/system/scheduler/add", name="nightly", on_event=FOREIGN, interval="1d", policy="read,write")
    assert (await here.update(store)).outcome is Outcome.NO_OP
    assert here.writes == []
    here.publish("1.2.4")

    result = await here.update(store)

    assert result.outcome is Outcome.REFUSED
    assert result.problem is not None
    assert result.problem.code == "foreign-updater"
    assert not any(path.startswith("/container") for path in here.writes)


async def test_an_unchanged_router_is_not_asked_for_its_scripts(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    start = len(here.router.journal)

    await here.update(store)
    await here.deploy()

    lock = "?name=mtts-lock"  # a deploy looks after one that was left
    asked = [entry.path for entry in here.router.journal[start:] if lock not in entry.words]
    assert "/container/print" in asked
    assert not any(path.startswith(("/system/script", "/system/scheduler")) for path in asked)
