"""The use case of a flash report: a login and one question per router, and what the store remembers of them all.

Nothing is written to a router. One that does not answer is reported from the store.
"""

import asyncio
from collections.abc import Sequence

from mtts.core.errors import MttsError
from mtts.core.flash import FlashSample, Moment
from mtts.core.flash_history import FlashReport, flash_histories
from mtts.core.flash_warnings import MONTH_S
from mtts.core.inventory import Router
from mtts.core.ledger import PastRun
from mtts.core.outcome import NodeResult, exit_code, settle
from mtts.engine.fleet import Drain, Fleet
from mtts.engine.sample import sample
from mtts.engine.services import Services, late
from mtts.ports import Store


async def report_flash(
    fleet: Fleet,
    services: Services,
    routers: Sequence[Router],
    *,
    store: Store,
    run: PastRun,
    since_s: float | None,
    drain: Drain,
) -> FlashReport:
    """Ask every router, keep what they say, and report on it with all that was kept `since_s` (None: ever).

    StoreError before any router is asked where nothing can be kept.
    """
    await store.begin(run)
    taken: list[FlashSample] = []

    async def ask(router: Router) -> Sequence[NodeResult]:
        try:
            taken.append(await _ask(services, router))
        except MttsError as error:
            outcome = settle(error, wrote=False, serving=False)
            return [NodeResult.of(router.name, "").ended(outcome, error.problem)]
        return [NodeResult.of(router.name, "")]

    await fleet.run(routers, ask)
    await store.keep(run.run_id, taken)
    now_s = services.clock.now()
    names = [router.name for router in routers]
    # A budget is about a month, whatever the report is about.
    records = await store.samples(names, since_s=0.0 if since_s is None else min(since_s, now_s - MONTH_S))
    releases = await store.known_releases()
    results = fleet.results(routers)
    await store.finish(run.run_id, finished_s=now_s, exit_code=exit_code(results, was_interrupted=drain.requested))
    return FlashReport(
        made_s=now_s,
        since_s=since_s,
        histories=tuple(flash_histories(routers, records, releases, now_s=now_s, since_s=since_s)),
        silent=frozenset(names) - {each.router for each in taken},
    )


async def _ask(services: Services, router: Router) -> FlashSample:
    try:
        async with asyncio.timeout(services.timeout_s), services.routers.session(router) as session:
            return await sample(services, session, router, Moment.REPORT)
    except TimeoutError:
        raise late(router, services.timeout_s) from None
