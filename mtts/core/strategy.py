"""How a node's container is swapped on a given router, from sizes and facts; refused where no way is safe.

A/B keeps both releases on the flash and is never away for longer than a restart. Where the flash holds one only, a
RAM bridge serves from memory while the flash is rewritten. In place, the node is away for the whole pull, which is
done only when somebody asks for it. RouterOS has no image cache, so that a release is pulled wherever it is to lie.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Final

from mtts.core.desired import TAILNET
from mtts.core.errors import Problem
from mtts.core.facts import Facts
from mtts.core.image import Release
from mtts.core.inventory import NodeSpec, Router
from mtts.core.plan import path_through_node
from mtts.core.preflight import MIN_FREE_MEMORY_BYTES, peak_flash_bytes, scratch_bytes
from mtts.core.storage import Place
from mtts.core.units import mib


class Strategy(StrEnum):
    """Best first."""

    A_B = "a/b"
    RAM_BRIDGE = "ram-bridge"
    IN_PLACE = "in-place"


@dataclass(frozen=True, slots=True)
class Choice:
    """A strategy with what it costs at its peak."""

    strategy: Strategy
    flash_bytes: int
    """Beyond what the node takes now, at the peak; none where the new release fits into the old one's room."""
    memory_bytes: int
    gap: str
    """For how long the node is away, in words."""

    def __str__(self) -> str:
        return (
            f"{self.strategy}: up to {mib(self.flash_bytes)} more flash and {mib(self.memory_bytes)} of memory,"
            f" away for {self.gap}"
        )


_GAPS: Final = {
    Strategy.A_B: "seconds",
    Strategy.RAM_BRIDGE: "seconds, twice",
    Strategy.IN_PLACE: "the whole pull",
}


def choose_strategy(
    *,
    router: Router,
    node: NodeSpec,
    facts: Facts,
    release: Release,
    place: Place,
    old_bytes: int | None,
    allow_in_place: bool,
) -> Choice | Problem:
    """The best strategy that fits; `old_bytes` is what the running release takes, where that is known."""
    peak, scratch = peak_flash_bytes(release), scratch_bytes(node, release)
    free = place.free_bytes
    if free is None or free >= peak + router.flash.reserve_bytes:
        return Choice(Strategy.A_B, peak, scratch, _GAPS[Strategy.A_B])
    freed = release.extracted_bytes if old_bytes is None else old_bytes
    short = peak + router.flash.reserve_bytes - free - freed
    if short > 0:
        return _too_small(f"{mib(free)} are free, and {mib(short)} are missing even without the old release")
    grown = max(0, peak - freed)
    against = _against_bridge(facts, scratch + peak)
    if against is None:
        return Choice(Strategy.RAM_BRIDGE, grown, scratch + peak, _GAPS[Strategy.RAM_BRIDGE])
    if not allow_in_place:
        return _too_small(f"{mib(free)} are free, two releases do not fit, and {against}")
    needed = needs_node(facts)
    if needed is not None:
        return _too_small(f"in place the node would be away, and {needed}")
    through = path_through_node(router, facts)
    if through is not None:
        return through
    lacking = _too_little_memory(facts, scratch + peak)
    if lacking is not None:
        return _too_small(f"nothing but a pull proves that the router can pull, and {lacking}")
    return Choice(Strategy.IN_PLACE, grown, scratch + peak, _GAPS[Strategy.IN_PLACE])


def second_half(node: NodeSpec, release: Release) -> Choice:
    """From memory back to the flash, which the old release has left."""
    return Choice(Strategy.RAM_BRIDGE, peak_flash_bytes(release), scratch_bytes(node, release), "seconds")


def in_its_room(
    *, router: Router, node: NodeSpec, release: Release, place: Place, freed_bytes: int
) -> Choice | Problem:
    """In the place of a container that does not serve: it goes first, and nothing is lost by that."""
    peak, scratch = peak_flash_bytes(release), scratch_bytes(node, release)
    free = place.free_bytes
    if free is not None and free + freed_bytes < peak + router.flash.reserve_bytes:
        short = peak + router.flash.reserve_bytes - free - freed_bytes
        return _too_small(f"{mib(free)} are free, and {mib(short)} are missing even without what is there")
    return Choice(Strategy.IN_PLACE, max(0, peak - freed_bytes), scratch, _GAPS[Strategy.IN_PLACE])


def needs_node(facts: Facts) -> str | None:
    """What the router would not have without the node, so that it could not pull while the node is away (F05)."""
    known = facts.preconditions
    for server in known.dns_servers if known is not None else ():
        try:
            if ip_address(server) in ip_network(TAILNET):
                return f"the router asks {server} for names, which is behind its own node"
        except ValueError:
            continue
    for route in facts.table("/ip/route"):
        if route.get("dst-address") == "0.0.0.0/0" and route.tag is not None:
            return "the router's default route leads through its own node"
    return None


def _against_bridge(facts: Facts, memory_bytes: int) -> str | None:
    """Why no bridge can be built."""
    known = facts.preconditions
    if known is not None and known.device_mode_scheduler is False:
        return "device-mode forbids the scheduler, which would bring the node back after a power cut"
    through = needs_node(facts)
    if through is not None:
        return through
    return _too_little_memory(facts, memory_bytes)


def _too_little_memory(facts: Facts, memory_bytes: int) -> str | None:
    free = facts.resource.free_memory_bytes
    if free is not None and free - memory_bytes >= MIN_FREE_MEMORY_BYTES:
        return None
    has = "an unknown amount of" if free is None else mib(free)
    return f"that takes {mib(memory_bytes)} of memory where {has} is free and {mib(MIN_FREE_MEMORY_BYTES)} stay free"


def _too_small(why: str) -> Problem:
    return Problem(
        "flash-too-small",
        why,
        "free space on the router, name another disk with `storage:`, or look at --allow-in-place",
    )
