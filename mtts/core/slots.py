"""Which of a node's containers serves, and what an interrupted update left beside it.

A node has one container but for the time of a swap. What is recorded (tag.py) was verified once and is the node;
what is staged waits to take its place in a transaction; what carries only the node's tag is a release that nobody
proved, or one that gave way. So the router alone tells what is to be undone or finished, without any journal (I3).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mtts.core.changes import AwaitHealthy, Change, Remove, Start, Stop
from mtts.core.desired import TMPFS_SLOT
from mtts.core.errors import Problem
from mtts.core.facts import ContainerRow, ContainerState

SLOTS = ("a", "b")
_RAM = f"{TMPFS_SLOT}/bridge/"


@dataclass(frozen=True, slots=True)
class Slots:
    """The container that is the node, None where there is none yet, and those that are not."""

    live: ContainerRow | None
    leftovers: tuple[ContainerRow, ...] = ()

    @property
    def is_unproven(self) -> bool:
        """Whether all that is there of the node is what an update put in its place, and nobody proved."""
        return self.live is not None and self.live.tag is not None and self.live.tag.is_unproven

    @property
    def open_transaction(self) -> str | None:
        """The id of a swap whose outcome is open: of what was staged last, or of what was confirmed beside the old."""
        if self.live is None:
            return None
        tags = [row.tag for row in sorted((self.live, *self.leftovers), key=_age, reverse=True) if row.tag]
        staged = [tag.next_in for tag in tags if tag.next_in]
        recorded = [tag for tag in tags if tag.is_recorded]
        confirmed = [tag.tx for tag in recorded if tag.tx] if len(recorded) > 1 else []
        return next(iter((*staged, *confirmed)), None)

    @property
    def is_bridge_down(self) -> bool:
        """Whether the node lived in memory and does not run there: after a restart of the router nothing of it is left.

        What runs beside it may be what the router brought back by itself, and only the swap's own end tells.
        """
        live = self.live
        return live is not None and live.tag is not None and live.tag.in_ram and not live.is_up

    @property
    def in_service(self) -> ContainerRow | None:
        """The container that does the node's work: what runs in the place of one that was lost with the memory."""
        if not self.is_bridge_down:
            return self.live
        return next((row for row in self.leftovers if row.is_up), self.live)


def slots_of(containers: Sequence[ContainerRow], node: str) -> Slots | Problem:
    """Sort the containers of a node; a problem where nothing tells which of them it is.

    Of two that were verified, the one that is up serves; where neither is, the one that was added last.
    """
    mine = [row for row in containers if row.tag is not None and row.tag.node == node]
    recorded = [row for row in mine if row.tag is not None and row.tag.is_recorded]
    if len(mine) > 1 and not recorded:
        listed = ", ".join(row.label for row in mine)
        return Problem("duplicate-node", f"several containers carry the tag of node {node}: {listed}", "remove one")
    live = max(recorded or mine, key=lambda row: (row.is_up, _age(row)), default=None)
    return Slots(live, tuple(row for row in mine if row is not live))


def other_slot(root_dir: str) -> str:
    """The slot that a container at `root_dir` leaves free; the first one for a directory that is no slot."""
    first, second = SLOTS
    if root_dir.startswith(_RAM):  # it was named after the slot that is free
        return root_dir.rpartition("/")[2]
    return second if root_dir.endswith(f"/{first}") and "mtts/root/" in root_dir else first


def ram_root(node: str, slot: str) -> str:
    """Where a container lies in memory, until one in `slot` takes its place."""
    return f"{_RAM}{node}/{slot}"


def is_in_memory(row: ContainerRow) -> bool:
    """Whether a container lies where `ram_root` puts it."""
    return row.root_dir.startswith(_RAM)


def clearing(slots: Slots) -> Iterator[Change]:
    """Have the node's own container run again where it does not, then take away what an interrupted update left."""
    yield from serving(slots)
    yield from removals(slots.leftovers)


def serving(slots: Slots) -> Iterator[Change]:
    """Have the node's own container run, and nothing else of the node."""
    for row in slots.leftovers:
        if row.is_up or row.state is ContainerState.STOPPING:
            yield Stop(row.root_dir, f"container {row.label}", "nobody proved it", disruptive=False)
    if slots.live is not None and not slots.live.is_up:
        yield from starting(slots.live, "it serves again")


def removals(leftovers: Iterable[ContainerRow]) -> Iterator[Change]:
    """Take entries away that are not the node."""
    for row in leftovers:
        yield Remove("/container", f"container {row.label}", "left by an update", {"root-dir": row.root_dir})


def starting(live: ContainerRow, why: str) -> Iterator[Change]:
    """Start the node's container, unless it is starting, and prove it."""
    label, node = f"container {live.label}", live.tag.node if live.tag else live.label
    if live.state is not ContainerState.STARTING:
        if live.is_up or live.state is ContainerState.STOPPING:
            yield Stop(live.root_dir, label, "it does not serve", disruptive=False)
        yield Start(live.root_dir, label, why)
    yield AwaitHealthy(live.root_dir, f"node {node}", "proves that it serves")


def not_deployed(router: str, node: str) -> Problem:
    """There is no such node; only a deploy makes one."""
    return Problem("not-deployed", f"{router} has no node {node}", f"mtts deploy {router}")


def transaction_open(router: str, node: str) -> Problem:
    """An update of the node is under way, or was interrupted: nothing else may be made of how it stands now."""
    return Problem(
        "transaction-open",
        f"an update of node {node} is open",
        f"once no run is at work on {router}: mtts resume {router}",
    )


def bridge_down(router: str, node: str, slots: Slots) -> Problem:
    """A container in memory is not to be started in the node's place: only the rest of its update mends it."""
    is_open = transaction_open(router, node)
    hint = is_open.hint if slots.open_transaction is not None else f"mtts update {router}"
    message = f"node {node} lived in memory for the time of an update, which is not over"
    return Problem(is_open.code, message, hint)


def state_unknown(row: ContainerRow) -> Problem:
    """The container is in a state that nothing may be built on."""
    return Problem(
        "state-unknown",
        f"the router shows {row.label} as {row.state}, which mtts does not know or did not ask for",
        "look at it with /container/print detail; where it changes by itself, run the command again",
    )


def _age(row: ContainerRow) -> int:
    """RouterOS counts ids upwards, in hexadecimal."""
    try:
        return int(row.id.removeprefix("*"), 16)
    except ValueError:
        return -1
