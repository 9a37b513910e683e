"""Finishes or undoes what an interrupted update left on a router, before anything new begins."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from mtts.core.dialect import Dialect
from mtts.core.errors import MttsError, Problem, RegistryError, StepFailedError
from mtts.core.events import Kind
from mtts.core.facts import ContainerRow, ContainerState, Resource
from mtts.core.image import Digest, Release
from mtts.core.inventory import NodeSpec
from mtts.core.outcome import NodeResult, Outcome, after, settle
from mtts.core.plan_update import bridge_taken_down, open_swap
from mtts.core.platforms import router_platform
from mtts.core.slots import Slots, is_in_memory, not_deployed, removals, serving
from mtts.core.transaction import Seen, Step, Transaction, seen_of
from mtts.core.verdict import Hold
from mtts.engine.apply import Applier
from mtts.engine.gather import gather_resource
from mtts.engine.observe import NodeObserver
from mtts.engine.quarantine import Quarantine
from mtts.engine.services import Mark, NodeWork
from mtts.engine.standing import standing
from mtts.engine.swap import Swap, is_gone
from mtts.engine.swap_steps import SwapSteps
from mtts.engine.transaction_log import TransactionLog, close_settled


@dataclass(frozen=True, slots=True)
class Settled:
    """A node whose earlier swaps are over."""

    slots: Slots
    """A release that is staged and waits for its turn is still there."""
    result: NodeResult | None = None
    """How an open swap ended."""
    warnings: tuple[Problem, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether nothing more may be done to the node now; what nobody proved is still replaced by something else."""
        if self.result is None or (self.result.outcome is Outcome.BROKEN and self.slots.is_unproven):
            return False
        return self.result.outcome in (Outcome.BROKEN, Outcome.UNKNOWN, Outcome.PENDING)

    async def then(self, work: NodeWork, do: Callable[[NodeWork], Awaitable[NodeResult]]) -> NodeResult:
        """What came of `do`, with how the open swap ended; that alone where nothing more may be done now."""
        before = self.result
        if before is None:
            return self.told(await do(work))
        if self.is_final:
            return before
        mark = Mark()
        try:
            async with work.anew() as again:  # the swap may have cost the session that it began with
                return self.told(await do(replace(again, mark=mark)))
        except MttsError as error:
            if mark.wrote:
                raise
            return self.told(work.as_found().ended(settle(error, wrote=False, serving=True), error.problem))

    def told(self, result: NodeResult) -> NodeResult:
        """What came after it, with how the open swap ended, or with what was cleared away: a run that wrote says so."""
        if self.result is not None:
            return after(replace(self.result, warnings=(*self.result.warnings, *self.warnings)), result)
        if self.warnings and result.outcome is Outcome.NO_OP and not result.changes_pending:
            result = replace(result, outcome=Outcome.UPDATED)
        if self.warnings and result.outcome is Outcome.REFUSED and result.problem is not None:
            is_up = self.slots.live is not None and self.slots.live.is_up
            outcome = settle(StepFailedError.of(result.problem), wrote=True, serving=is_up)
            result = replace(result, outcome=outcome)
        return replace(result, warnings=(*self.warnings, *result.warnings))

    def cleared(self, slots: Slots, said: Problem) -> "Settled":
        """The same with what else was cleared away, or was tried to."""
        return replace(self, slots=slots, warnings=(*self.warnings, said))


async def settle_swaps(work: NodeWork, slots: Slots, quarantine: Quarantine) -> Settled:
    """Bring an open swap of the node to its end, and clear away what belongs to none.

    What the router does not let go of, or what does not come up again, the decision and the swap deal with.
    """
    id_ = slots.open_transaction
    await close_settled(work, id_)
    if id_ is None:
        return await without_strays(work, Settled(slots))
    seen = seen_of((*slots.leftovers, *_live(slots)), work.node.name, id_)
    if seen.new is None:
        return Settled(slots)
    if seen.awaits_turn:
        is_lost = await is_gone(work, seen.new)
        return await without_strays(work, Settled(slots)) if is_lost else Settled(slots)
    old = seen.old or seen.new  # in place, there is none any more
    resource = await gather_resource(work.session, work.router)
    work.tell(Kind.STEP, f"! a swap to {seen.new.label} is open")
    transaction = open_swap(id_, node=work.node, dialect=Dialect(resource.version), old=old, new=seen.new)
    log = await TransactionLog.begin(work, transaction, old=old, resource=resource)
    if seen.came_back:
        return await _restaged(work, transaction, seen, log, resource)
    release = await _staged_release(work, resource, transaction.staged.platform)
    swapped = await Swap(work, transaction, old=old, resource=resource, log=log, release=release).run()
    hold = Hold.NOWHERE if swapped.is_hollow else swapped.hold  # a clean pull is what tells
    said = await quarantine.learn(swapped.result, hold, transaction.staged.platform)
    if swapped.result.outcome in (Outcome.UNKNOWN, Outcome.PENDING):
        return Settled(slots, swapped.result, said)
    async with work.anew() as again:
        slots = await standing(again)
        if slots.is_bridge_down:
            said += await _without_failed_pulls(again, slots, NodeObserver(again.session, Dialect(resource.version)))
        return Settled(slots, swapped.result, said)


