"""Reads all that a swap of a node's container needs and plans it; writes nothing.

`mtts update --check` ends here, so that it foretells by the very rules that the swap goes by.
"""

import secrets
from dataclasses import dataclass, replace
from typing import Final

from mtts.core.desired import KEY_FILE, STATE_FILE
from mtts.core.dialect import Dialect
from mtts.core.facts import ContainerRow, Facts, Resource
from mtts.core.image import Release
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.plan_update import (
    COPIED,
    Refused,
    SwapOrder,
    SwapPlan,
    needs_login,
    no_key_for_starts,
    plan_swap,
    state_not_mounted,
    state_source,
)
from mtts.core.rows import items
from mtts.core.slots import Slots, other_slot
from mtts.core.values import parse_size
from mtts.engine.gather import gather_containers, gather_preconditions, gather_resource, read_file
from mtts.engine.planning import observer_for
from mtts.engine.quarantine import Quarantine
from mtts.engine.services import NodeWork

_STEADY_LOOKS: Final = 5
"""After so many samples that differ, the smallest one counts: something else writes to the flash all the time."""


@dataclass(frozen=True, slots=True)
class SwapRequest:
    """A swap that is wanted, and what is known by then."""

    facts: Facts
    slots: Slots
    live: ContainerRow
    """What is to give way."""
    release: Release
    quarantine: Quarantine
    allow_in_place: bool = False


@dataclass(frozen=True, slots=True)
class PreparedSwap:
    """A swap that could begin now."""

    facts: Facts
    live: ContainerRow
    plan: SwapPlan


async def prepare_swap(work: NodeWork, wanted: SwapRequest) -> PreparedSwap | NodeResult:
    """A swap that could begin now; how the node ends where nothing may be swapped."""
    facts, live = wanted.facts, wanted.live
    as_found = work.as_found(live.tag)
    async with work.within_deadline():
        facts = await _with_preconditions(work, facts, live, wanted.release)
        if live.tag is not None and live.tag.adopted:
            live = await _with_all_settings(work, live)
        has_key = not work.node.ephemeral or await _has_key(work, facts, live)
        has_state = work.node.ephemeral or await _has_state(work, facts, live)
    if facts.health is not None and facts.health.needs_login:
        return as_found.ended(Outcome.BROKEN, needs_login(work.router.name, work.node.name, facts.health))
    if not has_key:
        return as_found.ended(Outcome.REFUSED, no_key_for_starts(work.router.name, work.node.name))
    if not has_state:
        return as_found.ended(Outcome.REFUSED, state_not_mounted(work.router.name, live))
    running = live.tag.platform if live.tag is not None else None
    order = SwapOrder(
        transaction=secrets.token_hex(4),
        bridge=work.services.scripts.bridge,
        old_bytes=next(
            (one.extracted_bytes for one in wanted.quarantine.known if one.manifest_digest == running), None
        ),
        allow_in_place=wanted.allow_in_place,
    )
    planned = plan_swap(
        router=work.router,
        node=work.node,
        facts=facts,
        slots=wanted.slots,
        live=live,
        release=wanted.release,
        order=order,
    )
    if isinstance(planned, Refused):
        first, *others = planned.problems
        return replace(as_found.ended(Outcome.REFUSED, first), warnings=(*others, *planned.warnings))
    return PreparedSwap(facts, live, planned)


async def foretell_swap(work: NodeWork, wanted: SwapRequest) -> NodeResult:
    """How the swap would go about it and at which price, or why it would not.

    RouterLockedError where another run is at work on the router.
    """
    await work.lock.stale(work.session)
    prepared = await prepare_swap(work, wanted)
    if isinstance(prepared, NodeResult):
        return prepared
    planned = prepared.plan
    return replace(
        work.as_found(wanted.live.tag),
        strategy=str(planned.choice.strategy),
        expected=planned.choice,
        to_version=wanted.release.version,
        to_digest=wanted.release.manifest_digest,
        warnings=planned.warnings,
        changes_pending=True,
    )


async def _with_preconditions(work: NodeWork, facts: Facts, live: ContainerRow, release: Release) -> Facts:
    """The facts with preconditions, a free flash that holds still, and who the node is in the tailnet."""
    facts = await gather_preconditions(
        work.session,
        facts,
        work.router,
        work.node,
        release=release,
        clock=work.services.clock,
        slot=other_slot(live.root_dir),
    )
    observer = observer_for(work, facts)
    health = (await observer.status(live) or await observer.quick(live)) if live.is_up else None
    return replace(facts, resource=await _steady(work, facts.resource), health=health)


async def _with_all_settings(work: NodeWork, live: ContainerRow) -> ContainerRow:
    """The container with every setting that its successor inherits: somebody may have used any of them."""
    rows = await gather_containers(work.session, also=COPIED)
    props = next((row.props for row in rows if row.id == live.id), live.props)
    return replace(live, props=props)


async def _steady(work: NodeWork, first: Resource) -> Resource:
    """The router's resources once two looks, `gap` apart, agree on the free flash: RouterOS accounts for it late."""
    seen = first
    for _ in range(_STEADY_LOOKS):
        await work.services.clock.sleep(work.router.timing.gap_s)
        previous, seen = seen, await gather_resource(work.session, work.router)
        if seen.free_flash_bytes == previous.free_flash_bytes:
            return seen
    free = [known.free_flash_bytes for known in (first, seen) if known.free_flash_bytes is not None]
    return replace(seen, free_flash_bytes=min(free, default=None))


async def _has_state(work: NodeWork, facts: Facts, live: ContainerRow) -> bool:
    """Whether the node's state lies on the router, in a directory that both slots mount (F28)."""
    return await _keeps(work, facts, live, STATE_FILE)


async def _has_key(work: NodeWork, facts: Facts, live: ContainerRow) -> bool:
    """Whether a node that logs in at every start can do so at the next one; an adopted one's owner saw to that."""
    is_adopted = live.tag is not None and live.tag.adopted
    return work.node.auth_key is not None or is_adopted or await _keeps(work, facts, live, KEY_FILE)


async def _keeps(work: NodeWork, facts: Facts, live: ContainerRow, name: str) -> bool:
    """Whether a file that is not empty lies in the directory that the node's state is mounted from."""
    mounts = items(await work.session.print("/container/mounts"))
    source = state_source(live, mounts, Dialect(facts.version))
    if source is None:
        return False
    size = await read_file(work.session, f"{source}/{name}", "size")
    return bool(size and parse_size(size))
