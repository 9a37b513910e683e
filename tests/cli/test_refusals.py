"""What `mtts deploy --json` refuses: the code, a hint, exit code 5, and a router that was not written to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mtts.lab.boards import MIB
from mtts.lab.registry_faults import RegistryFault
from mtts.lab.router import LabRouter
from tests.cli.conftest import Fleet
from tests.engine.fleet import REPOSITORY, lab_image


def _nothing(_fleet: Fleet, _router: LabRouter) -> None:
    """The router is wrong from the start."""


@dataclass(frozen=True, slots=True)
class Story:
    """A router that a deploy must not touch."""

    code: str
    router: dict[str, Any] = field(default_factory=dict)
    inventory: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Fleet, LabRouter], object] = _nothing


def _row(path: str, **given: str) -> Callable[[Fleet, LabRouter], object]:
    return lambda fleet, router: fleet.thread.call(router.add_row, path, **given)


def _image(tag: str) -> Callable[[Fleet, LabRouter], object]:
    def change(fleet: Fleet, _router: LabRouter) -> None:
        fleet.router()["image"] = f"{fleet.thread.lab.registry.address}/{REPOSITORY}:{tag}"

    return change


def _limit_rates(fleet: Fleet, _router: LabRouter) -> None:
    limit = RegistryFault("status", status=429, retry_after="3600")  # longer than a run waits, and so not at all
    fleet.thread.call(fleet.thread.lab.registry.faults.add, limit)


def _image_without_arm(fleet: Fleet, _router: LabRouter) -> None:
    fleet.publish(lab_image(platforms=("linux/amd64", "linux/arm64")))


STORIES = {
    "an untagged container": Story(
        "foreign-container",
        prepare=_row("/container", name="tailscale", root_dir="/ts", remote_image="tailscale/tailscale:latest"),
    ),
    "a bridge of that name": Story("bridge-not-ours", prepare=_row("/interface/bridge", name="mtts", comment="lan")),
    "a veth of that name": Story("veth-not-ours", prepare=_row("/interface/veth", name="veth-tailscale")),
    "an occupied subnet": Story(
        "subnet-occupied",
        inventory={"node": {"address": "192.168.88.130/30"}},
        prepare=_row("/ip/address", address="192.168.88.1/24", interface="ether1", network="192.168.88.0"),
    ),
    "an occupied route": Story(
        "route-occupied", prepare=_row("/ip/route", dst_address="100.64.0.0/10", gateway="192.0.2.9")
    ),
    "no container package": Story("container-package-missing", router={"container_package": False}),
    "device-mode": Story("device-mode-forbids-container", router={"device_mode_container": False}),
    "too little flash": Story("flash-too-small", router={"flash_free": 1 * MIB}),
    "too little memory": Story("memory-too-small", router={"ram": 32 * MIB}),
    "no build for the architecture": Story("platform-missing", router={"arch": "arm"}, prepare=_image_without_arm),
    "a board with an EN7562CT": Story("cpu-unsupported", router={"board": "hEX refresh"}),
    "a wrong clock": Story("clock-wrong", router={"clock_skew_s": -7200.0}),
    "no DNS server": Story("dns-missing", router={"dns": ()}),
    "RouterOS 7.17.2": Story("version-unsupported", router={"version": "7.17.2"}),
    "RouterOS 7.22": Story("version-loses-containers", router={"version": "7.22"}),
    "RouterOS 7.22.1": Story("version-loses-containers", router={"version": "7.22.1"}),
    "storage that is not there": Story("storage-not-found", inventory={"storage": "usb9"}),
    "no auth key": Story("auth-key-missing", prepare=lambda fleet, _: fleet.node.pop("auth_key")),
    "a setting without a word": Story(
        "setting-unsupported", router={"version": "7.19.6"}, inventory={"node": {"memory_high": "64MiB"}}
    ),
    "a tag that is not there": Story("image-not-found", prepare=_image("no-such-tag")),
    "a registry that limits rates": Story("registry-rate-limited", prepare=_limit_rates),
}


def _refused_router(fleet: Fleet, story: Story) -> LabRouter:
    router = fleet.add(**story.router)
    fleet.router().update(story.inventory)
    story.prepare(fleet, router)
    return router


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_deploy_is_refused_with_a_code_and_a_hint_and_no_write(fleet: Fleet, story: Story) -> None:
    router = _refused_router(fleet, story)

    ran = fleet.mtts("deploy", "router1", "--json")

    (result,) = ran.json["routers"]
    assert (result["outcome"], result["error"]["code"]) == ("refused", story.code), result
    assert result["error"]["message"]
    assert result["error"]["hint"]
    assert (ran.code, ran.json["exit_code"]) == (5, 5)
    assert ran.json["summary"] == {"refused": 1}
    assert fleet.writes(router) == []


@pytest.mark.parametrize("command", ["deploy", "check", "plan"])
def test_a_refusal_is_told_with_its_code_and_its_hint_to_people_too(fleet: Fleet, command: str) -> None:
    router = _refused_router(fleet, STORIES["no DNS server"])

    ran = fleet.mtts(command, "router1")

    assert ran.code == 5
    assert "[dns-missing]" in ran.out
    assert "hint: /ip/dns/set servers=" in ran.out
    assert fleet.writes(router) == []


def test_quiet_does_not_hide_a_refusal(fleet: Fleet) -> None:
    _refused_router(fleet, STORIES["no DNS server"])

    ran = fleet.mtts("deploy", "router1", "-q")

    assert ran.code == 5
    assert "[dns-missing]" in ran.out
    assert ran.err == ""