async def _without_failed_pulls(work: NodeWork, slots: Slots, observer: NodeObserver) -> tuple[Problem, ...]:
    """Why one is still there. The script that brings a node back does the same; where it is gone the next run pulls."""
    failed = [row for row in slots.leftovers if row.state is ContainerState.FAILED]
    try:
        await Applier(work, observer, None).apply_all(removals(failed))
    except StepFailedError as error:
        return (error.problem,)
    return ()


async def _restaged(
    work: NodeWork, transaction: Transaction, seen: Seen, log: TransactionLog, resource: Resource
) -> Settled:
    """The node with a release that waits for its turn once more; nothing of this is felt."""
    staged = transaction.staged
    if staged.platform is not None:  # no other was recorded
        log.after(Step.PROVE_IMAGE)
    observer = NodeObserver(work.session, Dialect(resource.version))
    await SwapSteps(work, transaction, observer, None).restage(seen)
    waits = f"the router restarted before {staged.version or staged.node} had taken over for good; it is tried again"
    hint = f"mtts update {work.router.name}"
    return Settled(await standing(work), warnings=(Problem("release-staged", waits, hint),))


async def without_strays(work: NodeWork, settled: Settled) -> Settled:
    """The node with the one container that is it; what is not the node goes, since nothing would ever use it."""
    slots = settled.slots
    if not slots.leftovers:
        return settled
    listed = ", ".join(row.label for row in slots.leftovers)
    resource = await gather_resource(work.session, work.router)
    try:
        remaining = await _clear(work, slots, NodeObserver(work.session, Dialect(resource.version)))
    except StepFailedError as error:
        remaining = error.problem
    if remaining is None:
        said = Problem("leftover-removed", f"{listed} was left by an update that was interrupted, and is gone now")
    else:
        work.tell(Kind.STEP, f"! {remaining.message}")
        said = replace(remaining, message=f"{listed} was left by an update that was interrupted: {remaining.message}")
    cleared = settled.cleared(await standing(work), said)
    await close_settled(work, cleared.slots.open_transaction)
    return cleared


async def _clear(work: NodeWork, slots: Slots, observer: NodeObserver) -> Problem | None:
    """Why something is still there; StepFailedError where the node's own container does not serve."""
    if slots.live is None:
        raise StepFailedError.of(not_deployed(work.router.name, work.node.name))
    applier = Applier(work, observer, None)
    await work.hold()
    try:
        await applier.apply_all(serving(slots))
    except StepFailedError:
        await _take_away(applier, work.node, slots)
        raise
    return await _take_away(applier, work.node, slots)


async def _take_away(applier: Applier, node: NodeSpec, slots: Slots) -> Problem | None:
    was_bridged = any(is_in_memory(row) for row in slots.leftovers)
    try:
        await applier.apply_all([*(bridge_taken_down(node) if was_bridged else ()), *removals(slots.leftovers)])
    except StepFailedError as error:
        return error.problem
    return None


async def _staged_release(work: NodeWork, resource: Resource, digest: Digest | None) -> Release | None:
    """What an earlier run staged, where that is what the image still is."""
    platform = router_platform(resource, work.router.platform)
    if isinstance(platform, Problem):
        return None
    try:
        release = await work.services.registry.resolve(work.node.image, platform)
    except RegistryError:  # the swap goes on; what cannot be proven is not recorded as proven
        return None
    return release if release.manifest_digest == digest else None


def _live(slots: Slots) -> tuple[ContainerRow, ...]:
    return () if slots.live is None else (slots.live,)
