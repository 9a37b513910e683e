"""Every precondition as ok, warning or problem; how a deploy refuses by them is in the planner's stories."""

from dataclasses import replace
from typing import Any

import pytest

from mtts.core.errors import Problem
from mtts.core.facts import Facts
from mtts.core.image import Platform
from mtts.core.inventory import FlashPolicy
from mtts.core.preflight import Check, Level, check_node, check_version, peak_flash_bytes, scratch_bytes
from tests.core.examples import MIB, READY, a_node, a_release, a_resource, a_router, facts_of


def checks(facts: Facts, *, release: Any = "default", pulls: bool = True, **router: Any) -> dict[str, Check]:
    node = a_node()
    found = check_node(
        facts=facts,
        router=a_router(node, **router),
        node=node,
        release=a_release() if release == "default" else release,
        pulls=pulls,
    )
    return {check.name: check for check in found}


def codes(found: dict[str, Check]) -> dict[str, str]:
    return {name: check.problem.code for name, check in found.items() if check.problem}


def test_a_router_that_is_ready_has_nothing_but_ok() -> None:
    found = checks(facts_of())
    assert {check.level for check in found.values()} == {Level.OK}
    assert list(found) == [
        "routeros",
        "connection",
        "package",
        "device-mode",
        "clock",
        "dns",
        "updaters",
        "image",
        "storage",
        "memory",
    ]


def test_what_does_not_pull_asks_nothing_of_image_and_room() -> None:
    found = checks(facts_of(resource=a_resource(free_hdd_space="0", free_memory="0")), pulls=False, release=None)
    assert list(found) == ["routeros", "connection", "package", "device-mode", "clock", "dns", "updaters"]


@pytest.mark.parametrize(
    ("version", "level", "code"),
    [
        ("7.18 (stable)", Level.OK, None),
        ("7.24 (stable)", Level.OK, None),
        ("7.22.2 (stable)", Level.OK, None),
        ("7.17.2 (stable)", Level.PROBLEM, "version-unsupported"),
        ("7.18rc1 (testing)", Level.PROBLEM, "version-unsupported"),
        ("6.49.18 (stable)", Level.PROBLEM, "version-unsupported"),
        ("7.22 (stable)", Level.PROBLEM, "version-loses-containers"),
        ("7.22.1 (stable)", Level.PROBLEM, "version-loses-containers"),
        ("7.25", Level.WARNING, "version-untested"),
    ],
)
def test_versions(version: str, level: Level, code: str | None) -> None:
    check = check_version(facts_of(resource=a_resource(version=version)))
    assert (check.level, check.problem and check.problem.code) == (level, code)


def test_a_version_that_is_not_handled_hides_everything_else() -> None:
    # Its words are not known, so nothing that it says can be judged.
    assert list(checks(facts_of(resource=a_resource(version="7.17"), preconditions=None))) == ["routeros"]


@pytest.mark.parametrize(
    ("known", "name", "code"),
    [
        ({"container_package": False}, "package", "container-package-missing"),
        ({"device_mode_container": False}, "device-mode", "device-mode-forbids-container"),
        ({"clock_skew_s": 3601.0}, "clock", "clock-wrong"),
        ({"clock_skew_s": -3601.0}, "clock", "clock-wrong"),
        ({"dns_servers": ()}, "dns", "dns-missing"),
    ],
)
def test_each_precondition_has_its_problem_and_its_command(known: dict[str, Any], name: str, code: str) -> None:
    found = checks(facts_of(preconditions=replace(READY, **known)))
    assert codes(found) == {name: code}
    problem = found[name].problem
    assert problem is not None
    assert "/" in problem.hint


@pytest.mark.parametrize(
    ("known", "name"),
    [({"device_mode_container": None}, "device-mode"), ({"clock_skew_s": None}, "clock")],
)
def test_what_the_router_does_not_say_is_a_warning_without_a_code(known: dict[str, Any], name: str) -> None:
    found = checks(facts_of(preconditions=replace(READY, **known)))
    assert found[name].level is Level.WARNING
    assert not codes(found)


@pytest.mark.parametrize("skew_s", [3600.0, -3600.0, 0.4])
def test_a_clock_may_be_an_hour_off(skew_s: float) -> None:
    assert checks(facts_of(preconditions=replace(READY, clock_skew_s=skew_s)))["clock"].level is Level.OK


def test_a_missing_menu_tells_of_the_package_before_preconditions_are_read() -> None:
    facts = facts_of(preconditions=None, missing_menus=frozenset({"/container"}))
    assert codes(checks(facts)) == {"package": "container-package-missing"}
    assert "package" not in checks(facts_of(preconditions=None))


def test_bad_blocks_are_a_warning() -> None:
    found = checks(facts_of(resource=a_resource(bad_blocks="2%")))
    assert found["flash-health"].level is Level.WARNING
    assert codes(found) == {"flash-health": "flash-bad-blocks"}


