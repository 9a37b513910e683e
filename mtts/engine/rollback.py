"""`mtts rollback`: the swap of an update, towards a release that ran before; what is left is held back there."""

from dataclasses import replace

from mtts.core.errors import ImageNotFoundError, Problem, RegistryError
from mtts.core.image import Platform, Release
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.platforms import router_platform
from mtts.core.rollback import Target, choose_target
from mtts.core.slots import Slots
from mtts.core.update import recorded
from mtts.engine.gather import gather
from mtts.engine.leftovers import settle_swaps
from mtts.engine.nodes import on_each_node
from mtts.engine.quarantine import Quarantine
from mtts.engine.services import NodeWork, Services
from mtts.engine.standing import standing
from mtts.engine.swap_node import swap_node


async def rollback_router(
    services: Services, quarantine: Quarantine, router: Router, *, to: Target | None
) -> list[NodeResult]:
    """Every node of `router` on its previous release, or on the one that `to` names."""

    async def roll_back(work: NodeWork) -> tuple[NodeResult, None]:
        return await _roll_back(work, quarantine, to=to), None

    return [result for result, _ in await on_each_node(services, router, roll_back, is_patient=True)]


async def _roll_back(work: NodeWork, quarantine: Quarantine, *, to: Target | None) -> NodeResult:
    async with work.within_deadline():
        settled = await settle_swaps(work, await standing(work), quarantine)
    return await settled.then(work, lambda again: _roll_back_from(again, settled.slots, quarantine, to=to))


async def _roll_back_from(work: NodeWork, slots: Slots, quarantine: Quarantine, *, to: Target | None) -> NodeResult:
    router, node = work.router.name, work.node.name
    async with work.within_deadline():
        verified = recorded(slots.live, router=router, node=node)
        if isinstance(verified, Problem):
            return work.as_found().ended(Outcome.REFUSED, verified)
        live, tag = verified
        as_found = work.as_found(tag)
        facts = await gather(work.session, work.router, (work.node,))
        platform = router_platform(facts.resource, work.router.platform)
        if isinstance(platform, Problem):
            return as_found.ended(Outcome.REFUSED, platform)
        running = tag.platform
        last_step = await quarantine.store.step_to(router, node, running) if running is not None else None
        kin = (work.node.image.name, platform)
        known = [one for one in quarantine.known if (one.image, one.platform) == kin]
        target = choose_target(to, router=router, node=node, last_step=last_step, known=known)
        if isinstance(target, Problem):
            return as_found.ended(Outcome.REFUSED, target)
        release = await _find(work, platform, target)
    if isinstance(release, Problem):
        return as_found.ended(Outcome.REFUSED, release)
    if release.manifest_digest == running and live.is_up:
        return as_found
    result = await swap_node(work, facts=facts, slots=slots, live=live, release=release, quarantine=quarantine)
    if result.outcome is Outcome.UPDATED and running is not None:
        said = await quarantine.add(running, router=router, reason="rolled back by hand")
        result = replace(result, warnings=(*said, *result.warnings))
    return result


async def _find(work: NodeWork, platform: Platform, target: Target) -> Release | Problem:
    """The release behind the first reference that still names it; a digest may be that of its index, too."""
    missing = Problem("image-not-found", f"the registry has no {target.version or target.digest} any more")
    for reference in target.references(work.node.image):
        try:
            release = await work.services.registry.resolve(reference, platform)
        except ImageNotFoundError as error:
            missing = replace(error.problem, hint="mtts history shows what ran before; --to takes a digest, too")
            continue
        except RegistryError as error:
            return error.problem
        if target.digest in (None, release.manifest_digest, release.index_digest):
            return release
    return missing
