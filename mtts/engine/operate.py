"""`mtts remove` and `mtts login`: plans of another kind than a deploy, carried out by the same hands."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mtts.core.errors import Problem
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.plan import Plan, is_stale
from mtts.core.plan_login import plan_login
from mtts.core.removal import RUNNING_MENUS, plan_removal
from mtts.core.rows import items
from mtts.engine.execute import execute
from mtts.engine.gather import gather, gather_preconditions, read_menu
from mtts.engine.nodes import on_each_node
from mtts.engine.planning import Planned, observer_for, with_health
from mtts.engine.services import NodeWork, Services
from mtts.ports import RouterSession

_KEPT_PROPS: Final = (".id", "name", "comment")


async def remove_router(
    services: Services, router: Router, *, purge_identity: bool, approved: Sequence[Plan] | None = None
) -> list[NodeResult]:
    """Take every node of `router` off it, the last one with what they shared; with `approved`, exactly so."""

    async def remove(work: NodeWork) -> tuple[NodeResult, None]:
        planned = await _plan_removal(work, purge_identity=purge_identity)
        stale = is_stale(planned.plan, approved, underway=work.node is not router.nodes[0])
        return await _carry_out(work, planned, stale, done=Outcome.REMOVED), None

    return [result for result, _ in await on_each_node(services, router, remove)]


async def plans_of_removal(
    services: Services, router: Router, *, purge_identity: bool
) -> list[tuple[NodeResult, Plan | None]]:
    """What `remove_router` would do, to be shown before somebody says yes."""

    async def plan(work: NodeWork) -> tuple[NodeResult, Plan]:
        planned = await _plan_removal(work, purge_identity=purge_identity)
        return work.as_found(), planned.plan

    return await on_each_node(services, router, plan)


async def login_router(services: Services, router: Router, *, reauth: bool) -> list[NodeResult]:
    """Log each node of `router` in again where it needs it; with `reauth`, whether it needs it or not."""

    async def login(work: NodeWork) -> tuple[NodeResult, None]:
        node = work.node
        facts = await gather(work.session, router, (node,))
        facts = await with_health(work, observer_for(work, facts), facts)
        if not reauth and facts.health is not None and facts.health.is_healthy:
            return replace(work.as_found(), evidence=str(facts.health.evidence)), None
        facts = await gather_preconditions(work.session, facts, router, node, release=None, clock=services.clock)
        plan = plan_login(router=router, node=node, facts=facts, reauth=reauth)
        return await _carry_out(work, Planned(plan, facts, None), None, done=Outcome.DEPLOYED), None

    return [result for result, _ in await on_each_node(services, router, login)]


async def _plan_removal(work: NodeWork, *, purge_identity: bool) -> Planned:
    session: RouterSession = work.session
    facts = await gather(session, work.router, work.router.nodes, with_extras=True)
    running = {path: items(await read_menu(session, path, set(), props=_KEPT_PROPS)) for path in RUNNING_MENUS}
    facts = replace(facts, tables={**facts.tables, **running})
    facts = await gather_preconditions(session, facts, work.router, work.node, release=None, clock=work.services.clock)
    plan = plan_removal(router=work.router, node=work.node, facts=facts, purge_identity=purge_identity)
    return Planned(plan, facts, None)


async def _carry_out(work: NodeWork, planned: Planned, stale: Problem | None, *, done: Outcome) -> NodeResult:
    problem = planned.plan.refusals[0] if planned.plan.refusals else stale
    if problem is not None:
        return work.as_found().ended(Outcome.REFUSED, problem)
    return await execute(work, observer_for(work, planned.facts), planned, done=done)
