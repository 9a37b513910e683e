"""A swap is in the journal before it is on the router; what a killed run left, `resume` puts in order (F47)."""

import asyncio
import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mtts.adapters.journal import FileJournal
from mtts.core.errors import StoreError
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.rollout import Rollout
from mtts.core.transaction_record import Opening, TransactionKey
from mtts.engine.fleet import Drain, Fleet
from mtts.engine.quarantine import Quarantine
from mtts.engine.resume import resume_router
from mtts.engine.update import Update, UpdateOrder
from mtts.lab.journal import JournalEntry
from mtts.lab.registry_faults import RegistryFault
from mtts.ports import Journal, Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import LOCK_PATH, Deployment, services_for
from tests.engine.updates import outdated

WRITES = 12
"""Of a clean update, the lock's two among them."""


class FullDisk(FileJournal):
    """A journal whose disk is full after some lines."""

    def __init__(self, directory: Callable[[], Path], *, lines: int) -> None:
        super().__init__(directory)
        self._left = lines

    def begin(self, opening: Opening) -> None:
        self._take()
        super().begin(opening)

    def note(self, key: TransactionKey, step: str, *, is_done: bool) -> None:
        self._take()
        super().note(key, step, is_done=is_done)

    def _take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise StoreError(f"the journal cannot be used: {os.strerror(errno.ENOSPC)}")


def _journal(tmp_path: Path) -> FileJournal:
    """As each run opens it anew."""
    return FileJournal(lambda: tmp_path / "transactions")


async def _update(here: Deployment, store: Store, journal: Journal) -> NodeResult:
    here.note_start([])
    async with services_for(here.lab, here.events) as usual:
        services = replace(usual, journal=journal)
        quarantine = await Quarantine.load(store, services.clock)
        async with Fleet(emit=services.emit, parallel=1, drain=Drain()) as running:
            await Update(services, UpdateOrder(Rollout()), quarantine).run(running, [here.spec])
    (result,) = running.results([here.spec])
    return result


async def _resume(here: Deployment, store: Store, journal: Journal) -> NodeResult:
    here.note_start([])
    async with services_for(here.lab, here.events) as usual:
        services = replace(usual, journal=journal)
        (result,) = await resume_router(services, await Quarantine.load(store, services.clock), here.spec)
    return result


async def _update_and_kill(here: Deployment, store: Store, journal: Journal, *, after: int) -> None:
    """An update whose controller is gone once its n-th write took effect."""
    run = asyncio.ensure_future(_update(here, store, journal))
    left = after

    def at(_number: int, _entry: JournalEntry) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            run.cancel()

    here.router.faults.on_write(at)
    with pytest.raises(asyncio.CancelledError):
        await run
    here.router.faults.on_write(None)


async def test_each_step_is_in_the_journal_before_the_router_hears_of_it(
    deployment: MakeDeployment, store: Store, tmp_path: Path
) -> None:
    here = await outdated(deployment)
    seen: list[tuple[str, str]] = []

    def at(_number: int, entry: JournalEntry) -> None:
        files = list((tmp_path / "transactions").glob("*.jsonl"))
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        seen.append((entry.path, lines[-1].get("step", lines[-1]["event"]) if lines else "closed"))

    here.router.faults.on_write(at)

    result = await _update(here, store, _journal(tmp_path))

    assert result.outcome is Outcome.UPDATED
    assert [line for line in seen if line[0] in (f"{LOCK_PATH}/add", "/container/add", f"{LOCK_PATH}/remove")] == [
        (f"{LOCK_PATH}/add", "begin"),
        ("/container/add", "stage"),
        (f"{LOCK_PATH}/remove", "closed"),
    ]
    steps = [step for path, step in seen if path == "/container/set"]
    assert ("confirm" in steps, "begin" in steps) == (True, False)
    assert list((tmp_path / "transactions").iterdir()) == []


