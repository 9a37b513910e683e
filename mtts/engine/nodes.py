"""One session to a router, and each of its nodes in turn: every node ends with exactly one result.

A fault on one node does not keep the next from its turn; a lost session and the deadline of the whole router say so
for every node that is left.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mtts.core.errors import DeadlineError, MttsError
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, settle
from mtts.engine.services import NodeWork, Services

Found = TypeVar("Found")


async def on_each_node(
    services: Services, router: Router, do: Callable[[NodeWork], Awaitable[tuple[NodeResult, Found]]]
) -> list[tuple[NodeResult, Found | None]]:
    """What `do` brought for each node in the inventory's order; None beside the result of a fault."""
    done: list[tuple[NodeResult, Found | None]] = []
    work: NodeWork | None = None
    try:
        async with asyncio.timeout(services.timeout_s), services.routers.session(router) as session:
            for node in router.nodes:
                work = NodeWork(services, session, router, node)
                try:
                    done.append(await do(work))
                except MttsError as error:
                    done.append((_faulted(router, node.name, error, wrote=work.mark.wrote), None))
    except TimeoutError:
        late = DeadlineError(
            f"{router.name} was not done within {services.timeout_s:g} s", hint="give it more with --timeout"
        )
        return done + _left(router, done, late, wrote=work is not None and work.mark.wrote)
    except MttsError as error:  # no session came about
        return done + _left(router, done, error, wrote=False)
    return done


def _left(
    router: Router, done: list[tuple[NodeResult, Found | None]], error: MttsError, *, wrote: bool
) -> list[tuple[NodeResult, Found | None]]:
    """The nodes without a result: the first of them was under way, nothing was done to the others."""
    left = router.nodes[len(done) :]
    return [(_faulted(router, node.name, error, wrote=wrote and node is left[0]), None) for node in left]


def _faulted(router: Router, node: str, error: MttsError, *, wrote: bool) -> NodeResult:
    outcome = settle(error, wrote=wrote, serving=False)
    return NodeResult(router.name, node, outcome, problem=error.problem, next_step=error.problem.hint)
