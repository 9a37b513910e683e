"""Brings one node to another release: reads all that a swap needs, plans it, attempts it, and learns from it."""

import secrets
from dataclasses import dataclass, replace
from typing import Final

from mtts.core.desired import KEY_FILE, STATE_FILE
from mtts.core.dialect import Dialect
from mtts.core.errors import MttsError, StepFailedError
from mtts.core.events import Kind
from mtts.core.facts import ContainerRow, Facts, Resource
from mtts.core.image import Release
from mtts.core.outcome import NodeResult, Outcome, joined
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
from mtts.core.strategy import Strategy
from mtts.core.values import parse_size
from mtts.core.verdict import Hold, extraction_damaged
from mtts.engine.gather import gather, gather_containers, gather_preconditions, gather_resource, read_file
from mtts.engine.planning import observer_for
from mtts.engine.quarantine import Quarantine
from mtts.engine.services import NodeWork, Outage
from mtts.engine.standing import standing
from mtts.engine.swap import Swap, Swapped
from mtts.engine.transaction_log import TransactionLog

_STEADY_LOOKS: Final = 5
"""After so many samples that differ, the smallest one counts: something else writes to the flash all the time."""


async def swap_node(
    work: NodeWork,
    *,
    facts: Facts,
    slots: Slots,
    live: ContainerRow,
    release: Release,
    quarantine: Quarantine,
    allow_in_place: bool = False,
) -> NodeResult:
    """Swap `live` for `release`; refused, with nothing written, where a precondition is against it."""
    swapped = await _swap_once(
        work,
        facts=facts,
        slots=slots,
        live=live,
        release=release,
        quarantine=quarantine,
        allow_in_place=allow_in_place,
    )
    first = await _learnt(work, swapped, release, quarantine)
    if first.outcome is not Outcome.UPDATED or first.strategy != Strategy.RAM_BRIDGE:
        return first
    async with work.anew() as again:
        was_damaged = any(warning.code == "extraction-damaged" for warning in first.warnings)
        second = await _to_flash(again, release, quarantine, may_pull_anew=not was_damaged)
    return first if second is None else joined(first, second)


async def _learnt(
    work: NodeWork, swapped: Swapped, release: Release, quarantine: Quarantine, *, may_pull_anew: bool = True
) -> NodeResult:
    """The end of a swap, after one more where its image was unpacked only in part, with what that says of it on record.

    An extraction that went wrong is no fault of the release; one that does so twice in a row is taken for one (F13).
    """
    if swapped.is_hollow and may_pull_anew:
        swapped = await _pulled_anew(work, swapped, release, quarantine)
    said = await quarantine.learn(swapped.result, swapped.hold, release.manifest_digest)
    return replace(swapped.result, warnings=(*swapped.result.warnings, *said))


async def _pulled_anew(work: NodeWork, first: Swapped, release: Release, quarantine: Quarantine) -> Swapped:
    """The same swap over a session of its own, from a clean pull; the first one where that does not come about."""
    unjudged = replace(first, hold=Hold.NOWHERE)
    if first.result.problem is None:
        return unjudged
    try:
        async with work.anew() as session:
            again = replace(session, outage=Outage())
            slots = await standing(again)
            live = slots.live
            if slots.leftovers or live is None or live.tag is None or not live.tag.is_recorded:
                return unjudged
            work.tell(Kind.STEP, "! its image was unpacked only in part; once more, from a clean pull")
            facts = await gather(again.session, again.router, (again.node,))
            second = await _swap_once(
                again,
                facts=facts,
                slots=slots,
                live=live,
                release=release,
                quarantine=quarantine,
                allow_in_place=False,
            )
    except MttsError as error:
        return replace(unjudged, result=replace(first.result, warnings=(*first.result.warnings, error.problem)))
    damaged = extraction_damaged(first.result.problem)
    result = joined(first.result, replace(second.result, warnings=(damaged, *second.result.warnings)))
    if second.result.outcome in (Outcome.REFUSED, Outcome.KEPT_OLD):  # how the router stands, the first one said
        result = replace(result, outcome=first.result.outcome)
    return replace(second, result=result)


