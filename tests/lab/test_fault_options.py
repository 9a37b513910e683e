"""Options that make no sense are refused in the same words from Python, from outside, and in a scenario."""

import math
from typing import Any

import pytest

from mtts.lab.control import ControlError, Order, give
from mtts.lab.fault_kinds import REGISTRY_KINDS, ROUTER_KINDS, kind_of
from mtts.lab.fault_options import OptionError
from mtts.lab.fleet import Lab
from mtts.lab.registry_faults import RegistryFault
from mtts.lab.scenario import ScenarioError, read_scenario

ROUTERS: list[tuple[str, dict[str, Any], str]] = [
    ("clock-jump", {"seconds": math.nan}, "seconds: expected a number from -3153600000 to 3153600000, not nan"),
    ("clock-jump", {"seconds": 1e300}, "seconds: expected a number from -3153600000 to 3153600000, not 1e+300"),
    ("cut-link", {"how": "gently"}, "how: expected one of fin, rst, silence, not 'gently'"),
    ("cut-after", {"n": -3}, "n: expected a whole number from 1 to 1000000, not -3"),
    ("cut-after", {"n": 1, "how": ""}, "how: expected one of fin, rst, silence, not ''"),
    ("slow-link", {"latency-s": math.inf}, "latency-s: expected a number from 0 to 86400, not inf"),
    ("slow-link", {"latency-s": -1.0}, "latency-s: expected a number from 0 to 86400, not -1.0"),
    ("slow-link", {"bytes-per-s": -1}, "bytes-per-s: expected a whole number from 0 to 1000000000, not -1"),
    ("trap-next", {"path": "/nowhere"}, "path: expected a command of RouterOS such as /container/add, not '/nowhere'"),
    ("trap-next", {"path": "/file/add", "message": ""}, "message: expected 1 to 200 characters, not ''"),
    (
        "trap-next",
        {"path": "/file/add", "message": "\ud800"},
        "message: expected 1 to 200 characters, not '\\ud800'",
    ),
    ("fail-pull", {"text": "a\nb"}, "text: expected 1 to 200 characters on one line, not 'a\\nb'"),
    ("fail-extraction", {"after-percent": 100}, "after-percent: expected a whole number from 1 to 99, not 100"),
    ("hollow-extraction", {"after-percent": 0}, "after-percent: expected a whole number from 1 to 99, not 0"),
    ("fill-disk", {"leave-bytes": -1}, "leave-bytes: expected a whole number from 0 to 1099511627776, not -1"),
    (
        "foreign-command",
        {"command": "add"},
        "command: expected a command of RouterOS such as /container/add, not 'add'",
    ),
    (
        "foreign-command",
        {"command": "/file/add", "values": {"": "x"}},
        "values: expected NAME=VALUE with a name, not {'': 'x'}",
    ),
    ("foreign-command", {"command": "/file/add", "user": ""}, "user: expected 1 to 200 characters on one line, not ''"),
    ("second-controller", {"n": 0}, "n: expected a whole number from 1 to 1000000, not 0"),
]
REGISTRY: list[tuple[str, dict[str, Any], str]] = [
    ("status", {"status": 399}, "status: expected an HTTP status of a failure, 400 to 511, not 399"),
    ("status", {"retry-after": "a\r\nb: c"}, "retry-after: expected 1 to 200 characters of ASCII, not 'a\\r\\nb: c'"),
    ("status", {"after": -1}, "after: expected a whole number from 0 to 1000000, not -1"),
    ("status", {"times": 0}, "times: expected a whole number from 1 to 1000000, not 0"),
    ("denied", {"on": "blobs"}, "on: expected one of token, any, not 'blobs'"),
    ("stall", {"method": "HEAD"}, "method: expected one of any, GET, not 'HEAD'"),
    ("redirect", {}, "redirect needs host: 1 to 200 characters of ASCII"),
]


@pytest.mark.parametrize(("kind", "options", "said"), ROUTERS, ids=str)
async def test_what_makes_no_sense_for_a_router_is_refused_alike_everywhere(
    lab: Lab, kind: str, options: dict[str, Any], said: str
) -> None:
    router = await lab.add_router("r")
    with pytest.raises(OptionError) as from_python:
        getattr(router.faults, kind.replace("-", "_"))(**{name.replace("-", "_"): options[name] for name in options})
    assert str(from_python.value) == said
    await _refused_from_outside(lab, "r", kind, options, said)


@pytest.mark.parametrize(("kind", "options", "said"), REGISTRY, ids=str)
async def test_what_makes_no_sense_for_the_registry_is_refused_alike_everywhere(
    lab: Lab, kind: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(OptionError) as from_python:
        RegistryFault(kind, **{name.replace("-", "_"): options[name] for name in options})
    assert str(from_python.value) == said
    await _refused_from_outside(lab, "registry", kind, options, said)
    assert lab.registry.faults.active == []


async def _refused_from_outside(lab: Lab, target: str, kind: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ControlError) as from_outside:
        await give(lab.registry.control, Order(target, kind, options))
    assert str(from_outside.value) == said
    with pytest.raises(ScenarioError) as from_file:
        read_scenario({"steps": [{"router": target, "fault": kind, "with": options}]}, ["r"])
    assert [text for _, text in from_file.value.complaints] == [said]


@pytest.mark.parametrize("kind", [*ROUTER_KINDS.values(), *REGISTRY_KINDS.values()], ids=lambda kind: kind.name)
def test_every_option_but_switches_and_names_of_disks_has_a_rule(kind: Any) -> None:
    assert {option.name for option in kind.options.values() if option.rule is None} <= {"before", "off", "disk"}


async def test_more_than_is_free_cannot_be_left_on_a_disk(lab: Lab) -> None:
    router = await lab.add_router("r", usb={"usb1": 8192})
    with pytest.raises(OptionError, match=r"^leave-bytes: expected at most the 8192 that are free, not 8193$"):
        router.faults.fill_disk("usb1", 8193)
    with pytest.raises(OptionError, match=r"^disk: expected one of none for the built-in flash, usb1, not 'usb9'$"):
        router.faults.fill_disk("usb9")
    assert "usb1/others.bin" not in router.files()


async def test_a_clock_stays_within_what_a_router_can_show(lab: Lab) -> None:
    router = await lab.add_router("r")
    before = router.device.wall
    with pytest.raises(OptionError, match=r"^seconds: the year would be 19\d\d, not one of 1970 to 2100$"):
        router.faults.clock_jump(-80 * 365 * 86_400)
    assert router.device.wall == before


@pytest.mark.parametrize(
    ("target", "name", "said"),
    [
        ("r", "truncate", "unknown fault 'truncate': it is one of the registry; did you mean truncate-reply?"),
        ("r", "garble", "unknown fault 'garble': did you mean garble-reply?"),
        ("registry", "power-cut", "unknown fault 'power-cut': it is one of a router"),
        ("registry", "xyz", "unknown fault 'xyz': one of publish, status, truncate"),
    ],
)
def test_an_unknown_fault_is_told_from_what_may_have_been_meant(target: str, name: str, said: str) -> None:
    with pytest.raises(ValueError, match="unknown fault") as refusal:
        kind_of(target, name)
    assert str(refusal.value).startswith(said)