async def test_a_journal_that_cannot_be_written_refuses_the_router_untouched(
    deployment: MakeDeployment, store: Store, tmp_path: Path
) -> None:
    here = await outdated(deployment)
    (tmp_path / "transactions").write_text("no directory")

    result = await _update(here, store, _journal(tmp_path))

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "store-unusable")
    assert not any(entry.is_write for entry in here.journal)


@pytest.mark.parametrize(
    ("lines", "outcome"), [(0, Outcome.REFUSED), (1, Outcome.KEPT_OLD), (7, Outcome.KEPT_OLD), (12, Outcome.UPDATED)]
)
async def test_a_disk_that_fills_up_stops_a_swap_that_has_not_begun_and_no_other(
    deployment: MakeDeployment, store: Store, tmp_path: Path, lines: int, outcome: Outcome
) -> None:
    here = await outdated(deployment)
    before = here.snapshot()

    result = await _update(here, store, FullDisk(lambda: tmp_path / "transactions", lines=lines))

    assert result.outcome is outcome, result.problem
    said = [result.problem, *result.warnings]
    assert [problem.code for problem in said if problem is not None] == ["store-unusable"]
    assert len(here.online) == 1
    if outcome is not Outcome.UPDATED:
        assert here.snapshot() == before


@pytest.mark.parametrize(
    "after", [pytest.param(k, marks=() if k in (1, 3, 5, 8) else pytest.mark.slow) for k in range(1, WRITES + 1)]
)
async def test_resume_leaves_no_open_update_and_no_lock_after_a_kill_at_any_write(
    deployment: MakeDeployment, store: Store, tmp_path: Path, after: int
) -> None:
    here = await outdated(deployment)
    await _update_and_kill(here, store, _journal(tmp_path), after=after)
    await here.wait(7)

    resumed = await _resume(here, store, _journal(tmp_path))

    assert resumed.outcome in {Outcome.NO_OP, Outcome.UPDATED, Outcome.ROLLED_BACK, Outcome.KEPT_OLD}, resumed.problem
    assert here.rows(LOCK_PATH) == []
    assert len(here.online) == 1
    is_staged = any(problem.code == "release-staged" for problem in resumed.warnings)
    assert is_staged == any("next=" in row["comment"] for row in here.rows("/container"))
    assert [path.name for path in (tmp_path / "transactions").iterdir()] == [
        f"router1.tailscale.{row['comment'].split('next=')[1].split()[0]}.jsonl"
        for row in here.rows("/container")
        if "next=" in row["comment"]
    ]
    pulls = here.writes.count("/container/add")
    assert pulls == 0
    assert (await _update(here, store, _journal(tmp_path))).to_version == "1.2.4"
    assert list((tmp_path / "transactions").iterdir()) == []
    assert (await _resume(here, store, _journal(tmp_path))).outcome is Outcome.NO_OP
    assert not any(entry.is_write for entry in here.journal)


async def test_an_update_that_was_killed_over_its_last_steps_leaves_no_lock_for_long(
    deployment: MakeDeployment, store: Store, tmp_path: Path
) -> None:
    here = await outdated(deployment)
    await _update_and_kill(here, store, _journal(tmp_path), after=WRITES - 1)
    await here.wait(30)
    assert len(here.rows(LOCK_PATH)) == 1

    result = await _update(here, store, _journal(tmp_path))

    assert (result.outcome, result.to_version) == (Outcome.NO_OP, "1.2.4")
    assert here.rows(LOCK_PATH) == []
    assert list((tmp_path / "transactions").iterdir()) == []


