"""Carries out a plan that was decided on, change by change, and says how the node stands at the end."""

from mtts.core.changes import PlaceKey, headline, symbol
from mtts.core.errors import MttsError, Problem
from mtts.core.events import Kind
from mtts.core.outcome import FlashDelta, NodeResult, Outcome, settle
from mtts.core.rows import resource
from mtts.engine.apply import Applier
from mtts.engine.observe import NodeObserver
from mtts.engine.planning import Planned
from mtts.engine.services import NodeWork
from mtts.ports import RouterSession


async def execute(
    work: NodeWork, observer: NodeObserver, planned: Planned, *, done: Outcome
) -> tuple[NodeResult, bool]:
    """The result, `done` when all went well, and whether anything was written."""
    applier = Applier(work, observer, planned.release)
    before = planned.facts.resource.free_flash_bytes
    standing = planned.facts.containers_of(work.node.name)
    from_version = next((row.tag.version for row in standing if row.tag), None)
    try:
        if work.node.auth_key is not None and any(isinstance(change, PlaceKey) for change in planned.plan.changes):
            await work.services.secrets.open(work.node.auth_key)  # what cannot be read is found out before a write
        for change in planned.plan.changes:
            work.tell(Kind.STEP, f"{symbol(change)} {headline(change)}")
            await applier.apply(change)
        after = await _free_flash_bytes(work.session)
    except MttsError as error:
        serving = any(row.is_up for row in standing)
        outcome = settle(error, wrote=applier.wrote, serving=serving)
        return (
            NodeResult(
                work.router.name,
                work.node.name,
                outcome,
                from_version=from_version,
                problem=error.problem,
                warnings=planned.plan.warnings,
                next_step=error.problem.hint,
            ),
            applier.wrote,
        )
    return (
        NodeResult(
            work.router.name,
            work.node.name,
            done if applier.wrote else Outcome.NO_OP,
            from_version=from_version,
            to_version=applier.recorded_version or from_version,
            flash=FlashDelta(before, after),
            evidence=applier.evidence,
            warnings=planned.plan.warnings,
        ),
        applier.wrote,
    )


def result_of(work: NodeWork, outcome: Outcome, *, problem: Problem | None = None) -> NodeResult:
    """The result of a node to which nothing was done."""
    return NodeResult(work.router.name, work.node.name, outcome, problem=problem)


async def _free_flash_bytes(session: RouterSession) -> int | None:
    rows = await session.print("/system/resource", props=("version", "free-hdd-space"))
    return resource(rows[0]).free_flash_bytes if rows else None