async def _to_flash(
    work: NodeWork, release: Release, quarantine: Quarantine, *, may_pull_anew: bool
) -> NodeResult | None:
    """The swap of a container that serves from memory; None where the one that serves does not."""
    slots = await standing(work)
    if slots.live is None or slots.live.tag is None or not slots.live.tag.in_ram:
        return None
    work.tell(Kind.STEP, "it serves from memory; now the flash")
    facts = await gather(work.session, work.router, (work.node,))
    swapped = await _swap_once(
        work, facts=facts, slots=slots, live=slots.live, release=release, quarantine=quarantine, allow_in_place=False
    )
    return await _learnt(work, swapped, release, quarantine, may_pull_anew=may_pull_anew)


async def _swap_once(
    work: NodeWork,
    *,
    facts: Facts,
    slots: Slots,
    live: ContainerRow,
    release: Release,
    quarantine: Quarantine,
    allow_in_place: bool,
) -> Swapped:
    prepared = await _prepare(
        work,
        facts=facts,
        slots=slots,
        live=live,
        release=release,
        quarantine=quarantine,
        allow_in_place=allow_in_place,
    )
    if isinstance(prepared, NodeResult):
        return Swapped(prepared)
    facts, live, planned = prepared.facts, prepared.live, prepared.plan
    if work.node.auth_key is not None and planned.transaction.before_start:
        await work.services.secrets.open(work.node.auth_key)  # what cannot be read is found out before a write
    work.tell(Kind.STEP, str(planned.choice))
    log = await TransactionLog.begin(work, planned.transaction, old=live, resource=facts.resource)
    if _entries(await standing(work)) != _entries(slots):  # another run had the router meanwhile
        raise StepFailedError(
            f"{work.router.name} changed since it was looked at", code="changed-underway", hint="run the command again"
        )
    swap = Swap(
        work,
        planned.transaction,
        old=live,
        resource=facts.resource,
        log=log,
        plan=planned,
        release=release,
        was_healthy=facts.health is None or facts.health.is_healthy,
    )
    return await swap.run()


async def foretell(
    work: NodeWork,
    *,
    facts: Facts,
    slots: Slots,
    live: ContainerRow,
    release: Release,
    quarantine: Quarantine,
    allow_in_place: bool,
) -> NodeResult:
    """How `swap_node` would go about it and at which price, or why it would not; nothing is written.

    RouterLockedError where another run is at work on the router.
    """
    await work.lock.stale(work.session)
    prepared = await _prepare(
        work,
        facts=facts,
        slots=slots,
        live=live,
        release=release,
        quarantine=quarantine,
        allow_in_place=allow_in_place,
    )
    if isinstance(prepared, NodeResult):
        return prepared
    planned = prepared.plan
    return replace(
        work.as_found(live.tag),
        strategy=str(planned.choice.strategy),
        expected=planned.choice,
        to_version=release.version,
        to_digest=release.manifest_digest,
        warnings=planned.warnings,
        changes_pending=True,
    )


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A swap that could begin now."""

    facts: Facts
    live: ContainerRow
    plan: SwapPlan


async def _prepare(
    work: NodeWork,
    *,
    facts: Facts,
    slots: Slots,
    live: ContainerRow,
    release: Release,
    quarantine: Quarantine,
    allow_in_place: bool,
) -> _Prepared | NodeResult:
    """Read all that a swap needs and plan it; how the node ends where nothing may be swapped. Writes nothing."""
    as_found = work.as_found(live.tag)
    async with work.within_deadline():
        facts = await _with_preconditions(work, facts, live, release)
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
        old_bytes=next((one.extracted_bytes for one in quarantine.known if one.manifest_digest == running), None),
        allow_in_place=allow_in_place,
    )
    planned = plan_swap(
        router=work.router, node=work.node, facts=facts, slots=slots, live=live, release=release, order=order
    )
    if isinstance(planned, Refused):
        first, *others = planned.problems
        return replace(as_found.ended(Outcome.REFUSED, first), warnings=(*others, *planned.warnings))
    return _Prepared(facts, live, planned)


def _entries(slots: Slots) -> set[tuple[str, str, bool]]:
    """The containers of a node, and what their comments say of them."""
    rows = (*slots.leftovers, *(() if slots.live is None else (slots.live,)))
    return {(row.id, row.props.get("comment", ""), row is slots.live) for row in rows}


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
