"""What the inventory's options put on the router and into the node, and that turning them off takes it away again."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

import pytest

from mtts.core.inventory import NodeSpec
from mtts.core.outcome import Outcome
from mtts.core.secret import Literal, Secret
from mtts.engine.operate import remove_router
from mtts.lab.boards import MIB
from mtts.lab.quirks import Quirks
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import HOSTNAME, Deployment, lab_image, services_for, versions

TAG = "mtts:tailscale"


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a node, and how it shows when it is on; off, it must not show."""

    node: dict[str, Any]
    shows: Callable[[Deployment], bool]
    since: tuple[int, int, int] = (7, 18, 0)


def _extra(words: str) -> Callable[[Deployment], bool]:
    return lambda here: words in here.world.environment.get("TS_EXTRA_ARGS", "").split()


def _has(path: str, **where: str) -> Callable[[Deployment], bool]:
    return lambda here: bool(here.rows(path, comment=TAG, **where))


def _serves(here: Deployment) -> bool:
    name = f"{here.state_dir}/serve.json"
    contents = here.router.files().get(name)
    inside = here.world.environment.get("TS_SERVE_CONFIG", "")
    return contents is not None and here.world.outside(inside) == name and "443" in json.loads(contents)["TCP"]


OPTIONS = {
    "magicdns": Option({"magicdns": True}, _has("/ip/dns/static", name="ts.net", forward_to="100.100.100.100")),
    "interface_lists": Option({"interface_lists": ("LAN",)}, _has("/interface/list/member", list="LAN")),
    "direct": Option(
        {"direct": 41641},
        lambda here: (
            _has("/ip/firewall/nat", dst_port="41641", action="dst-nat")(here)
            and here.world.environment["TS_TAILSCALED_EXTRA_ARGS"] == "--port=41641"
        ),
    ),
    "routes": Option({"routes": (IPv4Network("10.9.0.0/16"),)}, _has("/ip/route", dst_address="10.9.0.0/16")),
    "serve": Option({"serve": {443: "http://127.0.0.1:8080"}}, _serves),
    "env": Option({"env": {"TS_DEBUG_MTU": "1280"}}, lambda here: "TS_DEBUG_MTU" in here.world.environment),
    "tags": Option({"tags": ("tag:edge", "tag:site")}, _extra("--advertise-tags=tag:edge,tag:site")),
    "exit_node": Option({"exit_node": True}, _extra("--advertise-exit-node")),
    "accept_routes": Option({"accept_routes": True}, _extra("--accept-routes")),
    "snat_subnet_routes": Option({"snat_subnet_routes": False}, _extra("--snat-subnet-routes=false")),
    "login_server": Option({"login_server": "https://hs.example.net"}, _extra("--login-server=https://hs.example.net")),
    "extra_args": Option({"extra_args": ("--ssh",)}, _extra("--ssh")),
    "advertise_routes": Option(
        {"advertise_routes": (IPv4Network("192.168.88.0/24"),)},
        lambda here: here.world.environment["TS_ROUTES"] == "192.168.88.0/24",
    ),
    "accept_dns": Option({"accept_dns": True}, lambda here: here.world.environment["TS_ACCEPT_DNS"] == "true"),
    "ephemeral": Option(
        {"ephemeral": True},
        lambda here: here.world.environment.get("TS_TAILSCALED_EXTRA_ARGS") == "--state=mem:",
    ),
    "memory_high": Option(
        {"memory_high_bytes": 64 * MIB},
        lambda here: bool(here.rows("/container", memory_high=str(64 * MIB))),
        since=(7, 20, 0),
    ),
    "start_on_boot": Option(
        {"start_on_boot": False}, lambda here: bool(here.rows("/container", start_on_boot="false"))
    ),
    "logging": Option(
        {"logging": False}, lambda here: bool(here.rows("/container", logging="false")), since=(7, 20, 0)
    ),
    "address": Option(
        {"address": IPv4Interface("172.31.255.2/30")},
        lambda here: (
            _has("/interface/veth", address="172.31.255.2/30")(here)
            and _has("/ip/address", address="172.31.255.1/30")(here)
            and _has("/ip/route", gateway="172.31.255.2")(here)
        ),
    ),
}


@pytest.mark.parametrize("version", versions("7.23.3"))
@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
async def test_an_option_shows_on_the_router_and_in_the_node_and_goes_again(
    deployment: MakeDeployment, option: Option, version: str
) -> None:
    here = await deployment(version=version)
    if here.router.device.version < option.since:
        here.change_node(**option.node)
        assert (await here.deploy()).outcome is Outcome.REFUSED
        return
    here.new_key(reusable=True)  # an ephemeral node logs in at every start
    plain = here.node
    assert (await here.deploy()).outcome is Outcome.DEPLOYED
    await here.wait(60)
    before = here.snapshot()
    assert not option.shows(here)

    here.change_node(**option.node)
    result = await here.deploy()

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert option.shows(here)
    assert [node.hostname for node in here.online] == [HOSTNAME]
    assert "/container/add" not in here.writes
    assert (await here.deploy()).outcome is Outcome.NO_OP
    assert here.writes == []

    here.spec = replace(here.spec, nodes=(plain,))
    result = await here.deploy()

    if option is OPTIONS["address"]:  # stays where it stands
        assert result.outcome is Outcome.NO_OP
        return
    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert not option.shows(here)
    assert here.snapshot() == before
    assert (await here.deploy()).outcome is Outcome.NO_OP


