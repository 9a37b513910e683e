"""Which containers of a node there are, which of them is it, and how it stands after a fault."""

from mtts.core.errors import MttsError, Problem, StepFailedError
from mtts.core.outcome import NO_WAY, Outcome, settle
from mtts.core.slots import Slots, slots_of
from mtts.core.tag import Tag
from mtts.core.transaction import serving_tag
from mtts.engine.gather import gather_containers
from mtts.engine.services import NodeWork


async def standing(work: NodeWork) -> Slots:
    """The node's containers as they are now; StepFailedError where nothing tells which of them is the node."""
    slots = slots_of(await gather_containers(work.session), work.node.name)
    if isinstance(slots, Problem):
        raise StepFailedError.of(slots)
    return slots


async def outcome_of(work: NodeWork, error: MttsError) -> tuple[Outcome, Tag | None]:
    """How the node stands after `error`, by what runs now, and what is recorded of that.

    What stood before the run may have been stopped by it. A router that cannot be asked any more tells nothing.
    """
    if not work.mark.wrote or isinstance(error, NO_WAY):
        return settle(error, wrote=work.mark.wrote, serving=False), None
    try:
        tag = serving_tag(await gather_containers(work.session), work.node.name)
    except MttsError:
        return Outcome.UNKNOWN, None
    return settle(error, wrote=True, serving=tag is not None), tag
