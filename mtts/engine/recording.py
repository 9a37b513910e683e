"""Brings what a run found and did into the store, while it goes on and at its end.

What was done to a router is recorded at once, so that a run that is killed leaves it behind; where nothing was done,
one write at the end serves all routers. A store that fails in mid-run costs no result: it becomes a warning.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from mtts.core.errors import Problem, StoreError
from mtts.core.inventory import Router
from mtts.core.ledger import PastRun
from mtts.core.outcome import NodeResult, Outcome
from mtts.engine.fleet import Drain
from mtts.engine.sample import settled
from mtts.engine.services import Services
from mtts.ports import Store

_LOG = logging.getLogger(__name__)

_UNTOUCHED: Final = frozenset({Outcome.NO_OP, Outcome.REFUSED, Outcome.UNREACHABLE})


class Recording:
    """One run's pages in the store."""

    def __init__(self, store: Store, run: PastRun, *, redact: Callable[[str], str]) -> None:
        self._store = store
        self._run = run
        self._redact = redact
        self._kept: set[str] = set()
        """Routers whose last results are on record."""
        self._warning: Problem | None = None
        """What results say from the moment on in which the store failed."""

    async def begin(self) -> None:
        """StoreError where nothing can be recorded: then nothing is to be done either."""
        await self._store.begin(self._run)

    async def follow(
        self, services: Services, drain: Drain, router: Router, results: Sequence[NodeResult]
    ) -> Sequence[NodeResult]:
        """Record what was done to a router, and again with its settled sample, which a drain does not wait for."""
        if all(result.outcome in _UNTOUCHED and not result.samples for result in results):
            self._kept.discard(router.name)
            return results
        self._kept.add(router.name)
        kept = await self._keep(results)
        last = await settled(services, router, kept, is_stopped=lambda: drain.requested)
        return last if last is kept else await self._keep(last)

    async def finish(self, results: Sequence[NodeResult], *, finished_s: float, exit_code: int) -> Sequence[NodeResult]:
        """Record the rest and the end of the run; the results, with a warning where the store failed."""
        left = await self._keep([result for result in results if result.router not in self._kept])
        warned = {(result.router, result.node): result for result in left}
        results = [warned.get((result.router, result.node), result) for result in results]
        if self._warning is not None:
            return results
        try:
            await self._store.finish(self._run.run_id, finished_s=finished_s, exit_code=exit_code)
        except StoreError as error:
            return self._warned(error, results)
        return results

    async def _keep(self, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        """The same results once they are recorded; a store that failed once is not waited for again in this run."""
        if self._warning is not None:
            return self._with_warning(self._warning, results)
        if results:
            try:
                await self._store.record(self._run.run_id, [self._without_secrets(result) for result in results])
            except StoreError as error:
                return self._warned(error, results)
        return results

    def _warned(self, error: StoreError, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        _LOG.debug("the store failed in mid-run", exc_info=error)
        self._warning = replace(error.problem, message=f"not all of this run is on record: {error.problem.message}")
        return self._with_warning(self._warning, results)

    @staticmethod
    def _with_warning(warning: Problem, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        return [
            result if warning in result.warnings else replace(result, warnings=(*result.warnings, warning))
            for result in results
        ]

    def _without_secrets(self, result: NodeResult) -> NodeResult:
        if result.problem is None:
            return result
        return replace(result, problem=replace(result.problem, message=self._redact(result.problem.message)))
