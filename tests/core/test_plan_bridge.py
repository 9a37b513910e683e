"""Plans for a flash that holds one release: over memory and back in two swaps, or in place; and what stands against it.

Which way fits is test_strategy.py's; what the scheduler entry and the job on the router do is the engine's tests'.
"""

from dataclasses import replace
from typing import Any

import pytest

from mtts.adapters.scripts import read_script
from mtts.core.changes import Add, Remove, Set
from mtts.core.plan_update import Refused, SwapOrder, SwapPlan, bridge_entry, plan_swap
from mtts.core.preflight import scratch_bytes
from mtts.core.strategy import Strategy
from mtts.core.tag import Tag
from tests.core.examples import MIB, READY, a_node, a_resource, a_router
from tests.core.paper_router import PaperRouter
from tests.core.test_plan_convergence import VERSIONS, deployed
from tests.core.test_plan_update import NEXT, A, B, kinds, slots_on, staged_entry

BRIDGE = read_script("bridge")
RAM_B = "mtts-tmp/bridge/tailscale/b"
TIGHT = {"free_hdd_space": str(3 * MIB), "free_memory": str(600 * MIB)}
"""Room for one release in the place of another."""


def plan_on(
    paper: PaperRouter, *, transaction: str = "t1", allow_in_place: bool = False, **other: Any
) -> SwapPlan | Refused:
    """The swap of the usual node on a router with little flash; `other` are its resources and its preconditions."""
    paper.release = NEXT
    node, slots = a_node(), slots_on(paper, a_node())
    assert slots.live is not None
    known = {name: other.pop(name) for name in ("device_mode_scheduler", "dns_servers") if name in other}
    resource = a_resource(version=f"{paper.version} (stable)", **TIGHT | other)
    facts = replace(paper.facts(a_router(node), node), resource=resource, preconditions=replace(READY, **known))
    order = SwapOrder(transaction, bridge=BRIDGE, allow_in_place=allow_in_place)
    return plan_swap(
        router=a_router(node), node=node, facts=facts, slots=slots, live=slots.live, release=NEXT, order=order
    )


def swap_on(paper: PaperRouter, **other: Any) -> SwapPlan:
    planned = plan_on(paper, **other)
    assert isinstance(planned, SwapPlan), planned
    return planned


def across(version: str = "7.23.3") -> PaperRouter:
    """A router whose node serves from memory, once the first swap is over."""
    paper = deployed(version, a_router(a_node()))
    planned = swap_on(paper)
    paper.apply_all(planned.stage)
    old, new = paper.menus["/container"]
    paper.menus["/container"].remove(old)
    new["comment"] = str(replace(planned.transaction.staged, next_in=None, tx="t1"))
    new.pop("stopped", None)
    new["running"] = "true"
    return paper


# over memory


@pytest.mark.parametrize("version", VERSIONS)
def test_the_first_half_is_staged_in_memory_and_takes_nothing_of_the_flash(version: str) -> None:
    paper = deployed(version, a_router(a_node()))
    planned = swap_on(paper)

    assert planned.choice.strategy is Strategy.RAM_BRIDGE
    assert staged_entry(planned).identity == {"root-dir": RAM_B}
    assert planned.transaction.staged_root == RAM_B
    assert [change.path for change in planned.stage if isinstance(change, Add)] == ["/container"]
    assert not any(isinstance(change, Remove) for change in planned.stage)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_lives_in_memory_says_so_and_never_boots(version: str) -> None:
    planned = swap_on(deployed(version, a_router(a_node())))
    transaction = planned.transaction

    assert transaction.staged.in_ram
    assert Tag.parse(staged_entry(planned).props["comment"]) == transaction.staged
    assert not transaction.boots
    assert transaction.afterwards == ()
    assert transaction.strategy == "ram-bridge"


def test_the_scratch_space_grows_by_the_release_that_is_to_live_there() -> None:
    planned = swap_on(deployed("7.23.3", a_router(a_node())))
    (disk,) = (change for change in planned.stage if isinstance(change, Set))

    assert disk.path == "/disk"
    assert int(disk.after["tmpfs-max-size"]) == planned.choice.memory_bytes
    assert planned.choice.memory_bytes >= scratch_bytes(a_node(), NEXT) + NEXT.extracted_bytes


def test_the_first_half_that_is_staged_already_is_gone_on_with() -> None:
    paper = deployed("7.23.3", a_router(a_node()))
    first = swap_on(paper)
    paper.apply_all(first.stage)

    again = swap_on(paper, transaction="t2")

    assert "Add /container" not in kinds(again.stage)
    assert (again.transaction.id, again.transaction.staged) == ("t1", first.transaction.staged)


def test_what_was_staged_for_the_flash_gives_way_to_the_bridge() -> None:
    """An earlier run had the room for two releases, and this one does not."""
    paper = deployed("7.23.3", a_router(a_node()))
    paper.apply_all(swap_on(paper, free_hdd_space=str(900 * MIB)).stage)

    planned = swap_on(paper)

    assert [kind for kind in kinds(planned.stage) if kind.endswith("/container")] == [
        "Remove /container",
        "Add /container",
    ]
    assert planned.transaction.staged_root == RAM_B


