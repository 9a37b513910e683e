"""Starts the guard on a router, and proves beforehand that it will do its work.

A guard is started over a session of its own that is closed at once, since the one that matters is perhaps carried by
the very node that it stops. Its rehearsal is started in the same way: the mark that it leaves proves both.
"""

from mtts.core.errors import CommandTrappedError, SessionLostError, StepFailedError
from mtts.core.facts import ContainerRow
from mtts.core.guard import OUTLIVE_S, BridgeOrder, GuardOrder, render_bridge, render_guard
from mtts.core.tag import Tag
from mtts.engine.gather import gather_containers
from mtts.engine.services import NodeWork

_PATIENCE_S = 20.0
"""For a rehearsal beyond what it waits by itself."""


async def rehearse(work: NodeWork, order: GuardOrder) -> None:
    """Have the guard show that it works on this router; `guard-unproven` where it does not."""
    said = await _launch(work, order, is_rehearsal=True)
    clock = work.services.clock
    deadline = clock.monotonic() + OUTLIVE_S + _PATIENCE_S
    while True:
        tag = await _tag(work, order.new_id)
        if tag is not None and tag.armed == order.attempt:
            return
        if clock.monotonic() > deadline:
            raise StepFailedError(
                f"the guard that swaps on the router itself left no mark{said and f': {said}'}",
                code="guard-unproven",
                hint="the user's group needs the policies read, write and test; see /log on the router",
            )
        await clock.sleep(work.router.timing.poll_s)


async def trigger(work: NodeWork, order: GuardOrder) -> None:
    """Have the guard swap; whether it began is seen in the containers."""
    await _launch(work, order, is_rehearsal=False)


async def replace_in_place(work: NodeWork, order: BridgeOrder) -> None:
    """Have the router remove one container and bring another one in its room."""
    await _execute(work, render_bridge(work.services.scripts.bridge, order))


async def _launch(work: NodeWork, order: GuardOrder, *, is_rehearsal: bool) -> str:
    return await _execute(work, render_guard(work.services.scripts.guard, order, is_rehearsal=is_rehearsal))


async def _execute(work: NodeWork, script: str) -> str:
    """What the router says against it, or nothing."""
    work.mark.wrote = True
    async with work.services.routers.session(work.router) as session:
        try:
            await session.command("/execute", {"script": script})
        except CommandTrappedError as trap:
            if trap.problem.code == "not-permitted":
                raise
            return trap.text
        except SessionLostError:
            return "the session that started it was lost"
    return ""


async def _tag(work: NodeWork, id_: str) -> Tag | None:
    rows: list[ContainerRow] = list(await gather_containers(work.session))
    return next((row.tag for row in rows if row.id == id_), None)
