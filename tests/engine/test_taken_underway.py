"""What others do with the serving container while an update is under way: take it, remove it, rename it (F46)."""

import asyncio
from collections.abc import Callable
from typing import Literal

import pytest

from mtts.core.outcome import Outcome
from mtts.lab.journal import JournalEntry
from mtts.lab.quirks import Quirks
from mtts.ports import Store
from tests.engine.attempt import Attempt, begin, update
from tests.engine.conftest import MakeDeployment
from tests.engine.updates import code_of

VETH = pytest.mark.parametrize("veth", ["refused", "shared"])
"""What a second start on the node's veth comes to."""
STOP_S = 5
"""By then a container has stopped."""
VERSIONS = pytest.mark.parametrize("version", ["7.18.2", "7.20.8", "7.23.3"])


def others_do(attempt: Attempt, command: str, **values: str) -> Callable[[], None]:
    """Somebody gives this command to the container that serves."""

    def do() -> None:
        attempt.here.router.faults.foreign_command(command, where={"root-dir": _old_root(attempt)}, values=values)
        attempt.watch.rebase()

    return do


def _old_root(attempt: Attempt) -> str:
    return next(row["root-dir"] for row in attempt.here.rows("/container") if row["root-dir"].endswith("/a"))


def when_armed(attempt: Attempt, do: Callable[[], None]) -> None:
    """Just after the guard has shown that it works."""

    def watch(entry: JournalEntry) -> None:
        if any("armed=1" in word for word in entry.words):
            attempt.watch.also = None
            do()

    attempt.watch.also = watch


def when_triggered(attempt: Attempt, do: Callable[[], None]) -> None:
    """Just after the guard stopped the old container."""

    def watch(entry: JournalEntry) -> None:
        if entry.path == "/container/stop":
            attempt.watch.also = None
            do()

    attempt.watch.also = watch


def assert_theirs_alone(attempt: Attempt) -> None:
    """What they took serves, and nothing of the attempt is left."""
    (row,) = attempt.here.rows("/container")
    assert row["comment"] == "mine"
    assert [one.version for one in attempt.here.online] == ["1.2.3"]
    assert [one for one in attempt.watch.violations if one.startswith("I5")] == []


@VETH
@VERSIONS
async def test_nothing_unproven_is_started_beside_what_somebody_took_for_their_own(
    deployment: MakeDeployment, store: Store, version: str, veth: Literal["refused", "shared"]
) -> None:
    attempt = await begin(deployment, store, version, quirks=Quirks(busy_veth=veth))
    here = attempt.here
    when_armed(attempt, others_do(attempt, "/container/set", comment="mine"))

    result = await here.update(store)

    assert (result.outcome, code_of(result), result.to_version) == (Outcome.KEPT_OLD, "changed-underway", "1.2.3")
    assert [entry for entry in here.journal if entry.path == "/container/start"] == []
    assert_theirs_alone(attempt)
    assert code_of(await here.deploy()) == "foreign-container"
    assert "--adopt" in result.next_step
    assert (await here.deploy(adopt=True)).outcome is Outcome.DEPLOYED
    assert (await update(here, store)).outcome is Outcome.UPDATED


@VETH
@pytest.mark.parametrize("behaviour", ["ok", "never-online", "crash"])
async def test_a_guard_that_is_at_work_on_it_goes_back(
    deployment: MakeDeployment, store: Store, behaviour: str, veth: Literal["refused", "shared"]
) -> None:
    attempt = await begin(deployment, store, "7.23.3", quirks=Quirks(busy_veth=veth))
    here = attempt.here
    here.publish("1.2.4", behaviour=behaviour)
    when_triggered(attempt, others_do(attempt, "/container/set", comment="mine"))

    result = await here.update(store)

    assert (result.outcome, code_of(result), result.to_version) == (Outcome.ROLLED_BACK, "changed-underway", "1.2.3")
    assert_theirs_alone(attempt)
    assert await store.quarantined() == []


@VETH
async def test_a_killed_run_s_release_is_not_started_beside_it_either(
    deployment: MakeDeployment, store: Store, veth: Literal["refused", "shared"]
) -> None:
    attempt = await begin(deployment, store, "7.23.3", quirks=Quirks(busy_veth=veth))
    here = attempt.here
    run = asyncio.ensure_future(here.update(store))

    def kill() -> None:
        run.cancel()

    when_armed(attempt, kill)
    with pytest.raises(asyncio.CancelledError):
        await run
    others_do(attempt, "/container/set", comment="mine")()

    result = await here.resume(store)

    assert (result.outcome, code_of(result), result.to_version) == (Outcome.KEPT_OLD, "changed-underway", None)
    assert [entry for entry in here.journal if entry.path == "/container/start"] == []
    assert_theirs_alone(attempt)


@pytest.mark.parametrize("is_running", [True, False], ids=["before the swap", "in the swap"])
async def test_where_somebody_removes_the_old_one_the_new_one_takes_its_place(
    deployment: MakeDeployment, store: Store, *, is_running: bool
) -> None:
    attempt = await begin(deployment, store, "7.23.3")
    here = attempt.here
    (node,) = here.online

    def remove() -> None:
        if is_running:
            others_do(attempt, "/container/stop")()
        here.lab.clock.call_later(STOP_S, others_do(attempt, "/container/remove"))

    (when_armed if is_running else when_triggered)(attempt, remove)

    result = await here.update(store)

    assert (result.outcome, result.to_version) == (Outcome.UPDATED, "1.2.4")
    assert here.online == [node]
    assert len(here.rows("/container")) == 1


async def test_a_container_that_somebody_renames_is_still_the_node(deployment: MakeDeployment, store: Store) -> None:
    attempt = await begin(deployment, store, "7.23.3")
    when_armed(attempt, others_do(attempt, "/container/set", name="other"))

    result = await update(attempt.here, store)

    assert result.outcome is Outcome.UPDATED
    attempt.assert_is_new()
    attempt.assert_serves()
