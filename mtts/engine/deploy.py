"""`mtts deploy`: each node of a router from whatever it is to the inventory's state, over one session.

Every fault ends in a NodeResult whose outcome `core.outcome.settle` decides; one node does not keep the next from
its turn, except by a lost session.
"""

from collections.abc import Sequence
from dataclasses import replace

from mtts.core.errors import MttsError, Problem
from mtts.core.facts import Facts
from mtts.core.health import Evidence
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome, settle
from mtts.core.plan import Plan, fingerprint
from mtts.engine.execute import execute, result_of
from mtts.engine.gather import gather
from mtts.engine.planning import Planned, observer_for, plan_on
from mtts.engine.services import NodeWork, Services


async def deploy_router(
    services: Services, router: Router, *, adopt: bool = False, approved: Sequence[Plan] = ()
) -> list[NodeResult]:
    """Deploy every node of `router`; with `approved`, exactly those plans or a refusal (`plan-stale`)."""
    results: list[NodeResult] = []
    facts: Facts | None = None
    has_written = False
    async with services.routers.session(router) as session:
        for node in router.nodes:
            work = NodeWork(services, session, router, node)
            try:
                facts = facts or await gather(session, router, router.nodes)
                result, wrote = await _deploy_node(work, facts, adopt=adopt, approved=approved, underway=has_written)
            except MttsError as error:  # while reading; a lost session says so again for every node that is left
                result, wrote = result_of(work, settle(error, wrote=False, serving=False), problem=error.problem), False
            results.append(result)
            if wrote:
                facts, has_written = None, True
    return results


async def _deploy_node(
    work: NodeWork, facts: Facts, *, adopt: bool, approved: Sequence[Plan], underway: bool
) -> tuple[NodeResult, bool]:
    observer = observer_for(work, facts)
    planned = await plan_on(work, observer, facts, adopt=adopt)
    problem = _objection(work, planned, approved, underway=underway)
    if problem is not None:
        result = result_of(work, Outcome.REFUSED, problem=problem)
        return replace(result, warnings=(*planned.plan.refusals[1:], *planned.plan.warnings)), False
    if planned.plan.is_converged:
        return _converged(work, planned), False
    return await execute(work, observer, planned, done=Outcome.DEPLOYED)


def _objection(work: NodeWork, planned: Planned, approved: Sequence[Plan], *, underway: bool) -> Problem | None:
    """Why the plan is not carried out; `underway` when another node of the same router was written for before."""
    router, node = work.router.name, work.node.name
    if planned.plan.refusals:
        return planned.plan.refusals[0]
    if not approved:
        return None
    wanted = next((plan for plan in approved if (plan.router, plan.node) == (router, node)), None)
    if wanted is None:
        return Problem("plan-stale", f"the plan file says nothing of node {node} on {router}", "plan again")
    if underway:  # what the nodes share is there by now, so that less is left to do than was approved
        is_stale = any(change not in wanted.changes for change in planned.plan.changes)
    else:
        is_stale = wanted.fingerprint != fingerprint(planned.facts) or wanted.changes != planned.plan.changes
    if is_stale:
        return Problem("plan-stale", f"{router} changed since the plan was made", "mtts plan again, and look at it")
    return None


def _converged(work: NodeWork, planned: Planned) -> NodeResult:
    """Nothing to change; but a node that is not healthy is no `no-op`."""
    (container,) = planned.facts.containers_of(work.node.name)
    health = planned.facts.health
    version = container.tag.version if container.tag else None
    result = replace(result_of(work, Outcome.NO_OP), from_version=version, to_version=version)
    if health is None:
        return replace(result, evidence=str(Evidence.RECORD))
    if health.is_healthy:
        return replace(result, evidence=str(health.evidence))
    code = "needs-login" if health.needs_login else "not-healthy"
    problem = Problem(
        code,
        f"the container runs, but its node says {health.backend_state}",
        f"mtts login {work.router.name}" if health.needs_login else f"mtts logs {work.router.name}",
    )
    return replace(result, outcome=Outcome.BROKEN, problem=problem, next_step=problem.hint)