async def test_a_resumed_update_on_an_old_routeros_knows_from_the_journal_that_its_image_was_proven(
    deployment: MakeDeployment, store: Store, tmp_path: Path
) -> None:
    here = await outdated(deployment, version="7.18.2")
    await _update_and_kill(here, store, _journal(tmp_path), after=4)
    (file,) = (tmp_path / "transactions").iterdir()
    assert {"event": "done", "step": "prove-image"} in [json.loads(line) for line in file.read_text().splitlines()]

    result = await _update(here, store, _journal(tmp_path))

    assert (result.outcome, result.to_version) == (Outcome.UPDATED, "1.2.4")
    assert "> prove the image of" not in " ".join(event.text for event in here.events)
    assert "platform=sha256:" in here.rows("/container")[0]["comment"]


async def test_resume_leaves_a_router_that_another_machine_holds_and_what_the_journal_knows_of_it(
    deployment: MakeDeployment, store: Store, tmp_path: Path
) -> None:
    here = await outdated(deployment)
    await _update_and_kill(here, store, _journal(tmp_path), after=WRITES - 1)
    here.router.remove_row(LOCK_PATH, "mtts-lock")
    uptime_s = here.router.device.uptime_s
    comment = f"mtts:lock by=other/1 on=0a1b2c3d run=8c4f uptime={uptime_s:.0f} longest=600"
    here.router.add_row(LOCK_PATH, name="mtts-lock", source="#", comment=comment)

    held = await _resume(here, store, _journal(tmp_path))

    assert held.problem is not None
    assert (held.outcome, held.problem.code) == (Outcome.REFUSED, "router-locked")
    assert len(list((tmp_path / "transactions").iterdir())) == 1
    await here.wait(601)
    assert (await _resume(here, store, _journal(tmp_path))).outcome is Outcome.NO_OP
    assert list((tmp_path / "transactions").iterdir()) == []
    assert here.rows(LOCK_PATH) == []


async def test_the_journal_is_closed_under_the_router_s_lock(
    deployment: MakeDeployment, store: Store, tmp_path: Path
) -> None:
    here = await outdated(deployment)
    await _update_and_kill(here, store, _journal(tmp_path), after=WRITES - 1)
    here.router.remove_row(LOCK_PATH, "mtts-lock")
    open_at: list[tuple[str, int]] = []

    def at(_number: int, entry: JournalEntry) -> None:
        open_at.append((entry.path, len(list((tmp_path / "transactions").iterdir()))))

    here.router.faults.on_write(at)

    result = await _resume(here, store, _journal(tmp_path))

    assert result.outcome is Outcome.NO_OP
    assert open_at == [(f"{LOCK_PATH}/add", 1), (f"{LOCK_PATH}/remove", 0)]


async def test_an_update_that_was_open_and_a_refusal_after_it_are_both_told(
    deployment: MakeDeployment, store: Store, tmp_path: Path
) -> None:
    here = await outdated(deployment)
    await _update_and_kill(here, store, _journal(tmp_path), after=5)
    await here.wait(7)
    here.lab.registry.faults.add(RegistryFault("status", on="any", status=500))

    result = await _update(here, store, _journal(tmp_path))

    assert here.writes != []
    assert result.outcome in {Outcome.UPDATED, Outcome.ROLLED_BACK, Outcome.KEPT_OLD}
    assert "registry-unavailable" in {problem.code for problem in result.warnings}


async def test_what_was_cleared_away_before_a_refusal_makes_it_no_refusal(
    deployment: MakeDeployment, store: Store, tmp_path: Path
) -> None:
    here = await outdated(deployment)
    await _update_and_kill(here, store, _journal(tmp_path), after=8)
    await here.wait(7)
    here.lab.registry.faults.add(RegistryFault("status", on="any", status=500))

    result = await _update(here, store, _journal(tmp_path))

    assert here.writes == ["/container/remove"]
    assert (result.outcome, result.problem and result.problem.code) == (Outcome.KEPT_OLD, "registry-unavailable")
    assert [problem.code for problem in result.warnings] == ["leftover-removed"]
    assert (await _update(here, store, _journal(tmp_path))).outcome is Outcome.REFUSED
    assert here.writes == []
