"""`mtts rollback`: the swap of an update, towards a release that ran before; what is left is held back there."""

from dataclasses import replace

from mtts.core.errors import ImageNotFoundError, Problem, RegistryError
from mtts.core.image import Platform, Release
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.platforms import router_platform
from mtts.core.rollback import Target, choose_target
from mtts.core.slots import Slots
from mtts.core.tag import Tag
from mtts.core.update import evidence_of, recorded
from mtts.engine.gather import gather
from mtts.engine.leftovers import settle_swaps
from mtts.engine.nodes import on_each_node
from mtts.engine.prepare_swap import SwapRequest
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
        as_found = replace(
            work.as_found(tag), evidence=str(evidence_of(live, via_tailnet=work.router.via == "tailnet"))
        )
        facts = await gather(work.session, work.router, (work.node,))
        platform = router_platform(facts.resource, work.router.platform)
        if isinstance(platform, Problem):
            return as_found.ended(Outcome.REFUSED, platform)
        running = tag.platform
        if to is None and running is not None and live.is_up:
            already = await _rolled_back_already(work, quarantine, tag)
            if already is not None:
                return replace(as_found, warnings=(already,))
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
    wanted = SwapRequest(facts, slots, live, release, quarantine)
    if running is None:
        return await swap_node(work, wanted)
    was_held = any(entry.digest == running for entry in quarantine.entries)
    said = await quarantine.leave(running, router=router)  # beforehand: a run that finishes a killed one goes by it
    result = await swap_node(work, wanted)
    if result.outcome not in (Outcome.UPDATED, Outcome.UNKNOWN, Outcome.PENDING) and not was_held:
        said += await quarantine.lift(running, router=router)
    return replace(result, warnings=(*said, *result.warnings))


async def _rolled_back_already(work: NodeWork, quarantine: Quarantine, running: Tag) -> Problem | None:
    """What a rollback that is repeated is told: a killed one that was finished meanwhile does not go further back."""
    router, node = work.router.name, work.node.name
    for left in quarantine.left_by_hand(router):
        step = await quarantine.store.step_to(router, node, left)
        if step is not None and step.from_digest == running.platform:
            return Problem(
                "rolled-back-already",
                f"node {node} was rolled back from {step.to_version or left.short} to {running.version}",
                f"further back: mtts rollback {router} --to VERSION",
            )
    return None


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
