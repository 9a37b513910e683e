"""Runs one piece of work on many routers side by side; one router's fault never reaches another (I20).

The only place where tasks are made. Each ends in results, whatever happened: a fault of ours too.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from mtts.core.errors import MttsError, Problem
from mtts.core.events import Emit, Event, Kind
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome, settle

_LOG = logging.getLogger(__name__)

Work = Callable[[Router], Awaitable[Sequence[NodeResult]]]


@dataclass(slots=True)
class Drain:
    """Asked for by the first Ctrl-C: what runs is finished, nothing new begins."""

    requested: bool = False
    skipped: list[str] = field(default_factory=list)
    """Routers that were not begun."""


async def run_fleet(
    routers: Sequence[Router], work: Work, *, emit: Emit, parallel: int, drain: Drain
) -> list[NodeResult]:
    """The results of all routers in the order given, `parallel` at a time."""
    places = asyncio.Semaphore(parallel)

    async def run_one(router: Router) -> Sequence[NodeResult]:
        async with places:
            if drain.requested:
                drain.skipped.append(router.name)
                return ()
            emit(Event(Kind.STARTED, router.name, "", ""))
            results = await _contained(router, work)
            for result in results:
                emit(Event(Kind.FINISHED, result.router, result.node, str(result.outcome)))
            return results

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run_one(router)) for router in routers]
    return [result for task in tasks for result in task.result()]


async def _contained(router: Router, work: Work) -> Sequence[NodeResult]:
    try:
        return await work(router)
    except MttsError as error:
        return _all(router, settle(error, wrote=False, serving=False), error.problem)
    except Exception as error:  # noqa: BLE001 - boundary: a fault of ours on one router must not stop the others
        _LOG.exception("a fault in mtts on router=%s", router.name)
        problem = Problem("internal", f"a fault in mtts: {type(error).__name__}", "please report it, with -vv")
        return _all(router, Outcome.UNKNOWN, problem)


def _all(router: Router, outcome: Outcome, problem: Problem) -> list[NodeResult]:
    return [NodeResult(router.name, node.name, outcome, problem=problem) for node in router.nodes]
