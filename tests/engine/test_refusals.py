"""What a deploy refuses: one code each, a hint that helps, exit code 5, and not one write."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from typing import Any

import pytest

from mtts.core.errors import CODES
from mtts.core.outcome import NodeResult, Outcome, exit_code
from mtts.lab.boards import MIB
from mtts.lab.quirks import Quirks
from mtts.lab.registry_faults import RegistryFault
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import REPOSITORY, VERSIONS, Deployment, lab_image


def _nothing(_here: Deployment) -> None:
    """The router is wrong from the start."""


@dataclass(frozen=True, slots=True)
class Story:
    """A router that a deploy must not touch."""

    code: str
    router: dict[str, Any] = field(default_factory=dict)
    node: dict[str, Any] = field(default_factory=dict)
    inventory: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Deployment], object] = _nothing


def _add_foreign_container(here: Deployment) -> None:
    device = here.router.device
    here.router.add_row("/interface/veth", name="veth1", address="172.17.0.2/24", gateway="172.17.0.1")
    root = "tailscale/root"
    device.files.make_directory(root)
    image = f"{here.lab.registry.address}/{REPOSITORY}:stable"
    item = device.table("/container").insert(
        {"name": "ts", "remote-image": image, "interface": "veth1", "root-dir": f"/{root}"}
    )
    device.engine.created(item)


STORIES = {
    "a container that somebody else made": Story("foreign-container", prepare=_add_foreign_container),
    "a bridge of that name that is not ours": Story(
        "bridge-not-ours", prepare=lambda here: here.router.add_row("/interface/bridge", name="mtts", comment="lan")
    ),
    "a veth of that name that is not ours": Story(
        "veth-not-ours", prepare=lambda here: here.router.add_row("/interface/veth", name="veth-tailscale")
    ),
    "a veth of another node of ours": Story(
        "veth-not-ours",
        prepare=lambda here: here.router.add_row("/interface/veth", name="veth-tailscale", comment="mtts:other"),
    ),
    "a subnet that an address already covers": Story(
        "subnet-occupied",
        node={"address": IPv4Interface("192.168.88.130/30")},
        prepare=lambda here: here.router.add_row(
            "/ip/address", address="192.168.88.1/24", interface="ether1", network="192.168.88.0"
        ),
    ),
    "a pool that is taken as a whole": Story(
        "subnet-occupied",
        prepare=lambda here: here.router.add_row(
            "/ip/address", address="172.20.0.1/16", interface="ether1", network="172.20.0.0"
        ),
    ),
    "a tailnet route that leads elsewhere": Story(
        "route-occupied",
        prepare=lambda here: here.router.add_row("/ip/route", dst_address="100.64.0.0/10", gateway="192.0.2.9"),
    ),
    "no container package": Story("container-package-missing", router={"container_package": False}),
    "no container package, where veth comes with it": Story(
        "container-package-missing", router={"container_package": False, "version": "7.19.6"}
    ),
    "device-mode without containers": Story("device-mode-forbids-container", router={"device_mode_container": False}),
    "too little flash": Story("flash-too-small", router={"flash_free": 1 * MIB}),
    "too little memory": Story("memory-too-small", router={"ram": 32 * MIB}),
    "an architecture that the image lacks": Story("platform-missing", router={"arch": "arm"}),
    "a board that runs ARMv5 only": Story("cpu-unsupported", router={"board": "hEX refresh"}),
    "a clock that is two hours behind": Story("clock-wrong", router={"clock_skew_s": -7200.0}),
    "a clock that is two hours ahead": Story("clock-wrong", router={"clock_skew_s": 7200.0}),
    "a clock of 1970": Story("clock-wrong", router={"clock_skew_s": -1.7e9}),
    "no DNS server": Story("dns-missing", router={"dns": ()}),
    "RouterOS 7.17.2": Story("version-unsupported", router={"version": "7.17.2"}),
    "RouterOS 7.22": Story("version-loses-containers", router={"version": "7.22"}),
    "RouterOS 7.22.1": Story("version-loses-containers", router={"version": "7.22.1"}),
    "storage that is not there": Story("storage-not-found", inventory={"storage": "usb9"}),
    "no auth key for a node without identity": Story("auth-key-missing", node={"auth_key": None}),
    "a setting that the version has no word for": Story(
        "setting-unsupported", router={"version": "7.19.6"}, node={"memory_high_bytes": 64 * MIB}
    ),
    "an image that the registry does not have": Story(
        "image-not-found", prepare=lambda here: here.change_node(image=here.image("no-such-tag"))
    ),
    "a registry that limits rates": Story(
        "registry-rate-limited",
        prepare=lambda here: here.lab.registry.faults.add(RegistryFault("status", status=429)),
    ),
}
"""By what the operator did or met. `platform-missing` needs an image without arm; see the test."""


async def _refused(here: Deployment, code: str) -> NodeResult:
    before = here.snapshot()
    result = await here.deploy()
    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, code), result
    assert result.problem.hint
    assert result.problem.message
    assert exit_code([result]) == 5
    assert here.writes == []
    assert here.snapshot() == before
    return result


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
async def test_a_deploy_refuses_and_writes_nothing(deployment: MakeDeployment, story: Story) -> None:
    image = lab_image(platforms=("linux/amd64", "linux/arm64")) if story.code == "platform-missing" else None
    if story.code == "cpu-unsupported":
        image = lab_image()
    here = await deployment(image=image, node=story.node, in_inventory=story.inventory, **story.router)
    story.prepare(here)
    await here.wait(5)

    await _refused(here, story.code)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "story",
    [STORIES[name] for name in ("no container package", "device-mode without containers", "no DNS server")],
    ids=lambda story: story.code,
)
async def test_the_router_s_preconditions_are_told_on_every_version(
    deployment: MakeDeployment, story: Story, version: str
) -> None:
    here = await deployment(**{**story.router, "version": version})

    await _refused(here, story.code)


async def test_two_foreign_containers_are_refused_and_both_named(deployment: MakeDeployment) -> None:
    here = await deployment()
    for name in ("tailscale-one", "tailscale-two"):
        here.router.add_row("/container", name=name, root_dir=f"/{name}", remote_image="tailscale/tailscale:latest")

    result = await _refused(here, "foreign-containers")

    assert result.problem is not None
    assert "tailscale-one" in result.problem.message
    assert "tailscale-two" in result.problem.message


async def test_several_refusals_are_told_at_once(deployment: MakeDeployment) -> None:
    here = await deployment(dns=(), clock_skew_s=-9000.0, device_mode_container=False)

    result = await here.deploy()

    assert result.problem is not None
    told = {result.problem.code, *(warning.code for warning in result.warnings)}
    assert told >= {"dns-missing", "clock-wrong", "device-mode-forbids-container"}
    assert here.writes == []


async def test_a_user_without_write_is_told_which_policies_it_needs_and_changes_nothing(
    deployment: MakeDeployment,
) -> None:
    here = await deployment(users={"mtts": ("lab-password", "viewer")})
    here.router.add_row("/user/group", name="viewer", policy="api,read,test,!write")
    before = here.snapshot()

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "not-permitted")
    assert "write" in result.problem.hint
    assert exit_code([result]) == 5
    assert not any(entry.took_effect for entry in here.journal if entry.is_write)
    assert here.snapshot() == before


async def test_a_subnet_on_the_router_is_stepped_over(deployment: MakeDeployment) -> None:
    first = await deployment()
    await first.deploy()
    (address,) = first.rows("/ip/address", comment="mtts:tailscale")
    here = await deployment("router2")
    here.router.add_row("/ip/address", address=address["address"], network=address["network"], interface="ether1")

    result = await here.deploy()

    assert result.outcome is Outcome.DEPLOYED
    (chosen,) = here.rows("/ip/address", comment="mtts:tailscale")
    assert chosen["network"] != address["network"]


async def test_a_newer_routeros_than_any_known_is_deployed_with_a_warning(deployment: MakeDeployment) -> None:
    here = await deployment(version="7.31")

    result = await here.deploy()

    assert result.outcome is Outcome.DEPLOYED
    assert "version-untested" in {warning.code for warning in result.warnings}


async def test_containers_refused_by_quirks_of_the_store_are_no_lookalikes(deployment: MakeDeployment) -> None:
    here = await deployment(quirks=Quirks())
    here.router.add_row("/container", name="pihole", root_dir="/pihole", remote_image="pihole/pihole:latest")

    result = await here.deploy()

    assert result.outcome is Outcome.DEPLOYED
    assert here.rows("/container", name="pihole") == [
        row for row in here.untagged()["/container"] if row["name"] == "pihole"
    ]


def test_every_code_that_is_refused_here_is_a_documented_one() -> None:
    assert {story.code for story in STORIES.values()} <= set(CODES)