@pytest.mark.parametrize("version", versions("7.21.5"))
@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
async def test_an_option_from_the_start_converges_in_one_deploy(
    deployment: MakeDeployment, option: Option, version: str
) -> None:
    here = await deployment(version=version, node=option.node)
    if here.router.device.version < option.since:
        assert (await here.deploy()).outcome is Outcome.REFUSED
        return

    result = await here.deploy()

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert option.shows(here)
    assert (await here.deploy()).outcome is Outcome.NO_OP
    assert here.writes == []


async def test_another_serve_reaches_the_router_though_the_environment_stays_the_same(
    deployment: MakeDeployment,
) -> None:
    here = await deployment(node={"serve": {443: "http://127.0.0.1:8080"}})
    await here.deploy()
    here.change_node(serve={443: "http://127.0.0.1:9090"})

    result = await here.deploy()

    assert result.outcome is Outcome.DEPLOYED
    assert b"9090" in here.router.files()[f"{here.state_dir}/serve.json"]
    assert (await here.deploy()).outcome is Outcome.NO_OP


async def test_an_image_that_leaves_the_key_has_it_taken_away(deployment: MakeDeployment) -> None:
    here = await deployment(image=lab_image(behaviour="keeps-key"))

    result = await here.deploy()

    assert result.outcome is Outcome.DEPLOYED
    assert "/file/remove" in here.writes
    assert not [name for name in here.router.files() if name.endswith("authkey")]


async def test_a_key_that_is_to_be_kept_is_kept(deployment: MakeDeployment) -> None:
    here = await deployment(image=lab_image(behaviour="keeps-key"), node={"keep_key": True})

    assert (await here.deploy()).outcome is Outcome.DEPLOYED

    assert f"{here.state_dir}/authkey" in here.router.files()
    assert (await here.deploy()).outcome is Outcome.NO_OP


async def test_a_shared_bridge_and_a_named_veth_are_used_as_the_inventory_says(deployment: MakeDeployment) -> None:
    here = await deployment(node={"bridge": "lan", "veth": "ts0"})
    lan = here.router.add_row("/interface/bridge", name="lan", comment="defconf")

    result = await here.deploy()

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert [row["name"] for row in here.rows("/interface/bridge")] == ["lan"]
    assert [row[".id"] for row in here.rows("/interface/bridge", comment="defconf")] == [lan]
    assert here.rows("/interface/bridge/port", interface="ts0", bridge="lan")
    assert (await here.deploy()).outcome is Outcome.NO_OP


async def test_a_disk_that_is_named_holds_the_node(deployment: MakeDeployment) -> None:
    here = await deployment(usb={"usb1": 512 * MIB}, in_inventory={"storage": "usb1"})

    result = await here.deploy()

    assert result.outcome is Outcome.DEPLOYED
    assert here.container.root.startswith("usb1/mtts/root/")
    assert list(here.router.files()) == [f"usb1/{here.state_dir}/tailscaled.state"]
    assert (await here.deploy()).outcome is Outcome.NO_OP


async def test_auto_storage_takes_the_disk_when_the_flash_has_no_room(deployment: MakeDeployment) -> None:
    here = await deployment(board="hAP ac2", flash_free=1 * MIB, usb={"usb1": 512 * MIB})

    result = await here.deploy()

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert here.container.root.startswith("usb1/")
    assert (await here.deploy()).outcome is Outcome.NO_OP


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
async def test_auto_storage_stays_where_the_identity_is_when_the_container_is_gone(
    deployment: MakeDeployment, version: str
) -> None:
    here = await deployment(version=version, usb={"usb1": 512 * MIB}, in_inventory={"storage": "usb1"})
    await here.deploy()
    (node,) = here.online
    async with services_for(here.lab, []) as services:
        await remove_router(services, here.spec, purge_identity=False)
    here.change(storage="auto")

    result = await here.deploy()

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert here.container.root.startswith("usb1/")
    assert here.online == [node]


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
@pytest.mark.parametrize("quirk", [{"old_root_dir": "backup"}, {"old_root_dir": "stale"}])
async def test_a_root_directory_without_its_entry_makes_room(
    deployment: MakeDeployment, version: str, quirk: dict[str, Any]
) -> None:
    here = await deployment(version=version, quirks=Quirks(**quirk))
    here.router.write_file("mtts/root/tailscale/a/usr/bin/old", b"of an entry that is gone")
    here.router.write_file("mtts/root/guest/a/usr/bin/other", b"of another node")

    result = await here.deploy()

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert "mtts/root/guest/a/usr/bin/other" in here.router.files()
    assert "mtts/root/tailscale/a/usr/bin/old" not in here.router.files()
    assert "mtts/root/tailscale/a.backup" not in here.router.directories()
    assert (await here.deploy()).outcome is Outcome.NO_OP


