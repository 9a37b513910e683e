"""Brings one node to another release: attempts the swap, over a bridge twice, and learns from it."""

from dataclasses import replace

from mtts.core.errors import MttsError, StepFailedError
from mtts.core.events import Kind
from mtts.core.image import Release
from mtts.core.outcome import NodeResult, Outcome, joined
from mtts.core.slots import Slots
from mtts.core.strategy import Strategy
from mtts.core.verdict import Hold, extraction_damaged
from mtts.engine.gather import gather
from mtts.engine.prepare_swap import SwapRequest, prepare_swap
from mtts.engine.quarantine import Quarantine
from mtts.engine.services import NodeWork, Outage
from mtts.engine.standing import standing
from mtts.engine.swap import Swap, Swapped
from mtts.engine.transaction_log import TransactionLog


async def swap_node(work: NodeWork, wanted: SwapRequest) -> NodeResult:
    """Have `live` give way to `release`; refused, with nothing written, where a precondition is against it."""
    release, quarantine = wanted.release, wanted.quarantine
    swapped = await _swap_once(work, wanted)
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
            second = await _swap_once(again, SwapRequest(facts, slots, live, release, quarantine))
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
    swapped = await _swap_once(work, SwapRequest(facts, slots, slots.live, release, quarantine))
    return await _learnt(work, swapped, release, quarantine, may_pull_anew=may_pull_anew)


async def _swap_once(work: NodeWork, wanted: SwapRequest) -> Swapped:
    prepared = await prepare_swap(work, wanted)
    if isinstance(prepared, NodeResult):
        return Swapped(prepared)
    facts, live, planned = prepared.facts, prepared.live, prepared.plan
    if work.node.auth_key is not None and planned.transaction.before_start:
        await work.services.secrets.open(work.node.auth_key)  # what cannot be read is found out before a write
    work.tell(Kind.STEP, str(planned.choice))
    log = await TransactionLog.begin(work, planned.transaction, old=live, resource=facts.resource)
    if _entries(await standing(work)) != _entries(wanted.slots):  # another run had the router meanwhile
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
        release=wanted.release,
        was_healthy=facts.health is None or facts.health.is_healthy,
    )
    return await swap.run()


def _entries(slots: Slots) -> set[tuple[str, str, bool]]:
    """The containers of a node, and what their comments say of them."""
    rows = (*slots.leftovers, *(() if slots.live is None else (slots.live,)))
    return {(row.id, row.props.get("comment", ""), row is slots.live) for row in rows}
