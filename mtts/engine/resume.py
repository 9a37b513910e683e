"""`mtts resume`: finishes or undoes an update that was interrupted, and nothing else."""

from dataclasses import replace

from mtts.core.errors import Problem
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult
from mtts.core.router_lock import taken_away
from mtts.core.slots import bridge_down
from mtts.engine.leftovers import settle_swaps
from mtts.engine.nodes import on_each_node
from mtts.engine.quarantine import Quarantine
from mtts.engine.services import NodeWork, Services
from mtts.engine.standing import standing
from mtts.engine.transaction_log import close_settled


async def resume_router(services: Services, quarantine: Quarantine, router: Router) -> list[NodeResult]:
    """Every node of `router` without an open update; a release that only waits for its turn is left to `update`."""

    async def resume(work: NodeWork) -> tuple[NodeResult, None]:
        return await _resume(work, quarantine), None

    return [result for result, _ in await on_each_node(services, router, resume, is_patient=True)]


async def _resume(work: NodeWork, quarantine: Quarantine) -> NodeResult:
    said = await _freed(work)
    slots = await standing(work)
    as_found = work.as_found(slots.live.tag if slots.live is not None else None)
    if slots.open_transaction is None:
        await close_settled(work, None)
        is_down = slots.is_bridge_down
        left = (bridge_down(work.router.name, work.node.name, slots),) if is_down else ()
        return replace(as_found, warnings=(*said, *left))
    settled = await settle_swaps(work, slots, quarantine)
    if settled.result is not None:
        return replace(settled.result, warnings=(*said, *settled.result.warnings, *settled.warnings))
    said += settled.warnings
    if settled.slots.open_transaction is not None and "release-staged" not in {problem.code for problem in said}:
        waits = f"a release is staged for node {work.node.name} and waits for its turn"
        said += (Problem("release-staged", waits, f"mtts update {work.router.name}"),)
    return replace(as_found, warnings=said)


async def _freed(work: NodeWork) -> tuple[Problem, ...]:
    """What was done about a lock of a run that is gone; RouterLockedError where one holds it that may live."""
    held = await work.lock.stale(work.session)
    if held is None:
        return ()
    await work.hold()
    return (taken_away(held),)
