"""`mtts deploy`: each node of a router from whatever it is to the inventory's state, over one session.

Reads once for all nodes, and again after a node that was written for.
"""

from collections.abc import Sequence
from dataclasses import replace

from mtts.core.changes import Remove
from mtts.core.errors import MttsError, Problem
from mtts.core.events import Kind
from mtts.core.facts import Facts
from mtts.core.health import Evidence
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome, joined
from mtts.core.plan import Plan, is_stale
from mtts.core.verdict import extraction_damaged, is_hollow
from mtts.engine.apply import Applier
from mtts.engine.execute import execute
from mtts.engine.gather import gather
from mtts.engine.nodes import on_each_node
from mtts.engine.observe import NodeObserver
from mtts.engine.planning import Planned, observer_for, plan_on
from mtts.engine.services import NodeWork, Services
from mtts.engine.standing import standing


async def deploy_router(
    services: Services, router: Router, *, adopt: bool = False, approved: Sequence[Plan] | None = None
) -> list[NodeResult]:
    """Deploy every node of `router`; with `approved`, exactly those plans or a refusal (`plan-stale`)."""
    facts: Facts | None = None
    has_written = False

    async def deploy(work: NodeWork) -> tuple[NodeResult, None]:
        nonlocal facts, has_written
        facts = facts or await gather(work.session, router, router.nodes)
        try:
            return await _deploy_node(work, facts, adopt=adopt, approved=approved, underway=has_written), None
        finally:
            if work.mark.wrote:
                facts, has_written = None, True

    return [result for result, _ in await on_each_node(services, router, deploy)]


async def _deploy_node(
    work: NodeWork, facts: Facts, *, adopt: bool, approved: Sequence[Plan] | None, underway: bool
) -> NodeResult:
    observer = observer_for(work, facts)
    planned = await plan_on(work, observer, facts, adopt=adopt)
    refusals = planned.plan.refusals
    problem = refusals[0] if refusals else is_stale(planned.plan, approved, underway=underway)
    if problem is not None:
        was = next((row.tag for row in facts.containers_of(work.node.name) if row.tag), None)
        refused = work.as_found(was).ended(Outcome.REFUSED, problem)
        return replace(refused, warnings=(*planned.plan.refusals[1:], *planned.plan.warnings))
    if planned.plan.is_converged:
        result = _converged(work, planned)
        freed = await work.lock.clear(work.session) if work.node is work.router.nodes[0] else ()
        return replace(result, warnings=(*result.warnings, *freed))
    result = await execute(work, observer, planned, done=Outcome.DEPLOYED)
    if result.problem is None or not is_hollow(result.problem):
        return result
    try:
        return await _pulled_anew(work, observer, result, result.problem)
    except MttsError as error:
        return replace(result, warnings=(*result.warnings, error.problem))


async def _pulled_anew(work: NodeWork, observer: NodeObserver, first: NodeResult, failure: Problem) -> NodeResult:
    """The deploy once more, with another container for one that never worked and lacks files of its image (F13)."""
    live = (await standing(work)).live
    if live is None or live.tag is None or live.tag.is_recorded:
        return first
    work.tell(Kind.STEP, "! its image was unpacked only in part; once more, from a clean pull")
    why, identity = "it lacks files of its image", {"root-dir": live.root_dir}
    await Applier(work, observer, None).apply_all([Remove("/container", f"container {live.label}", why, identity)])
    planned = await plan_on(work, observer, await gather(work.session, work.router, work.router.nodes))
    if planned.plan.refusals:
        return replace(first, warnings=(*first.warnings, *planned.plan.refusals))
    second = await execute(work, observer, planned, done=Outcome.DEPLOYED)
    return joined(first, replace(second, warnings=(extraction_damaged(failure), *second.warnings)))


def _converged(work: NodeWork, planned: Planned) -> NodeResult:
    """Nothing to change; but a node that is not healthy is no `no-op`."""
    (container,) = planned.facts.containers_of(work.node.name)
    health = planned.facts.health
    result = work.as_found(container.tag)
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
    return result.ended(Outcome.BROKEN, problem)
