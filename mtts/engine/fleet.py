"""Runs one piece of work on many routers side by side; one router's fault never reaches another (I20).

The only place where tasks are made. Each ends in results, whatever happened: a fault of ours too.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from mtts.core.errors import MttsError, Problem
from mtts.core.events import Emit, Event, Kind
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome, settle

_LOG = logging.getLogger(__name__)

Work = Callable[[Router], Awaitable[Sequence[NodeResult]]]
Afterwards = Callable[[Router, Sequence[NodeResult]], Awaitable[Sequence[NodeResult]]]


@dataclass(slots=True)
class Drain:
    """Asked for by the first Ctrl-C: what runs is finished, nothing new begins."""

    requested: bool = False
    skipped: list[str] = field(default_factory=list)
    """Routers that were not begun."""
    underway: list[str] = field(default_factory=list)
    """Routers that are being worked on."""


class Fleet:
    """Waves of work over one fleet; at its end, everything that was to follow the work is done too.

    What follows (`afterwards`) takes its time beside the next waves and holds no place among the `parallel`.
    """

    def __init__(self, *, emit: Emit, parallel: int, drain: Drain, afterwards: Afterwards | None = None) -> None:
        self._emit = emit
        self._places = asyncio.Semaphore(parallel)
        self._drain = drain
        self._afterwards = afterwards
        self._group = asyncio.TaskGroup()
        self._following: dict[str, asyncio.Task[Sequence[NodeResult]]] = {}

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._group.__aexit__(kind, error, trace)

    def results(self, routers: Iterable[Router]) -> list[NodeResult]:
        """The last results of these routers in the order given, once the fleet has ended."""
        ended = (self._following[router.name] for router in routers if router.name in self._following)
        return [result for task in ended for result in task.result()]

    async def run(self, routers: Sequence[Router], work: Work) -> list[NodeResult]:
        """One wave: the results of these routers in the order given."""
        tasks = [self._group.create_task(self._run_one(router, work)) for router in routers]
        return [result for task in tasks for result in await task]

    async def _run_one(self, router: Router, work: Work) -> Sequence[NodeResult]:
        async with self._places:
            if self._drain.requested:
                self._drain.skipped.append(router.name)
                return ()
            self._emit(Event(Kind.STARTED, router.name, "", ""))
            self._drain.underway.append(router.name)
            results = await contained(router, work)
            self._drain.underway.remove(router.name)
            for result in results:
                self._emit(Event(Kind.FINISHED, result.router, result.node, str(result.outcome)))
        self._following[router.name] = self._group.create_task(self._follow(router, results))
        return results

    async def _follow(self, router: Router, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        if self._afterwards is None:
            return results
        afterwards = self._afterwards
        return await contained(router, lambda router: afterwards(router, results))


async def contained(router: Router, work: Work) -> Sequence[NodeResult]:
    """The results of `work`, whatever it raises: each of the router's nodes has one."""
    try:
        return await work(router)
    except MttsError as error:
        return _all(router, settle(error, wrote=False, serving=False), error.problem)
    except Exception as error:  # noqa: BLE001 - boundary: a fault of ours on one router must not stop the others
        _LOG.exception("a fault in mtts on router=%s", router.name)
        problem = Problem("internal", f"a fault in mtts: {type(error).__name__}", "please report it, with -vv")
        return _all(router, Outcome.UNKNOWN, problem)


def _all(router: Router, outcome: Outcome, problem: Problem) -> list[NodeResult]:
    return [NodeResult.of(router.name, node.name).ended(outcome, problem) for node in router.nodes]
