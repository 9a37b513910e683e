"""What a run leaves in the store: at once where something was done, settled flash too, and never at a result's cost."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from mtts.adapters.store.place import Place
from mtts.adapters.store.store import SqlStore
from mtts.core.errors import Problem, StoreError
from mtts.core.flash import Moment
from mtts.core.image import Platform
from mtts.core.inventory import Router
from mtts.core.ledger import PastRun
from mtts.core.outcome import NodeResult, Outcome
from mtts.engine.deploy import deploy_router
from mtts.engine.fleet import Drain
from mtts.engine.recording import Recording
from mtts.engine.remembering import RememberingRegistry
from mtts.lab.fleet import Lab
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import Deployment, run_fleet, services_for

RUN = PastRun("run1", "deploy", 5.0, "0.1.0")


class FailingStore(SqlStore):
    """A store whose disk is full for some of its methods."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.fails: tuple[str, ...] = ()
        self.asked: list[str] = []

    def _ask(self, method: str) -> None:
        self.asked.append(method)
        if method in self.fails:
            raise StoreError("database or disk is full")

    async def record(self, run_id: str, results: Sequence[NodeResult]) -> None:
        self._ask("record")
        await super().record(run_id, results)

    async def finish(self, run_id: str, *, finished_s: float, exit_code: int) -> None:
        self._ask("finish")
        await super().finish(run_id, finished_s=finished_s, exit_code=exit_code)


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[FailingStore]:
    store = FailingStore(Place(tmp_path / "failing"))
    yield store
    store.close()


async def nothing_more() -> None:
    """After the work comes what follows it."""


async def deploy_recorded(
    here: Deployment,
    store: Store,
    *,
    run: PastRun = RUN,
    drain: Drain | None = None,
    redact: Callable[[str], str] = str,
    after_work: Callable[[], Awaitable[object]] = nothing_more,
) -> Sequence[NodeResult]:
    """A deploy as the command line runs it, but for its display."""
    drain = drain or Drain()
    recording = Recording(store, run, redact=redact)
    await recording.begin()
    async with services_for(here.lab, []) as services:

        async def work(router: Router) -> Sequence[NodeResult]:
            results = await deploy_router(services, router)
            await after_work()
            return results

        afterwards = partial(recording.follow, services, drain)
        results = await run_fleet([here.spec], work, emit=services.emit, parallel=1, drain=drain, afterwards=afterwards)
    return await recording.finish(results, finished_s=9.0, exit_code=0)


async def test_a_deploy_is_on_record_with_a_sample_of_settled_flash(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()

    (result,) = await deploy_recorded(here, store)

    assert [sample.moment for sample in result.samples] == [Moment.BEFORE, Moment.COMMITTED, Moment.SETTLED]
    _, committed, settled = result.samples
    assert settled.taken_s - committed.taken_s >= here.spec.timing.settle_s == 60
    assert settled.free_bytes == here.router.device.storage.reported_free_bytes
    kept = await store.samples(["router1"], since_s=0)
    assert tuple(recorded.sample for recorded in kept) == result.samples
    (past,) = await store.history(["router1"], limit=9)
    assert (past.outcome, past.to_version, past.run.exit_code) == ("deployed", result.to_version, 0)


async def test_what_was_done_is_on_record_before_its_flash_settles(
    deployment: MakeDeployment, failing: FailingStore
) -> None:
    await deploy_recorded(await deployment(), failing)

    assert failing.asked == ["record", "record", "finish"]


async def test_a_run_that_did_nothing_waits_for_nothing_and_is_written_once(
    deployment: MakeDeployment, failing: FailingStore
) -> None:
    here = await deployment()
    await here.deploy()
    here.note_start([])
    began_s = here.lab.clock.now

    (result,) = await deploy_recorded(here, failing)

    assert (result.outcome, result.samples) == (Outcome.NO_OP, ())
    assert here.connections == (1, 1)
    assert here.lab.clock.now - began_s < here.spec.timing.settle_s
    assert failing.asked == ["record", "finish"]
    assert [past.outcome for past in await failing.history(["router1"], limit=9)] == ["no-op"]


async def test_a_first_ctrl_c_ends_the_wait_for_settled_flash(deployment: MakeDeployment, store: Store) -> None:
    here, drain = await deployment(), Drain()
    ended_s: list[float] = []

    async def interrupt() -> None:
        drain.requested = True
        ended_s.append(here.lab.clock.now)

    (result,) = await deploy_recorded(here, store, drain=drain, after_work=interrupt)

    assert [sample.moment for sample in result.samples] == [Moment.BEFORE, Moment.COMMITTED]
    assert here.lab.clock.now - ended_s[0] < 1
    assert len(await store.samples(["router1"], since_s=0)) == 2


async def test_a_router_that_is_gone_when_its_flash_has_settled_keeps_what_was_proven(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()

    (result,) = await deploy_recorded(here, store, after_work=here.router.stop)

    assert result.outcome is Outcome.DEPLOYED
    assert [sample.moment for sample in result.samples] == [Moment.BEFORE, Moment.COMMITTED]


@pytest.mark.parametrize("fails", ["record", "finish"])
async def test_a_store_that_fails_in_mid_run_costs_a_warning_and_no_result(
    deployment: MakeDeployment, failing: FailingStore, fails: str
) -> None:
    here, failing.fails = await deployment(), (fails,)

    (result,) = await deploy_recorded(here, failing)

    assert (result.outcome, result.samples[-1].moment) == (Outcome.DEPLOYED, Moment.SETTLED)
    (warning,) = [warning for warning in result.warnings if warning.code == "store-unusable"]
    assert warning.message == "not all of this run is on record: database or disk is full"
    assert failing.asked.count(fails) == 1  # a store that failed is not asked again
    assert [run.run_id for run in await failing.unfinished(limit=9)] == ["run1"]


async def test_secrets_do_not_get_into_the_store(lab: Lab, deployment: MakeDeployment, store: Store) -> None:
    trapped = NodeResult("router1", "web", Outcome.REFUSED, problem=Problem("command-trapped", "no user tskey-abc"))
    recording = Recording(store, RUN, redact=lambda text: text.replace("tskey-abc", "***"))
    await recording.begin()
    async with services_for(lab, []) as services:
        results = await recording.follow(services, Drain(), (await deployment()).spec, [trapped])
    finished = await recording.finish(results, finished_s=9.0, exit_code=5)

    assert finished == [trapped]
    assert [past.message for past in await store.history(["router1"], limit=1)] == ["no user ***"]


async def test_a_release_is_remembered_once_and_by_the_first_who_saw_it(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    async with services_for(here.lab, []) as services:
        registry = RememberingRegistry(services.registry, store, services.clock)
        releases = [await registry.resolve(here.node.image, Platform.parse("linux/arm64")) for _ in range(2)]

    (known,) = await store.known_releases()
    assert releases[0] == releases[1]
    assert (known.manifest_digest, known.extracted_bytes) == (releases[0].manifest_digest, releases[0].extracted_bytes)
