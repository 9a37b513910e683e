"""The commands that only look: `plan`, `check`, `status`, `logs`."""

from collections.abc import Callable
from dataclasses import replace

from mtts.core.errors import Problem, StepFailedError
from mtts.core.facts import ContainerRow, Facts
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.plan import Plan
from mtts.core.preflight import Level, NodeChecks
from mtts.core.status import NodeLog, NodeStatus
from mtts.engine.execute import result_of
from mtts.engine.gather import gather, gather_containers
from mtts.engine.planning import check_on, observer_for, plan_on, resolve, with_health
from mtts.engine.services import NodeWork, Services


async def plan_router(services: Services, router: Router, *, adopt: bool) -> list[tuple[NodeResult, Plan]]:
    """What a deploy would do to each node; nothing is written."""
    found = []
    async with services.routers.session(router) as session:
        facts = await gather(session, router, router.nodes)
        for node in router.nodes:
            work = NodeWork(services, session, router, node)
            plan = (await plan_on(work, observer_for(work, facts), facts, adopt=adopt)).plan
            result = result_of(work, Outcome.REFUSED if plan.refusals else Outcome.NO_OP)
            problem = plan.refusals[0] if plan.refusals else None
            pending = bool(plan.changes) and not plan.refusals
            found.append((replace(result, problem=problem, warnings=plan.warnings, changes_pending=pending), plan))
    return found


async def check_router(services: Services, router: Router) -> list[tuple[NodeResult, NodeChecks]]:
    """Every precondition of each node."""
    found = []
    async with services.routers.session(router) as session:
        facts = await gather(session, router, router.nodes)
        for node in router.nodes:
            work = NodeWork(services, session, router, node)
            checks = await check_on(work, facts)
            problems = [check.problem for check in checks if check.level is Level.PROBLEM]
            warnings = tuple(check.problem for check in checks if check.level is Level.WARNING and check.problem)
            result = result_of(work, Outcome.REFUSED if problems else Outcome.NO_OP)
            result = replace(result, problem=problems[0] if problems else None, warnings=warnings)
            found.append((result, NodeChecks(router.name, node.name, checks)))
    return found


async def status_router(services: Services, router: Router) -> list[tuple[NodeResult, NodeStatus]]:
    """How each node stands, and what its image is now."""
    found = []
    async with services.routers.session(router) as session:
        facts = await gather(session, router, router.nodes)
        for node in router.nodes:
            work = NodeWork(services, session, router, node)
            status = await _status(work, facts)
            found.append((_judge(work, status), status))
    return found


async def log_router(
    services: Services, router: Router, *, follow: bool, show: Callable[[str, str], None]
) -> list[tuple[NodeResult, NodeLog]]:
    """The log of each of the router's nodes; with `follow`, for as long as the run goes on.

    Each line goes to `show` as it comes, with the name of its node, and is returned at the end.
    """
    seen: dict[str, dict[str, str]] = {node.name: {} for node in router.nodes}
    async with services.routers.session(router) as session:
        facts = await gather(session, router, router.nodes)
        while True:
            containers = await gather_containers(session)
            for node in router.nodes:
                observer = observer_for(NodeWork(services, session, router, node), facts)
                for key, message in await observer.log(_only(containers, node.name, router)):
                    if key not in seen[node.name]:
                        seen[node.name][key] = message
                        show(node.name, message)
            if not follow:
                break
            await services.clock.sleep(router.timing.poll_s)
    return [
        (NodeResult(router.name, name, Outcome.NO_OP), NodeLog(router.name, name, tuple(messages.values())))
        for name, messages in seen.items()
    ]


def _only(containers: tuple[ContainerRow, ...], node: str, router: Router) -> ContainerRow:
    mine = [row for row in containers if row.tag is not None and row.tag.node == node]
    if not mine:
        raise StepFailedError(
            f"{router.name} has no node {node}", code="not-deployed", hint=f"mtts deploy {router.name}"
        )
    return mine[0]


async def _status(work: NodeWork, facts: Facts) -> NodeStatus:
    facts = await with_health(work, observer_for(work, facts), facts)
    containers = facts.containers_of(work.node.name)
    container = containers[0] if containers else None
    tag = container.tag if container else None
    return NodeStatus(
        router=work.router.name,
        node=work.node.name,
        routeros=facts.resource.version_text,
        state=str(container.state) if container else "absent",
        version=tag.version if tag else None,
        platform_digest=tag.platform if tag else None,
        latest=await resolve(work, facts),
        health=facts.health,
        free_flash_bytes=facts.resource.free_flash_bytes,
        total_flash_bytes=facts.resource.total_flash_bytes,
    )


def _judge(work: NodeWork, status: NodeStatus) -> NodeResult:
    version = status.version
    if status.state == "absent" or status.serves:
        evidence = str(status.health.evidence) if status.health else None
        return replace(result_of(work, Outcome.NO_OP), from_version=version, evidence=evidence)
    said = f", and the node says {status.health.backend_state}" if status.health else ""
    problem = Problem("not-healthy", f"the container is {status.state}{said}", f"mtts deploy {work.router.name}")
    return replace(result_of(work, Outcome.BROKEN, problem=problem), from_version=version, next_step=problem.hint)
