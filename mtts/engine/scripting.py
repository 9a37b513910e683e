"""`mtts script`: reads what a script is made from, where it is made from anything on the router; nothing is written."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mtts.core.dialect import Dialect
from mtts.core.errors import MttsError, Problem
from mtts.core.facts import Facts
from mtts.core.image import ImageRef, Release
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.preflight import Level, check_version, place_of
from mtts.core.scripts import bootstrap_script, provision_script, updater_script
from mtts.core.updater import UpdaterOrder, render_updater, unsuited
from mtts.engine.gather import gather
from mtts.engine.nodes import on_each_node
from mtts.engine.planning import observer_for, plan_on, resolve
from mtts.engine.services import NodeWork, Services

AnonymousWay = Callable[[ImageRef], Awaitable[tuple[str, str | None]]]
"""An image → where its registry is, and where a token comes from (None: none is wanted)."""


@dataclass(frozen=True, slots=True)
class Script:
    """RouterOS commands for one router, or for one node of it."""

    router: str
    node: str
    text: str


Found = list[tuple[NodeResult, Script | None]]


async def bootstrap(services: Services, router: Router) -> Found:
    """What lets mtts in; nobody is contacted."""
    del services
    return [(NodeResult.of(router.name, ""), Script(router.name, "", bootstrap_script(router)))]


async def provision(services: Services, router: Router) -> Found:
    """What a deploy would do, as commands."""
    facts: Facts | None = None

    async def plan_one(work: NodeWork) -> tuple[NodeResult, Script | None]:
        nonlocal facts
        facts = facts or await gather(work.session, router, router.nodes)
        plan = (await plan_on(work, observer_for(work, facts), facts)).plan
        if plan.refusals:
            return work.as_found().ended(Outcome.REFUSED, plan.refusals[0]), None
        return work.as_found(), Script(router.name, work.node.name, provision_script(plan))

    return [(result, script) for result, script in await on_each_node(services, router, plan_one)]


async def updater(services: Services, router: Router, *, template: str, way: AnonymousWay) -> Found:
    """The updater of each node, in the words of the router's version."""

    async def make_one(work: NodeWork) -> tuple[NodeResult, Script | None]:
        facts = await gather(work.session, router, (work.node,))
        order = await _order(work, facts, way)
        if isinstance(order, Problem):
            return work.as_found().ended(Outcome.REFUSED, order), None
        text = updater_script(router.name, work.node, render_updater(template, order))
        return work.as_found(), Script(router.name, work.node.name, text)

    return [(result, script) for result, script in await on_each_node(services, router, make_one)]


async def _order(work: NodeWork, facts: Facts, way: AnonymousWay) -> UpdaterOrder | Problem:
    version, release = check_version(facts), await resolve(work, facts)
    against = version.problem if version.level is Level.PROBLEM else unsuited(work.node)
    if against is not None:
        return against
    if not isinstance(release, Release):
        return release
    if release.index_digest is None:
        return Problem(
            "updater-unsuited",
            f"{work.node.image} names a single manifest, whose digest a script cannot know",
            "publish an index, as docker buildx does",
        )
    place = place_of(work.router, work.node, facts, release)
    if isinstance(place, Problem):
        return place
    try:
        registry, tokens = await way(work.node.image)
    except MttsError as error:
        return error.problem
    slots = {disk.get("slot") for disk in facts.table("/disk")}
    head = place.prefix.partition("/")[0]
    return UpdaterOrder(
        node=work.node,
        dialect=Dialect(facts.version),
        release=release,
        registry=registry,
        tokens=tokens,
        disk=head if head in slots else None,
        reserve_bytes=work.router.flash.reserve_bytes,
        timing=work.router.timing,
    )
