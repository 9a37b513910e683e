"""What `gc` and `remove` take off a router, and what they leave there."""

from typing import Any

from mtts.core.changes import headline
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.plan import Plan
from mtts.engine.collect import collect_router, plans_of_collection
from mtts.engine.operate import remove_router
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import LOCK_PATH, Deployment, services_for
from tests.engine.guards import update_and_kill
from tests.engine.updates import outdated


async def _collect(here: Deployment, *, approved: list[Plan] | None = None) -> NodeResult:
    here.note_start([])
    async with services_for(here.lab, here.events) as services:
        (result,) = await collect_router(services, here.spec, approved=approved)
    return result


async def _listed(here: Deployment) -> Plan:
    here.note_start([])
    async with services_for(here.lab, here.events) as services:
        ((_, plan),) = await plans_of_collection(services, here.spec)
    assert plan is not None
    assert not any(entry.is_write for entry in here.journal)
    return plan


async def test_gc_removes_exactly_what_it_listed(deployment: MakeDeployment) -> None:
    here = await deployment()
    await here.deploy()
    await here.wait(60)
    before = here.snapshot()
    root = here.container.root
    other = f"{root.removesuffix('a')}b"
    for name in (f"{other}/bin/left", f"{root}.backup/bin/left", f"{here.state_dir}/authkey"):
        here.router.write_file(name, b"left")
    here.router.write_file("somebody/file", b"not ours")
    here.router.add_row("/system/scheduler", name="mtts-bridge-tailscale", on_event="", comment="mtts:tailscale")
    here.router.add_row("/system/scheduler", name="theirs", on_event="", comment="somebody's")
    here.router.add_row(
        LOCK_PATH, name="mtts-lock", source="#", comment="mtts:lock by=other/1 run=8c4f uptime=0 longest=1"
    )

    plan = await _listed(here)
    result = await _collect(here, approved=[plan])

    assert [headline(change) for change in plan.changes] == [
        "lock of other/1",
        "scheduler entry mtts-bridge-tailscale",
        f"directory {root}.backup",
        f"directory {other}",
        f"{here.state_dir}/authkey",
    ]
    assert (result.outcome, [problem.code for problem in result.warnings]) == (Outcome.NO_OP, ["leftover-removed"])
    assert [row["name"] for row in here.rows("/system/scheduler")] == ["theirs"]
    assert here.router.files()["somebody/file"] == b"not ours"
    assert _without(here.snapshot(), "somebody") == before
    assert (await _listed(here)).is_converged


def _without(snapshot: dict[str, Any], directory: str) -> dict[str, Any]:
    lists = {
        kind: [path for path in snapshot[kind] if path.partition("/")[0] != directory]
        for kind in ("files", "directories")
    }
    return {**snapshot, **lists}


async def test_gc_refuses_what_was_not_listed(deployment: MakeDeployment) -> None:
    here = await deployment()
    await here.deploy()
    here.router.write_file(f"{here.container.root}.backup/bin/left", b"left")
    plan = await _listed(here)
    here.router.write_file(f"{here.state_dir}/authkey", b"left")

    result = await _collect(here, approved=[plan])

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "plan-stale")
    assert here.writes == []


async def test_gc_leaves_what_an_open_update_needs(deployment: MakeDeployment, store: Store) -> None:
    here = await outdated(deployment)
    await update_and_kill(here, store, 1, path="/container/add")

    plan = await _listed(here)
    result = await _collect(here)

    assert [headline(change).split()[0] for change in plan.changes] == ["lock"]
    assert [problem.code for problem in plan.warnings] == ["transaction-open"]
    assert result.outcome is Outcome.NO_OP
    assert len(here.rows("/container")) == 2
    assert here.rows(LOCK_PATH) == []


def _with_updater(here: Deployment, node: str) -> None:
    name = f"mtts-updater-{node}"
    here.router.add_row("/system/script", name=name, source="#", comment="mtts:updater failed=sha256:00")
    here.router.add_row("/system/scheduler", name=name, on_event=name, comment="mtts:updater")


async def test_gc_takes_an_updater_whose_node_is_gone_and_no_other(deployment: MakeDeployment) -> None:
    here = await deployment()
    await here.deploy()
    _with_updater(here, "tailscale")
    _with_updater(here, "gone")

    plan = await _listed(here)
    await _collect(here, approved=[plan])

    assert [headline(change) for change in plan.changes] == [
        "scheduler entry mtts-updater-gone",
        "script mtts-updater-gone",
    ]
    for path in ("/system/scheduler", "/system/script"):
        assert [row["name"] for row in here.rows(path)] == ["mtts-updater-tailscale"]


async def test_gc_leaves_the_way_back_of_a_node_that_has_no_container(deployment: MakeDeployment) -> None:
    here = await deployment()
    here.router.add_row("/system/scheduler", name="mtts-bridge-tailscale", on_event="", comment="mtts:tailscale")
    _with_updater(here, "tailscale")

    assert (await _listed(here)).is_converged


async def test_remove_leaves_neither_updater_nor_way_back(deployment: MakeDeployment) -> None:
    here = await deployment()
    await here.deploy()
    _with_updater(here, "tailscale")
    here.router.add_row("/system/scheduler", name="mtts-bridge-tailscale", on_event="", comment="mtts:tailscale")
    here.router.add_row("/system/scheduler", name="theirs", on_event="", comment="somebody's")
    here.note_start([])

    async with services_for(here.lab, []) as services:
        (result,) = await remove_router(services, here.spec, purge_identity=False)

    assert (result.outcome, result.problem) == (Outcome.REMOVED, None)
    assert here.writes[:3] == ["/system/scheduler/remove"] * 2 + ["/container/stop"]
    assert [row["name"] for row in here.rows("/system/scheduler")] == ["theirs"]
    assert here.rows("/system/script") == []
