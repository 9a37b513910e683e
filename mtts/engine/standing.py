"""Which containers of a node there are, and which of them is it."""

from mtts.core.errors import Problem, StepFailedError
from mtts.core.slots import Slots, slots_of
from mtts.engine.gather import gather_containers
from mtts.engine.services import NodeWork


async def standing(work: NodeWork) -> Slots:
    """The node's containers as they are now; StepFailedError where nothing tells which of them is the node."""
    slots = slots_of(await gather_containers(work.session), work.node.name)
    if isinstance(slots, Problem):
        raise StepFailedError.of(slots)
    return slots
