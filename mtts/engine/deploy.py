"""`mtts deploy`: each node of a router from whatever it is to the inventory's state, over one session.

Every fault ends in a NodeResult whose outcome `core.outcome.settle` decides; one node does not keep the next from
its turn, except by a lost session.
"""

from collections.abc import Sequence
from dataclasses import replace

from mtts.core.errors import MttsError, Problem, SessionLostError
from mtts.core.events import Kind
from mtts.core.facts import Facts
from mtts.core.health import Evidence
from mtts.core.inventory import Router
from mtts.core.outcome import FlashDelta, NodeResult, Outcome, settle
from mtts.core.plan import Plan, fingerprint
from mtts.core.rows import resource
from mtts.engine.apply import Applier
from mtts.engine.gather import gather
from mtts.engine.observe import NodeObserver
from mtts.engine.planning import Planned, observer_for, plan_on
from mtts.engine.services import NodeWork, Services
from mtts.ports import RouterSession


async def deploy_router(
    services: Services, router: Router, *, adopt: bool = False, approved: Sequence[Plan] = ()
) -> list[NodeResult]:
    """Deploy every node of `router`; with `approved`, exactly those plans or a refusal (`plan-stale`)."""
    async with services.routers.session(router) as session:
        facts = await gather(session, router, router.nodes)
        results: list[NodeResult] = []
        for node in router.nodes:
            work = NodeWork(services, session, router, node)
            result, wrote = await _deploy_node(work, facts, adopt=adopt, approved=approved)
            results.append(result)
            if result.outcome is Outcome.UNKNOWN:
                break
            if wrote and node is not router.nodes[-1]:
                facts = await gather(session, router, router.nodes)
    return results


async def _deploy_node(
    work: NodeWork, facts: Facts, *, adopt: bool, approved: Sequence[Plan]
) -> tuple[NodeResult, bool]:
    observer = observer_for(work, facts)
    try:
        planned = await plan_on(work, observer, facts, adopt=adopt)
        problem = _objection(planned, approved, router=work.router.name, node=work.node.name)
    except SessionLostError:
        raise
    except MttsError as error:
        return _result(work, settle(error, wrote=False, serving=False), problem=error.problem), False
    if problem is not None:
        result = _result(work, Outcome.REFUSED, problem=problem)
        return replace(result, warnings=(*planned.plan.refusals[1:], *planned.plan.warnings)), False
    if planned.plan.is_converged:
        return _converged(work, planned), False
    return await _apply(work, observer, planned)


def _objection(planned: Planned, approved: Sequence[Plan], *, router: str, node: str) -> Problem | None:
    if planned.plan.refusals:
        return planned.plan.refusals[0]
    if not approved:
        return None
    wanted = next((plan for plan in approved if (plan.router, plan.node) == (router, node)), None)
    if wanted is None:
        return Problem("plan-stale", f"the plan file says nothing of node {node} on {router}", "plan again")
    if wanted.fingerprint != fingerprint(planned.facts) or wanted.changes != planned.plan.changes:
        return Problem("plan-stale", f"{router} changed since the plan was made", "mtts plan again, and look at it")
    return None


def _converged(work: NodeWork, planned: Planned) -> NodeResult:
    """Nothing to change; but a node that is not healthy is no `no-op`."""
    (container,) = planned.facts.containers_of(work.node.name)
    health = planned.facts.health
    version = container.tag.version if container.tag else None
    result = replace(_result(work, Outcome.NO_OP), from_version=version, to_version=version)
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


async def _apply(work: NodeWork, observer: NodeObserver, planned: Planned) -> tuple[NodeResult, bool]:
    applier = Applier(work, observer, planned.release)
    before = planned.facts.resource.free_flash_bytes
    recorded = [row.tag.version for row in planned.facts.containers_of(work.node.name) if row.tag]
    from_version = recorded[0] if recorded else None
    try:
        for change in planned.plan.changes:
            work.tell(Kind.STEP, change.label)
            await applier.apply(change)
        after = await _free_flash_bytes(work.session)
    except MttsError as error:
        serving = any(row.is_up for row in planned.facts.containers_of(work.node.name))
        outcome = settle(error, wrote=applier.wrote, serving=serving)
        result = _result(work, outcome, problem=error.problem)
        again = f"mtts deploy {work.router.name}"
        return replace(result, from_version=from_version, next_step=error.problem.hint or again), applier.wrote
    outcome = Outcome.DEPLOYED if applier.wrote else Outcome.NO_OP
    result = _result(work, outcome)
    return (
        replace(
            result,
            from_version=from_version,
            to_version=planned.plan.to_version or from_version,
            flash=FlashDelta(before, after),
            evidence=applier.evidence,
            warnings=planned.plan.warnings,
        ),
        applier.wrote,
    )


async def _free_flash_bytes(session: RouterSession) -> int | None:
    rows = await session.print("/system/resource", props=("version", "free-hdd-space"))
    return resource(rows[0]).free_flash_bytes if rows else None


def _result(work: NodeWork, outcome: Outcome, *, problem: Problem | None = None) -> NodeResult:
    return NodeResult(work.router.name, work.node.name, outcome, problem=problem)
