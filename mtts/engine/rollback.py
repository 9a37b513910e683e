"""`mtts rollback`: the swap of an update, towards a release that ran before; what is left is held back there."""

from dataclasses import replace
from typing import Final

from mtts.core.errors import ImageNotFoundError, Problem, RegistryError
from mtts.core.facts import ContainerRow, Facts
from mtts.core.image import Release
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.platforms import router_platform
from mtts.core.rollback import Target, choose_target
from mtts.engine.execute import result_of
from mtts.engine.gather import gather
from mtts.engine.nodes import on_each_node
from mtts.engine.quarantine import Quarantine
from mtts.engine.services import NodeWork, Services
from mtts.engine.swap import standing
from mtts.engine.swap_node import swap_node

_HISTORY: Final = 200
"""Results of a router to look through for what ran before."""


async def rollback_router(
    services: Services, quarantine: Quarantine, router: Router, *, to: str | None
) -> list[NodeResult]:
    """Every node of `router` on its previous release, or on the one that `to` names."""

    async def roll_back(work: NodeWork) -> tuple[NodeResult, None]:
        return await _roll_back(replace(work, services=services), quarantine, to=to), None

    # The deadline of the router ends a staging, but never a switch that has begun: the swap sees to that.
    return [result for result, _ in await on_each_node(replace(services, timeout_s=None), router, roll_back)]


async def _roll_back(work: NodeWork, quarantine: Quarantine, *, to: str | None) -> NodeResult:
    router, node = work.router.name, work.node.name
    slots = await standing(work)
    live = slots.live
    if live is None or live.tag is None or not live.tag.is_recorded:
        problem = Problem("not-deployed", f"{router} has no verified node {node}", f"mtts deploy {router}")
        return result_of(work, Outcome.REFUSED, problem=problem)
    running = live.tag.platform
    target = choose_target(
        to,
        router=router,
        node=node,
        running=running,
        history=await quarantine.store.history([router], limit=_HISTORY),
        known=quarantine.known,
    )
    if isinstance(target, Problem):
        return _refused(work, live, target)
    facts = await gather(work.session, work.router, (work.node,))
    release = await _find(work, facts, target)
    if isinstance(release, Problem):
        return _refused(work, live, release)
    if release.manifest_digest == running and live.is_up:
        version = live.tag.version
        return replace(result_of(work, Outcome.NO_OP), from_version=version, to_version=version)
    result = await swap_node(work, facts=facts, slots=slots, live=live, release=release, quarantine=quarantine)
    if result.outcome is Outcome.UPDATED and running is not None:
        await quarantine.add(running, router=router, reason="rolled back by hand")
    return result


def _refused(work: NodeWork, live: ContainerRow, problem: Problem) -> NodeResult:
    version = live.tag.version if live.tag else None
    return replace(result_of(work, Outcome.REFUSED, problem=problem), from_version=version)


async def _find(work: NodeWork, facts: Facts, target: Target) -> Release | Problem:
    """The release behind the first reference that still names it."""
    platform = router_platform(facts.resource, work.router.platform)
    if isinstance(platform, Problem):
        return platform
    missing = Problem("image-not-found", f"the registry has no {target.version or target.digest} any more")
    for reference in target.references(work.node.image):
        try:
            release = await work.services.registry.resolve(reference, platform)
        except ImageNotFoundError as error:
            missing = error.problem
            continue
        except RegistryError as error:
            return error.problem
        if target.digest in (None, release.manifest_digest):
            return release
    return missing
