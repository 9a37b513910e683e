"""Several routers at once: which ones a command line names, in which order, and that the others are left alone."""

from collections.abc import Sequence

import pytest

from tests.cli.conftest import Fleet

NAMES = ("attic", "branch1", "branch2", "cellar")


def _fleet_of_four(fleet: Fleet) -> None:
    fleet.inventory["groups"] = {"branches": {}, "home": {}}
    for name in NAMES:
        fleet.add(name)
        fleet.router(name)["groups"] = ["branches" if name.startswith("branch") else "home"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--all",), NAMES),
        (("branch2", "attic"), ("attic", "branch2")),
        (("branch*",), ("branch1", "branch2")),
        (("--group", "branches"), ("branch1", "branch2")),
        (("--group", "home", "branch1"), ("attic", "branch1", "cellar")),
        (("--all", "--exclude", "branch*"), ("attic", "cellar")),
        (("--group", "branches", "--exclude", "branch1"), ("branch2",)),
    ],
    ids=" ".join,
)
def test_a_command_goes_to_the_routers_that_were_named_and_no_others(
    fleet: Fleet, arguments: Sequence[str], named: Sequence[str]
) -> None:
    _fleet_of_four(fleet)

    ran = fleet.mtts("check", *arguments, "--json")

    assert [result["router"] for result in ran.json["routers"]] == list(named)
    routers = fleet.thread.lab.routers
    assert {name for name in NAMES if routers[name].connections} == set(named)


def test_a_fleet_is_deployed_two_at_a_time_and_told_in_the_order_of_the_inventory(fleet: Fleet) -> None:
    _fleet_of_four(fleet)
    writing: list[str] = []
    for name, router in fleet.thread.lab.routers.items():
        fleet.thread.call(router.faults.on_write, lambda _n, _e, name=name: writing.append(name))

    ran = fleet.mtts("deploy", "--all", "--parallel", "2", "--json")

    assert ran.code == 0
    assert ran.json["summary"] == {"deployed": 4}
    assert [result["router"] for result in ran.json["routers"]] == list(NAMES)
    turns = [(writing.index(name), len(writing) - writing[::-1].index(name)) for name in NAMES]
    assert max(sum(first <= moment < end for first, end in turns) for moment in range(len(writing))) <= 2
    assert len(fleet.node_ids()) == 4


def test_what_one_router_does_is_not_felt_by_the_others(fleet: Fleet) -> None:
    _fleet_of_four(fleet)
    bad = fleet.thread.lab.routers["branch1"]
    fleet.thread.call(bad.faults.cut_after, 12)

    ran = fleet.mtts("deploy", "--all", "--json")

    outcomes = {result["router"]: result["outcome"] for result in ran.json["routers"]}
    assert {outcomes.pop("branch1")} <= {"unreachable", "unknown"}
    assert set(outcomes.values()) == {"deployed"}
    assert fleet.mtts("deploy", "--all", "--json").json["summary"] == {"deployed": 1, "no-op": 3}
