"""`mtts gc`: lists what interrupted runs left on a router, and takes away exactly that."""

from collections.abc import Sequence
from dataclasses import replace

from mtts.core.changes import headline
from mtts.core.errors import Problem
from mtts.core.inventory import Router
from mtts.core.leavings import Left, candidates, orphans, plan_collection
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.plan import Plan, is_stale
from mtts.core.removal import RUNNING_MENUS
from mtts.core.tag import Tag
from mtts.engine.execute import execute
from mtts.engine.gather import gather, gather_preconditions, read_file, read_menu
from mtts.engine.nodes import on_each_node
from mtts.engine.planning import Planned, observer_for
from mtts.engine.services import NodeWork, Services


async def plans_of_collection(services: Services, router: Router) -> list[tuple[NodeResult, Plan | None]]:
    """What `collect_router` would do, to be shown before somebody says yes."""

    async def plan(work: NodeWork) -> tuple[NodeResult, Plan]:
        found = (await _plan(work)).plan
        result = work.as_found()
        if found.refusals:
            return result.ended(Outcome.REFUSED, found.refusals[0]), found
        return replace(result, changes_pending=bool(found.changes), warnings=found.warnings), found

    return await on_each_node(services, router, plan)


async def collect_router(
    services: Services, router: Router, *, approved: Sequence[Plan] | None = None
) -> list[NodeResult]:
    """Take away what is left of each node; with `approved`, exactly that or a refusal (`plan-stale`)."""

    async def collect(work: NodeWork) -> tuple[NodeResult, None]:
        planned = await _plan(work)
        stale = is_stale(planned.plan, approved, underway=work.node is not router.nodes[0])
        problem = planned.plan.refusals[0] if planned.plan.refusals else stale
        if problem is not None:
            return work.as_found().ended(Outcome.REFUSED, problem), None
        result = await execute(work, observer_for(work, planned.facts), planned, done=Outcome.NO_OP)
        if result.problem is not None or not planned.plan.changes:
            return result, None
        listed = ", ".join(headline(change) for change in planned.plan.changes)
        gone = Problem("leftover-removed", f"left by an interrupted run, and gone now: {listed}")
        return replace(result, warnings=(gone, *result.warnings)), None

    return [result for result, _ in await on_each_node(services, router, collect)]


async def _plan(work: NodeWork) -> Planned:
    router, node = work.router, work.node
    facts = await gather(work.session, router, (node,))
    facts = await gather_preconditions(work.session, facts, router, node, release=None, clock=work.services.clock)
    names = candidates(router=router, node=node, facts=facts)
    files = [name for name in names if await read_file(work.session, name, "type") is not None]
    kept = {path: await read_menu(work.session, path, set(), props=("name", "comment")) for path in RUNNING_MENUS}
    entries = [row["name"] for row in kept["/system/scheduler"] if row.get("comment") == str(Tag(node.name))]
    is_first = node is router.nodes[0]  # which stands for what belongs to no node of the inventory
    lock = await work.lock.stale(work.session) if is_first else None
    left = Left(files, entries, orphans(kept, facts) if is_first else (), lock)
    return Planned(plan_collection(router=router, node=node, facts=facts, left=left), facts, None)
