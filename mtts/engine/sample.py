"""Takes flash samples: at once over an open session, or settled, later and over a session of its own.

RouterOS writes late, so the free space right after a change says little. The wait for a settled sample holds nobody
up: the router's place in the fleet is free meanwhile.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from mtts.core.errors import MttsError
from mtts.core.events import Event, Kind
from mtts.core.flash import FlashSample, Moment
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult
from mtts.engine.gather import gather_resource
from mtts.engine.services import Services
from mtts.ports import RouterSession

_LOOK_S: Final = 0.5
"""How often a wait looks whether it is to end."""


async def sample(services: Services, session: RouterSession, router: Router, moment: Moment) -> FlashSample:
    """The router's flash now."""
    resource = await gather_resource(session, router)
    return FlashSample.of(resource, router=router.name, moment=moment, taken_s=services.clock.now())


async def settled(
    services: Services,
    router: Router,
    results: Sequence[NodeResult],
    *,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Sequence[NodeResult]:
    """The same results with a sample taken `settle` after the last one, where the router was written to at all.

    A router that cannot be reached any more keeps the samples that it has: the work itself is done and proven. So
    does one whose wait was stopped: a sample taken early would be none of settled flash.
    """
    taken = [sample.taken_s for result in results for sample in result.samples]
    if not taken:
        return results
    clock = services.clock
    wait_s = min(router.timing.settle_s, max(taken) + router.timing.settle_s - clock.now())
    due_s = clock.monotonic() + wait_s
    services.emit(Event(Kind.SETTLING, router.name, "", f"done; its flash settles for {max(0.0, wait_s):.0f} s"))
    while (left_s := due_s - clock.monotonic()) > 0:
        if is_stopped():
            return results
        await clock.sleep(min(left_s, _LOOK_S))
    try:
        async with services.routers.session(router) as session:
            last = await sample(services, session, router, Moment.SETTLED)
    except MttsError:
        return results
    return [replace(result, samples=(*result.samples, last)) if result.samples else result for result in results]
