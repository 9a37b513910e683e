"""`mtts remove` and `mtts login`: plans of another kind than a deploy, carried out by the same hands."""

from dataclasses import replace

from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.plan import Plan, plan_login
from mtts.core.removal import plan_removal
from mtts.engine.execute import execute, result_of
from mtts.engine.gather import gather, gather_preconditions
from mtts.engine.planning import Planned, observer_for, with_health
from mtts.engine.services import NodeWork, Services
from mtts.ports import RouterSession


async def remove_router(services: Services, router: Router, *, purge_identity: bool) -> list[NodeResult]:
    """Take every node of `router` off it, the last one with what they shared."""
    results = []
    async with services.routers.session(router) as session:
        for node in router.nodes:
            work = NodeWork(services, session, router, node)
            planned = await _plan_removal(work, purge_identity=purge_identity)
            results.append(await _carry_out(work, planned, done=Outcome.REMOVED))
            if results[-1].outcome is Outcome.UNKNOWN:
                break
    return results


async def plans_of_removal(
    services: Services, router: Router, *, purge_identity: bool
) -> list[tuple[NodeResult, Plan]]:
    """What `remove_router` would do, to be shown before somebody says yes."""
    found = []
    async with services.routers.session(router) as session:
        for node in router.nodes:
            work = NodeWork(services, session, router, node)
            plan = (await _plan_removal(work, purge_identity=purge_identity)).plan
            found.append((result_of(work, Outcome.NO_OP), plan))
    return found


async def login_router(services: Services, router: Router, *, reauth: bool) -> list[NodeResult]:
    """Log each node of `router` in again where it needs it; with `reauth`, whether it needs it or not."""
    results = []
    async with services.routers.session(router) as session:
        for node in router.nodes:
            work = NodeWork(services, session, router, node)
            facts = await gather(session, router, (node,))
            facts = await with_health(work, observer_for(work, facts), facts)
            if not reauth and facts.health is not None and facts.health.is_healthy:
                results.append(replace(result_of(work, Outcome.NO_OP), evidence=str(facts.health.evidence)))
                continue
            facts = await gather_preconditions(session, facts, router, node, release=None, clock=services.clock)
            plan = plan_login(router=router, node=node, facts=facts, reauth=reauth)
            results.append(await _carry_out(work, Planned(plan, facts, None), done=Outcome.DEPLOYED))
            if results[-1].outcome is Outcome.UNKNOWN:
                break
    return results


async def _plan_removal(work: NodeWork, *, purge_identity: bool) -> Planned:
    session: RouterSession = work.session
    facts = await gather(session, work.router, work.router.nodes, with_extras=True)
    facts = await gather_preconditions(session, facts, work.router, work.node, release=None, clock=work.services.clock)
    plan = plan_removal(router=work.router, node=work.node, facts=facts, purge_identity=purge_identity)
    return Planned(plan, facts, None)


async def _carry_out(work: NodeWork, planned: Planned, *, done: Outcome) -> NodeResult:
    if planned.plan.refusals:
        return result_of(work, Outcome.REFUSED, problem=planned.plan.refusals[0])
    result, _ = await execute(work, observer_for(work, planned.facts), planned, done=done)
    return result