# several nodes on one router


def _second(here: Deployment, **changed: Any) -> NodeSpec:
    key = here.lab.tailnet.issue_key()
    return replace(here.node, name="guest", hostname="edge1-guest", auth_key=Literal(Secret(key)), **changed)


@pytest.mark.parametrize("version", versions("7.18.2", "7.20.8", "7.23.3"))
async def test_several_nodes_share_what_is_shared_and_nothing_else(deployment: MakeDeployment, version: str) -> None:
    here = await deployment(version=version)
    here.spec = replace(here.spec, nodes=(here.node, _second(here)))

    results = await here.deploy_all()

    assert [(result.node, result.outcome) for result in results] == [
        ("tailscale", Outcome.DEPLOYED),
        ("guest", Outcome.DEPLOYED),
    ]
    assert here.connections == (1, 1)
    assert {node.hostname for node in here.online} == {"edge1", "edge1-guest"}
    assert len(here.rows("/interface/bridge")) == len(here.rows("/disk")) == 1
    assert len({row["address"] for row in here.rows("/interface/veth")}) == 2
    routes = [row for row in here.rows("/ip/route") if row["dst-address"] == "100.64.0.0/10"]
    assert [row["comment"] for row in routes] == [TAG]

    results = await here.deploy_all()

    assert [result.outcome for result in results] == [Outcome.NO_OP, Outcome.NO_OP]
    assert here.writes == []
    assert here.connections == (1, 1)


async def test_a_node_added_later_leaves_the_first_alone(deployment: MakeDeployment) -> None:
    here = await deployment()
    await here.deploy()
    first = here.rows("/container")
    here.spec = replace(here.spec, nodes=(here.node, _second(here)))

    results = await here.deploy_all()

    assert [result.outcome for result in results] == [Outcome.NO_OP, Outcome.DEPLOYED]
    assert here.rows("/container", name="tailscale-a") == first


async def test_one_node_s_fault_does_not_keep_the_next_from_its_turn(deployment: MakeDeployment) -> None:
    here = await deployment()
    here.spec = replace(here.spec, nodes=(here.node, _second(here)))
    here.router.faults.fail_pull("fetch manifest failed: no route")

    results = await here.deploy_all()

    assert [result.outcome for result in results] == [Outcome.BROKEN, Outcome.DEPLOYED]


async def test_a_session_lost_at_the_second_node_leaves_the_first_one_s_result(deployment: MakeDeployment) -> None:
    here = await deployment()
    here.spec = replace(here.spec, nodes=(here.node, _second(here)))

    def cut(_number: int, entry: Any) -> None:
        if entry.path == "/container/add" and any("guest" in word for word in entry.words):
            here.router.faults.cut_after(2)

    here.router.faults.on_write(cut)

    results = await here.deploy_all()

    assert [result.outcome for result in results] == [Outcome.DEPLOYED, Outcome.UNKNOWN]


async def test_a_session_lost_between_two_nodes_leaves_the_first_one_s_result(deployment: MakeDeployment) -> None:
    here = await deployment()
    here.spec = replace(here.spec, nodes=(here.node, _second(here)))
    alone = await deployment("alone")
    await alone.deploy()
    here.router.faults.cut_after(len(alone.journal) + 2)

    results = await here.deploy_all()

    assert [result.outcome for result in results] == [Outcome.DEPLOYED, Outcome.UNREACHABLE]


async def test_a_session_lost_at_the_first_node_tells_of_the_second_too(deployment: MakeDeployment) -> None:
    here = await deployment()
    here.spec = replace(here.spec, nodes=(here.node, _second(here)))
    here.router.faults.cut_after(60)

    results = await here.deploy_all()

    assert [result.outcome for result in results] == [Outcome.UNKNOWN, Outcome.UNREACHABLE]


async def test_names_that_begin_alike_get_veths_of_their_own(deployment: MakeDeployment) -> None:
    here = await deployment()
    here.spec = replace(here.spec, nodes=(here.node, replace(_second(here), name="tailscale-guest")))

    results = await here.deploy_all()

    assert [result.outcome for result in results] == [Outcome.DEPLOYED, Outcome.DEPLOYED]
    assert all(len(row["name"]) <= 14 for row in here.rows("/interface/veth"))
