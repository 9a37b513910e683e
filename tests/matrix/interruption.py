"""An update in which something happens right after its n-th write, wherever that is done: by mtts or on the router."""

import asyncio
from collections.abc import Callable

from mtts.core.outcome import NodeResult
from mtts.lab.journal import JournalEntry
from tests.engine.attempt import Attempt
from tests.matrix.cases import KINDS


def at_point(attempt: Attempt, point: int, do: Callable[[], object]) -> list[str]:
    """Have something done at the n-th write; the writes so far."""
    seen: list[str] = []

    def at(entry: JournalEntry) -> None:
        seen.append(f"{entry.path} {'of a script' if entry.script else ''}".rstrip())
        if len(seen) == point:
            do()

    attempt.watch.also = attempt.watch.at_launch = at
    return seen


async def interrupt(attempt: Attempt, kind: str, point: int, *, allow_in_place: bool = False) -> NodeResult | None:
    """What the run said, None where it was killed."""
    run = asyncio.ensure_future(attempt.here.update(attempt.store, allow_in_place=allow_in_place))

    def upset() -> None:
        KINDS[kind](attempt.here.router.faults)
        if kind == "kill":
            run.cancel()

    seen = at_point(attempt, point, upset)
    (result,) = await asyncio.gather(run, return_exceptions=True)
    assert len(seen) >= point, seen
    attempt.watch.also = attempt.watch.at_launch = None
    if kind == "kill":
        assert isinstance(result, asyncio.CancelledError), result
        return None
    assert isinstance(result, NodeResult), result
    return result