# and back


@pytest.mark.parametrize("version", VERSIONS)
def test_the_second_half_puts_the_entry_for_a_power_cut_before_anything_else(version: str) -> None:
    paper = across(version)
    planned = swap_on(paper, transaction="t2")
    path = "/system/scheduler"
    place = kinds(planned.stage).index(f"Add {path}")

    assert kinds(planned.stage)[place - 1] == f"Remove {path}"
    assert "Add /container" in kinds(planned.stage)[place:]
    assert "Remove /container" not in kinds(planned.stage)[:place]
    entry = planned.stage[place]
    assert isinstance(entry, Add)
    assert entry.identity == {"name": bridge_entry(a_node())}
    assert (entry.props["start-time"], entry.props["interval"], entry.props["policy"]) == (
        "startup",
        "0s",
        "read,write",
    )
    assert Tag.parse(entry.props["comment"]) == Tag("tailscale")


def test_the_entry_brings_back_what_is_staged_by_digest_and_by_tag() -> None:
    planned = swap_on(across(), transaction="t2")
    (entry,) = (change for change in planned.stage if isinstance(change, Add) and "scheduler" in change.path)
    script = entry.props["on-event"]

    assert f'"{NEXT.image.name}@{NEXT.index_digest}"' in script
    assert f'"{NEXT.image}"' in script
    assert f'root-dir="{B}"' in script
    assert str(planned.transaction.staged) in script


@pytest.mark.parametrize("version", VERSIONS)
def test_the_second_half_ends_on_the_flash_boots_and_takes_the_entry_away(version: str) -> None:
    planned = swap_on(across(version), transaction="t2")
    transaction = planned.transaction

    assert planned.choice.strategy is Strategy.RAM_BRIDGE
    assert (transaction.staged_root, transaction.staged.in_ram, transaction.boots) == (B, False, True)
    assert kinds(transaction.afterwards) == ["Remove /system/scheduler"]
    assert transaction.in_place is None


def test_an_old_release_that_is_still_there_makes_room_after_the_entry_is_written() -> None:
    """The first half was over, and the run was killed before it removed the old one."""
    paper = across()
    old = {".id": "*99", "name": "tailscale-a", "root-dir": A, "comment": "mtts:tailscale", "stopped": "true"}
    paper.menus["/container"].append(old)

    planned = swap_on(paper, transaction="t2")

    order = [kind for kind in kinds(planned.stage) if kind.endswith(("/container", "scheduler"))]
    assert order == ["Remove /system/scheduler", "Add /system/scheduler", "Remove /container", "Add /container"]


def test_the_second_half_asks_for_no_more_room_than_there_is() -> None:
    """It is the only way forward, and what it needs was measured before the first half."""
    planned = swap_on(across(), transaction="t2", free_hdd_space=str(MIB))
    assert planned.choice.strategy is Strategy.RAM_BRIDGE


# in place


def test_in_place_proves_the_pull_in_memory_and_then_names_what_it_replaces() -> None:
    paper = deployed("7.23.3", a_router(a_node()))
    live = slots_on(paper, a_node()).live
    assert live is not None

    planned = swap_on(paper, allow_in_place=True, device_mode_scheduler=False)

    transaction = planned.transaction
    assert planned.choice.strategy is Strategy.IN_PLACE
    assert (transaction.staged_root, transaction.staged.in_ram, transaction.boots) == (RAM_B, True, True)
    order = transaction.in_place
    assert order is not None
    assert (order.replaced_id, order.props["root-dir"], order.staged.in_ram) == (live.id, B, False)
    assert order.pinned == f"{NEXT.image.name}@{NEXT.index_digest}"
    assert not any("scheduler" in kind for kind in kinds(planned.stage))


# what is refused


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"device_mode_scheduler": False}, "device-mode forbids the scheduler"),
        ({"dns_servers": ("100.100.100.100",)}, "asks 100.100.100.100 for names"),
        ({"free_memory": str(54 * MIB)}, "of memory where"),
        ({"free_hdd_space": "0"}, "missing even without the old release"),
    ],
    ids=["no scheduler", "names through the node", "no memory", "no flash"],
)
def test_a_bridge_that_cannot_be_built_is_refused_before_anything_is_staged(other: dict[str, Any], why: str) -> None:
    refused = plan_on(deployed("7.23.3", a_router(a_node())), **other)

    assert isinstance(refused, Refused)
    assert "flash-too-small" in {problem.code for problem in refused.problems}
    assert any(why in problem.message for problem in refused.problems)


def test_a_bridge_does_not_cross_what_every_swap_is_refused_by() -> None:
    refused = plan_on(deployed("7.23.3", a_router(a_node())), dns_servers=())
    assert isinstance(refused, Refused)
    assert [problem.code for problem in refused.problems] == ["dns-missing"]
