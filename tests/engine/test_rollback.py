"""Back to the release before: what it needs to know, whom it touches, and that it stays where it went."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from mtts.core.errors import StoreError
from mtts.core.events import Event
from mtts.core.image import Platform
from mtts.core.ledger import PastRun
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.rollback import Target
from mtts.engine.quarantine import Quarantine
from mtts.engine.rollback import rollback_router
from mtts.lab.journal import JournalEntry
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import REPOSITORY, Deployment, lab_image, services_for, update_fleet


async def recorded(store: Store, results: Sequence[NodeResult], *, run_id: str) -> None:
    """Keep results as a run would."""
    await store.begin(PastRun(run_id, "update", float(len(run_id)), "0"))
    await store.record(run_id, results)


async def rolled_back(here: Deployment, store: Store, *, to: Target | None = None) -> NodeResult:
    """The result of the only node after `mtts rollback`."""
    events: list[Event] = []
    here.note_start(events)
    async with services_for(here.lab, events) as services:
        quarantine = await Quarantine.load(store, services.clock)
        (result,) = await rollback_router(services, quarantine, here.spec, to=to)
    return result


async def updated(fleet: Sequence[Deployment], store: Store) -> None:
    """Every router deployed on 1.2.3, and brought to 1.2.4."""
    for here in fleet:
        here.lab.registry.publish(lab_image("1.2.3"), repository=REPOSITORY, tags=("stable", "1.2.3"))
        await here.deploy()
    fleet[0].publish("1.2.4")
    results = await update_fleet(fleet, store)
    assert {result.outcome for result in results} == {Outcome.UPDATED}
    await recorded(store, results, run_id="run")


async def test_it_goes_back_however_many_quiet_runs_came_since(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await updated([here], store)
    for number in range(3):
        quiet = await update_fleet([here], store)
        await recorded(store, quiet, run_id="run" + "x" * (number + 1))

    result = await rolled_back(here, store)

    assert (result.outcome, result.from_version, result.to_version) == (Outcome.UPDATED, "1.2.4", "1.2.3")
    assert (await here.update(store)).outcome is Outcome.REFUSED


async def test_a_second_one_does_not_go_forward_again(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await updated([here], store)
    back = await rolled_back(here, store)
    await store.begin(PastRun("back", "rollback", 9.0, "0"))
    await store.record("back", [back])

    result = await rolled_back(here, store)

    assert (result.outcome, [warning.code for warning in result.warnings]) == (Outcome.NO_OP, ["rolled-back-already"])
    assert here.writes == []


async def killed_at_its_record(deployment: MakeDeployment, store: Store) -> Deployment:
    """A router that was brought to 1.2.3 and 1.2.4, and whose way back to 1.2.3 was cut off when that was recorded."""
    here = await deployment()
    for version in ("1.2.2", "1.2.3", "1.2.4"):
        here.lab.registry.publish(lab_image(version), repository=REPOSITORY, tags=("stable", version))
        results = [await here.deploy()] if version == "1.2.2" else await update_fleet([here], store)
        await recorded(store, results, run_id=version[: int(version[-1])])
    run = asyncio.ensure_future(rolled_back(here, store))

    def at(_number: int, entry: JournalEntry) -> None:
        if any("v=1.2.3" in word and " tx=" in word for word in entry.words):
            here.router.faults.cut_link()
            run.cancel()

    here.router.faults.on_write(at)
    with pytest.raises(asyncio.CancelledError):
        await run
    here.router.faults.on_write(None)
    await here.wait(60)
    return here


async def test_one_that_was_killed_ends_where_it_was_going_when_it_is_repeated(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await killed_at_its_record(deployment, store)

    result = await rolled_back(here, store)

    assert (result.outcome, result.to_version) == (Outcome.UPDATED, "1.2.3")
    assert (await here.update(store)).outcome is Outcome.REFUSED


async def test_one_that_was_killed_is_finished_by_an_update_and_not_undone(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await killed_at_its_record(deployment, store)

    finished = await here.update(store)
    await recorded(store, [finished], run_id="finished")
    again = await rolled_back(here, store)

    assert finished.to_version == "1.2.3"
    assert (again.outcome, again.to_version) == (Outcome.NO_OP, "1.2.3")


async def test_one_that_comes_to_nothing_holds_nothing_back(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await updated([here], store)
    here.router.faults.fail_pull("fetch manifest failed")

    result = await rolled_back(here, store)

    assert result.outcome is Outcome.KEPT_OLD
    assert await store.quarantined() == []


async def test_a_version_is_found_by_its_digest_where_no_tag_is_named_like_it(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    async with services_for(here.lab, []) as services:
        release = await services.registry.resolve(here.node.image, Platform("linux", "arm64"))
    await store.remember(release, seen_s=1.0)
    here.publish("1.2.4")
    assert (await here.update(store)).outcome is Outcome.UPDATED

    result = await rolled_back(here, store, to=Target.parse("1.2.3"))

    assert (result.outcome, result.to_version) == (Outcome.UPDATED, "1.2.3")


async def test_another_router_that_proves_the_release_does_not_bring_it_back_here(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment("here", node={"hostname": "here"})
    there = await deployment("there", node={"hostname": "there"})
    await updated([here], store)
    await rolled_back(here, store)
    here.lab.registry.publish(lab_image("1.2.3"), repository=REPOSITORY)
    await there.deploy()
    here.publish("1.2.4")

    assert (await there.update(store)).outcome is Outcome.UPDATED

    again = await here.update(store)
    assert again.problem is not None
    assert (again.outcome, again.problem.code) == (Outcome.REFUSED, "release-quarantined")


async def test_what_an_interrupted_swap_left_is_settled_first(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await updated([here], store)
    (row,) = here.rows("/container")
    kept = {
        word: row[word] for word in ("remote-image", "interface", "hostname", "envlists", "mountlists", "entrypoint")
    }
    async with services_for(here.lab, []) as services, services.routers.session(here.spec) as session:
        entry = {**kept, "name": "tailscale-a", "comment": "mtts:tailscale", "root-dir": "mtts/root/tailscale/a"}
        await session.add("/container", entry)
    await here.wait(60)

    result = await rolled_back(here, store)

    assert result.outcome is Outcome.UPDATED
    assert "leftover-removed" in {warning.code for warning in result.warnings}
    assert len(here.rows("/container")) == 1


async def test_a_node_that_was_never_verified_is_refused(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()

    result = await rolled_back(here, store, to=Target("1.2.3", None))

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "not-deployed")
    assert here.writes == []


class FullStore:
    """A store whose disk is full from some moment on; all else is the store's own."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def quarantine(self, *_: object) -> None:
        raise StoreError("no space left on device")

    async def lift(self, *_: object, **__: object) -> None:
        raise StoreError("no space left on device")


async def test_a_store_that_fails_costs_a_warning_and_no_result(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4", behaviour="crash")

    result = await here.update(FullStore(store))  # type: ignore[arg-type]  # it forwards what it does not replace

    assert result.outcome is Outcome.ROLLED_BACK
    assert [warning.code for warning in result.warnings] == ["store-unusable"]
    assert replace(result.warnings[0], message="").hint == ""
