"""Carries out a plan that was decided on, change by change, and says how the node stands at the end."""

from dataclasses import replace

from mtts.core.changes import PlaceKey
from mtts.core.errors import MttsError
from mtts.core.flash import FlashSample, Moment
from mtts.core.outcome import NodeResult, Outcome
from mtts.engine.apply import Applier
from mtts.engine.observe import NodeObserver
from mtts.engine.planning import Planned
from mtts.engine.sample import sample
from mtts.engine.services import NodeWork
from mtts.engine.standing import outcome_of


async def execute(work: NodeWork, observer: NodeObserver, planned: Planned, *, done: Outcome) -> NodeResult:
    """The result, `done` when all went well; `work.mark` tells whether anything was written."""
    applier = Applier(work, observer, planned.release)
    before = FlashSample.of(
        planned.facts.resource, router=work.router.name, moment=Moment.BEFORE, taken_s=work.services.clock.now()
    )
    was = next((row.tag for row in planned.facts.containers_of(work.node.name) if row.tag), None)
    as_found = work.as_found(was)
    try:
        if work.node.auth_key is not None and any(isinstance(change, PlaceKey) for change in planned.plan.changes):
            await work.services.secrets.open(work.node.auth_key)  # what cannot be read is found out before a write
        if planned.plan.changes:
            await work.hold()
        await applier.apply_all(planned.plan.changes)
        after = await sample(work.services, work.session, work.router, Moment.COMMITTED)
    except MttsError as error:
        outcome, _ = await outcome_of(work, error)
        return replace(
            as_found.ended(outcome, error.problem),
            samples=(before,) if work.mark.wrote else (),
            warnings=planned.plan.warnings,
        )
    now = None if done is Outcome.REMOVED else applier.recorded or was
    return replace(
        as_found,
        outcome=done if work.mark.wrote else Outcome.NO_OP,
        to_version=now.version if now else None,
        to_digest=now.platform if now else None,
        samples=(before, after) if work.mark.wrote else (),
        evidence=applier.evidence,
        warnings=planned.plan.warnings,
    )
