"""What on a router counts as an updater, and what mtts makes of it (F46)."""

from dataclasses import replace

import pytest

from mtts.core.preflight import Check, Level, check_node
from mtts.core.self_updates import self_updates, updates_itself
from tests.core.examples import READY, a_node, a_release, a_router, facts_of

RECREATE = '/container/remove [find where name="tailscale"]\n/container/add remote-image=x'
REPULL = ":foreach c in=[/container/find] do={/container/repull $c}"
PIHOLE = '/container remove [find name="pihole"]'
HARMLESS = "/container/print; /ip/address/add address=10.0.0.1/24"


def script(name: str, source: str, comment: str = "") -> dict[str, str]:
    return {"name": name, "source": source, "comment": comment}


def entry(name: str, event: str, **other: str) -> dict[str, str]:
    return {"name": name, "on-event": event, "comment": "", **other}


def checked(scripts: list[dict[str, str]], schedule: list[dict[str, str]]) -> list[Check]:
    found = self_updates(scripts, schedule, a_node())
    facts = facts_of(preconditions=replace(READY, self_updates=found))
    checks = check_node(facts=facts, router=a_router(), node=a_node(), release=a_release())
    return [check for check in checks if check.name == "updaters"]


@pytest.mark.parametrize("source", [RECREATE, REPULL, "/container/update [find where hostname=router1]"])
def test_a_scheduled_script_that_renews_the_node_is_a_problem(source: str) -> None:
    (check,) = checked([script("fluent", source)], [entry("nightly", "/system script run fluent")])

    assert check.level is Level.PROBLEM
    assert check.problem is not None
    assert check.problem.code == "foreign-updater"
    assert check.problem.hint == '/system/scheduler/disable [find where name="nightly"]'


def test_code_in_the_scheduler_itself_is_found_too() -> None:
    (check,) = checked([], [entry("nightly", RECREATE)])
    assert check.level is Level.PROBLEM


@pytest.mark.parametrize(
    ("scripts", "schedule"),
    [
        ([script("fluent", RECREATE)], []),
        ([script("fluent", RECREATE)], [entry("nightly", "fluent", disabled="true")]),
        ([script("fluent", RECREATE)], [entry("nightly", "fluently")]),
        ([script("pihole", PIHOLE)], [entry("nightly", "pihole")]),
    ],
    ids=["unscheduled", "disabled", "another's name", "another's container"],
)
def test_what_is_not_known_to_renew_the_node_is_a_warning(
    scripts: list[dict[str, str]], schedule: list[dict[str, str]]
) -> None:
    (check,) = checked(scripts, schedule)
    assert (check.level, check.problem and check.problem.code) == (Level.WARNING, "foreign-updater")


def test_other_scripts_and_mtts_own_are_none() -> None:
    scripts = [script("backup", HARMLESS), script("mtts-lock", RECREATE, "mtts:lock by=a/1 run=r")]
    schedule = [entry("nightly", "backup"), entry("mtts-bridge-tailscale", RECREATE, comment="mtts:tailscale")]
    assert [(check.level, check.detail) for check in checked(scripts, schedule)] == [(Level.OK, "none on the router")]


def test_the_own_updater_is_in_the_way_of_updates_while_it_is_scheduled() -> None:
    own = script("mtts-updater-tailscale", RECREATE, "mtts:updater failed=sha256:00")
    starts = entry("mtts-updater-tailscale", "mtts-updater-tailscale", comment="mtts:updater")

    (running,) = self_updates([own], [starts], a_node())
    (idle,) = self_updates([own], [], a_node())

    problem = updates_itself([running], "router1")
    assert problem is not None
    assert problem.code == "updates-itself"
    assert "/system/scheduler/disable" in problem.hint
    assert updates_itself([idle], "router1") is None
    assert [check.level for check in checked([own], [starts])] == [Level.OK]
    assert [check.level for check in checked([own], [])] == [Level.WARNING]


def test_the_updater_of_another_node_is_no_concern_of_this_one() -> None:
    other = script("mtts-updater-web", RECREATE, "mtts:updater")
    starts = entry("mtts-updater-web", "mtts-updater-web", comment="mtts:updater")
    assert self_updates([other], [starts], a_node()) == ()