@pytest.mark.parametrize(
    ("props", "code"),
    [
        ({"mounted": "false"}, "tmpdir-on-flash"),
        ({"mounted": "true"}, None),
        ({}, None),
        ({"mounted": "false", "disabled": "true"}, None),
        ({"mounted": "false", "comment": "theirs"}, None),
    ],
    ids=["not mounted", "mounted", "not said", "disabled: enabled by the plan", "not ours: refused by the plan"],
)
def test_scratch_space_must_be_mounted_or_its_name_is_a_directory_on_the_flash(
    props: dict[str, str], code: str | None
) -> None:
    disk = {".id": "*1", "slot": "mtts-tmp", "type": "tmpfs", "comment": "mtts:shared", **props}
    found = checks(facts_of(tables={"/disk": [disk]}))
    assert codes(found) == ({"scratch": code} if code else {})


def test_a_setting_without_a_word_is_told_by_its_key() -> None:
    node = a_node(memory_high_bytes=MIB, health="true")
    facts = facts_of(resource=a_resource(version="7.19.6"))
    found = check_node(facts=facts, router=a_router(node), node=node, release=a_release())
    messages = [check.problem.message for check in found if check.problem]
    assert ["`memory_high`" in messages[0], "`health`" in messages[1], len(messages)] == [True, True, 2]


@pytest.mark.parametrize("code", ["image-not-found", "registry-unavailable", "platform-missing"])
def test_what_the_registry_says_is_a_problem_of_the_image(code: str) -> None:
    assert codes(checks(facts_of(), release=Problem(code, "words"))) == {"image": code}


def test_an_image_that_nobody_asked_for_leaves_the_platform() -> None:
    assert checks(facts_of(), release=None)["platform"].detail == "linux/arm64"


def test_an_armv5_cpu_is_named_where_the_image_has_no_build_for_it() -> None:
    facts = facts_of(resource=a_resource(architecture_name="arm", board_name="hEX Refresh", cpu="EN7562CT"))
    missing = Problem("platform-missing", "no linux/arm/v5")
    assert codes(checks(facts, release=missing)) == {"platform": "cpu-unsupported"}
    overridden = checks(facts, release=missing, platform=Platform.parse("linux/arm/v7"))
    assert codes(overridden) == {"image": "platform-missing"}


def test_an_architecture_without_containers_is_a_problem_of_the_platform() -> None:
    facts = facts_of(resource=a_resource(architecture_name="mipsbe"))
    assert codes(checks(facts)) == {"platform": "architecture-unsupported"}


@pytest.mark.parametrize(
    ("free_bytes", "reserve_bytes", "fits"),
    [
        (9 * MIB + 9 * MIB // 10 + MIB, MIB, True),
        (9 * MIB + 9 * MIB // 10 + MIB - 1, MIB, False),
        (9 * MIB + 9 * MIB // 10 + MIB, 2 * MIB, False),
    ],
)
def test_an_image_must_fit_with_its_margin_above_the_reserve(
    free_bytes: int, reserve_bytes: int, *, fits: bool
) -> None:
    facts = facts_of(resource=a_resource(free_hdd_space=str(free_bytes)))
    found = checks(facts, flash=FlashPolicy(reserve_bytes=reserve_bytes))
    assert codes(found) == ({} if fits else {"storage": "flash-too-small"})


def test_storage_that_is_not_there_is_a_problem_of_the_storage() -> None:
    assert codes(checks(facts_of(), storage="usb1")) == {"storage": "storage-not-found"}


@pytest.mark.parametrize(("prop", "name"), [("free_hdd_space", "storage"), ("free_memory", "memory")])
def test_room_that_is_not_said_is_a_warning(prop: str, name: str) -> None:
    assert checks(facts_of(resource=a_resource(**{prop: ""})))[name].level is Level.WARNING


@pytest.mark.parametrize(
    ("free_bytes", "fits"), [(52 * MIB, True), (52 * MIB - 4, False), (44 * MIB, False), (13 * MIB, False)]
)
def test_unpacking_takes_a_quarter_of_the_memory_at_most(free_bytes: int, *, fits: bool) -> None:
    found = checks(facts_of(resource=a_resource(free_memory=str(free_bytes))))
    assert codes(found) == ({} if fits else {"memory": "memory-too-small"})


def test_little_memory_must_stay_even_where_the_quarter_would_do() -> None:
    small = a_release(compressed_bytes=1, extracted_bytes=1)
    found = checks(facts_of(resource=a_resource(free_memory=str(39 * MIB))), release=small)
    assert codes(found) == {"memory": "memory-too-small"}
    assert not codes(checks(facts_of(resource=a_resource(free_memory=str(40 * MIB))), release=small))


@pytest.mark.parametrize(
    ("extracted_bytes", "peak_bytes"),
    [(0, MIB // 2), (MIB, MIB * 3 // 2), (10 * MIB, 11 * MIB), (100 * MIB, 110 * MIB)],
)
def test_the_peak_is_a_tenth_or_half_a_mebibyte_above_the_image(extracted_bytes: int, peak_bytes: int) -> None:
    assert peak_flash_bytes(a_release(extracted_bytes=extracted_bytes)) == peak_bytes


def test_scratch_space_is_whole_mebibytes_for_the_layers_packed_and_unpacked() -> None:
    assert scratch_bytes(a_node(), a_release(compressed_bytes=4 * MIB, extracted_bytes=9 * MIB + 1)) == 14 * MIB
    assert scratch_bytes(a_node(), a_release(compressed_bytes=1, extracted_bytes=1)) == 8 * MIB
    assert scratch_bytes(a_node(), None) == 8 * MIB
    assert scratch_bytes(a_node(tmpfs_size_bytes=5), a_release()) == 5
