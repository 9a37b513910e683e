"""From a session to a plan: reads as much as the plan needs, and asks the registry only when something is pulled."""

from dataclasses import dataclass, replace

from mtts.core.container_settings import check_command
from mtts.core.dialect import Dialect
from mtts.core.errors import Problem, RegistryError
from mtts.core.facts import Facts
from mtts.core.image import Release
from mtts.core.plan import Plan
from mtts.core.plan_node import plan_node
from mtts.core.platforms import router_platform
from mtts.core.preflight import Check, Level, check_node, check_version
from mtts.core.slots import slots_of
from mtts.core.trust import check_trust
from mtts.engine.gather import gather_preconditions, gather_trust
from mtts.engine.observe import NodeObserver
from mtts.engine.services import NodeWork


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from."""

    plan: Plan
    facts: Facts
    release: Release | None


async def plan_on(work: NodeWork, observer: NodeObserver, facts: Facts, *, adopt: bool = False) -> Planned:
    """The plan for the node of `work` on the router that `facts` tell of."""
    facts = await with_health(work, observer, facts)
    draft = plan_node(router=work.router, node=work.node, facts=facts, adopt=adopt)
    if draft.is_converged or check_version(facts).level is Level.PROBLEM or "/container" in facts.missing_menus:
        return Planned(draft, facts, None)
    facts, release = await with_preconditions(work, facts)
    plan = plan_node(router=work.router, node=work.node, facts=facts, release=release, adopt=adopt)
    return Planned(plan, facts, release if isinstance(release, Release) else None)


async def check_on(work: NodeWork, facts: Facts) -> tuple[Check, ...]:
    """Every precondition of the node of `work`, whether or not a deploy would need it now."""
    if check_version(facts).level is Level.PROBLEM:
        return (check_version(facts),)
    trust = await gather_trust(work.session, facts, work.node)
    facts, release = await with_preconditions(work, facts)
    checks = check_node(facts=facts, router=work.router, node=work.node, release=release)
    command = check_command(facts.containers_of(work.node.name), Dialect(facts.version), work.router.name)
    return (*checks, *check_trust(trust), *command)


async def with_preconditions(work: NodeWork, facts: Facts) -> tuple[Facts, Release | Problem]:
    """The facts with their preconditions, and the release for this router or why there is none."""
    release = await resolve(work, facts)
    known = release if isinstance(release, Release) else None
    facts = await gather_preconditions(
        work.session, facts, work.router, work.node, release=known, clock=work.services.clock
    )
    return facts, release


async def resolve(work: NodeWork, facts: Facts) -> Release | Problem:
    """What the node's image is right now for the router's platform."""
    platform = router_platform(facts.resource, work.router.platform)
    if isinstance(platform, Problem):
        return platform
    try:
        return await work.services.registry.resolve(work.node.image, platform)
    except RegistryError as error:
        return error.problem


async def with_health(work: NodeWork, observer: NodeObserver, facts: Facts) -> Facts:
    """The facts with one look at the node, when its container is up."""
    slots = slots_of(facts.containers, work.node.name)
    container = None if isinstance(slots, Problem) else slots.in_service
    if container is None or not container.is_up:
        return replace(facts, health=None)
    return replace(facts, health=await observer.quick(container))


def observer_for(work: NodeWork, facts: Facts) -> NodeObserver:
    return NodeObserver(work.session, Dialect(facts.version))
