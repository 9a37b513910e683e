"""One session to a router, and each of its nodes in turn: every node ends with exactly one result.

A fault on one node does not keep the next from its turn; a lost session and the deadline of the whole router say so
for every node that is left.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from mtts.core.errors import MttsError
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome, settle
from mtts.engine.router_lock import RouterLock
from mtts.engine.services import NodeWork, Services, late
from mtts.engine.standing import outcome_of
from mtts.ports import RouterSession

Found = TypeVar("Found")


async def on_each_node(
    services: Services,
    router: Router,
    do: Callable[[NodeWork], Awaitable[tuple[NodeResult, Found]]],
    *,
    is_patient: bool = False,
) -> list[tuple[NodeResult, Found | None]]:
    """What `do` brought for each node in the inventory's order; None beside the result of a fault.

    A patient one leaves it to `do` what of its work the deadline may cut off (`NodeWork.within_deadline`).
    """
    done: list[tuple[NodeResult, Found | None]] = []
    work: NodeWork | None = None
    deadline_s = None if services.timeout_s is None else asyncio.get_running_loop().time() + services.timeout_s
    try:
        async with (
            asyncio.timeout_at(None if is_patient else deadline_s) as deadline,
            services.routers.session(router) as session,
            _lock(services, router, session, deadline) as lock,
        ):
            for node in router.nodes:
                work = NodeWork(services, session, router, node, lock, deadline_s=deadline_s)
                try:
                    done.append(await do(work))
                except MttsError as error:
                    outcome, tag = await outcome_of(work, error)
                    done.append((work.as_found(tag).ended(outcome, error.problem), None))
    except TimeoutError:
        return done + _left(router, done, late(router, services.timeout_s), work)
    except MttsError as error:  # no session came about
        return done + _left(router, done, error, None)
    return done


@asynccontextmanager
async def _lock(
    services: Services, router: Router, session: RouterSession, deadline: asyncio.Timeout
) -> AsyncIterator[RouterLock]:
    """The router's lock, which a run that is stopped at once does not wait to give back: its process is gone then."""
    lock = RouterLock(
        router,
        routers=services.routers,
        journal=services.journal,
        processes=services.processes,
        clock=services.clock,
    )
    is_stopped = False
    try:
        yield lock
    except asyncio.CancelledError:
        is_stopped = not deadline.expired()
        raise
    finally:
        if not is_stopped:
            await lock.release(session)


def _left(
    router: Router, done: list[tuple[NodeResult, Found | None]], error: MttsError, work: NodeWork | None
) -> list[tuple[NodeResult, Found | None]]:
    """The nodes without a result: the first of them was under way in `work`, nothing was done to the others.

    Nobody can be asked how that one stands.
    """
    untouched = settle(error, wrote=False, serving=False)
    return [
        (
            NodeResult.of(router.name, node.name).ended(
                Outcome.UNKNOWN if work and node is work.node and work.mark.wrote else untouched, error.problem
            ),
            None,
        )
        for node in router.nodes[len(done) :]
    ]
