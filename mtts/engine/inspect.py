"""The commands that only look: `plan`, `check`, `status`, `logs`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mtts.core.errors import Problem, StepFailedError
from mtts.core.facts import ContainerRow, Facts
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.plan import Plan
from mtts.core.preflight import Check, Level, NodeChecks
from mtts.core.slots import Slots, bridge_down, not_deployed, slots_of, transaction_open
from mtts.core.status import NodeLog, NodeStatus
from mtts.engine.gather import gather, gather_containers
from mtts.engine.nodes import on_each_node
from mtts.engine.planning import check_on, observer_for, plan_on, resolve, with_health
from mtts.engine.services import NodeWork, Services


async def plan_router(services: Services, router: Router, *, adopt: bool) -> list[tuple[NodeResult, Plan | None]]:
    """What a deploy would do to each node; nothing is written."""
    facts: Facts | None = None

    async def plan_one(work: NodeWork) -> tuple[NodeResult, Plan]:
        nonlocal facts
        facts = facts or await gather(work.session, router, router.nodes)
        plan = (await plan_on(work, observer_for(work, facts), facts, adopt=adopt)).plan
        result = _refused_by(work, plan.refusals)
        pending = bool(plan.changes) and result.problem is None
        return replace(result, warnings=plan.warnings, changes_pending=pending), plan

    return await on_each_node(services, router, plan_one)


async def check_router(services: Services, router: Router) -> list[tuple[NodeResult, NodeChecks | None]]:
    """Every precondition of each node."""

    async def check_one(work: NodeWork) -> tuple[NodeResult, NodeChecks]:
        checks = await check_on(work, await gather(work.session, router, (work.node,)))
        lock = await _lock_seen(work)
        if lock is not None:
            checks = (*checks, Check("lock", Level.WARNING, lock.message, lock))
        problems = [check.problem for check in checks if check.level is Level.PROBLEM and check.problem]
        warnings = tuple(check.problem for check in checks if check.level is Level.WARNING and check.problem)
        return replace(_refused_by(work, problems), warnings=warnings), NodeChecks(router.name, work.node.name, checks)

    return await on_each_node(services, router, check_one)


async def status_router(services: Services, router: Router) -> list[tuple[NodeResult, NodeStatus | None]]:
    """How each node stands, and what its image is now."""
    facts: Facts | None = None

    async def look(work: NodeWork) -> tuple[NodeResult, NodeStatus]:
        nonlocal facts
        facts = facts or await gather(work.session, router, router.nodes)
        status = await _status(work, facts)
        result, lock = _judge(work, status), await _lock_seen(work)
        return replace(result, warnings=(*result.warnings, *(() if lock is None else (lock,)))), status

    return await on_each_node(services, router, look)


async def log_router(
    services: Services, router: Router, *, follow: Callable[[], bool], show: Callable[[str, str], None]
) -> list[tuple[NodeResult, NodeLog | None]]:
    """The log of each of the router's nodes; of its first one for as long as `follow` says.

    Each line goes to `show` as it comes, with the name of its node, and is returned at the end.
    """

    async def read(work: NodeWork) -> tuple[NodeResult, NodeLog]:
        facts = await gather(work.session, router, (work.node,))
        observer, seen = observer_for(work, facts), dict[str, str]()
        while True:
            container = _only(await gather_containers(work.session), work.node.name, router)
            for key, message in await observer.log(container):
                if key not in seen:
                    seen[key] = message
                    show(work.node.name, message)
            if not follow():
                return work.as_found(), NodeLog(router.name, work.node.name, tuple(seen.values()))
            await services.clock.sleep(router.timing.poll_s)

    return await on_each_node(services, router, read)


def _refused_by(work: NodeWork, problems: Sequence[Problem]) -> NodeResult:
    """The node as found, or refused for the first of the problems."""
    return work.as_found().ended(Outcome.REFUSED, problems[0]) if problems else work.as_found()


def _only(containers: tuple[ContainerRow, ...], node: str, router: Router) -> ContainerRow:
    mine = [row for row in containers if row.tag is not None and row.tag.node == node]
    if not mine:
        raise StepFailedError.of(not_deployed(router.name, node))
    return next((row for row in mine if row.is_up), mine[0])


async def _lock_seen(work: NodeWork) -> Problem | None:
    """What is to be said of the router's lock, once for all its nodes."""
    return await work.lock.seen(work.session) if work.node is work.router.nodes[0] else None


async def _status(work: NodeWork, facts: Facts) -> NodeStatus:
    facts = await with_health(work, observer_for(work, facts), facts)
    slots = slots_of(facts.containers, work.node.name)
    if isinstance(slots, Problem):
        raise StepFailedError.of(slots)
    container = slots.in_service
    tag = container.tag if container is slots.live and container else None
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
        open_update=_open_update(work, slots),
    )


def _open_update(work: NodeWork, slots: Slots) -> Problem | None:
    router, node = work.router.name, work.node.name
    if slots.is_bridge_down:
        return bridge_down(router, node, slots)
    return transaction_open(router, node) if slots.open_transaction is not None else None


def _judge(work: NodeWork, status: NodeStatus) -> NodeResult:
    as_found = replace(work.as_found(), from_version=status.version)
    is_open = status.open_update
    if status.state == "absent" or status.serves:
        evidence = str(status.health.evidence) if status.health else None
        return replace(as_found, evidence=evidence, warnings=() if is_open is None else (is_open,))
    said = f", and the node says {status.health.backend_state}" if status.health else ""
    if is_open is not None:
        told = replace(is_open, message=f"the container is {status.state}{said}, and {is_open.message}")
        return as_found.ended(Outcome.PENDING, told)
    problem = Problem("not-healthy", f"the container is {status.state}{said}", f"mtts deploy {work.router.name}")
    return as_found.ended(Outcome.BROKEN, problem)
