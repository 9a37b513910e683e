"""Finishes or undoes what an interrupted update left on a router, before anything new begins."""

from dataclasses import replace

from mtts.core.dialect import Dialect
from mtts.core.errors import Problem, StepFailedError
from mtts.core.events import Kind
from mtts.core.slots import Slots
from mtts.engine.gather import gather_resource
from mtts.engine.observe import NodeObserver
from mtts.engine.services import NodeWork
from mtts.engine.swap import clear, standing


async def without_leftovers(work: NodeWork, slots: Slots) -> tuple[Slots, tuple[Problem, ...]]:
    """The node's containers once leftovers are gone, and what is to be said of it; nothing where there are none.

    What the router does not let go of, or what does not come up again, the decision and the swap deal with.
    """
    if not slots.leftovers:
        return slots, ()
    listed = ", ".join(row.label for row in slots.leftovers)
    resource = await gather_resource(work.session, work.router)
    try:
        remaining = (await clear(work, NodeObserver(work.session, Dialect(resource.version)))).remaining
    except StepFailedError as error:
        remaining = error.problem
    if remaining is None:
        said = Problem("leftover-removed", f"{listed} was left by an update that was interrupted, and is gone now")
    else:
        work.tell(Kind.STEP, f"! {remaining.message}")
        said = replace(remaining, message=f"{listed} was left by an update that was interrupted: {remaining.message}")
    return await standing(work), (said,)
