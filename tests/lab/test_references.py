"""How rows refer to each other: what must exist, what must not be removed, what dangles."""

import pytest

from mtts.lab.fleet import Lab
from tests.lab.conftest import Login, MakeGround

NAMES = {"/interface/veth": "veth9", "/interface/bridge": "bridge9", "/interface/list": "list9"}


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (("/interface/veth/add", "=name=v", "=address=nonsense"), "invalid value for argument address"),
        (("/interface/veth/add", "=name=v", "=gateway=nonsense"), "invalid value for argument gateway"),
        (("/interface/veth/add", "=name=ether1"), "failure: already have interface with such name"),
        (("/interface/bridge/add", "=name=veth1"), "failure: already have interface with such name"),
        (
            ("/interface/bridge/port/add", "=bridge=none", "=interface=veth1"),
            "input does not match any value of bridge",
        ),
        (
            ("/interface/bridge/port/add", "=bridge=bridge1", "=interface=none"),
            "input does not match any value of interface",
        ),
        (
            ("/interface/bridge/port/add", "=bridge=bridge1", "=interface=veth1"),
            "failure: device already added as bridge port",
        ),
        (("/interface/bridge/port/add", "=bridge=bridge1"), "missing value(s) of argument(s) interface"),
        (("/interface/list/member/add", "=list=nosuch", "=interface=veth1"), "input does not match any value of list"),
        (
            ("/ip/address/add", "=address=10.0.0.1/24", "=interface=none"),
            "input does not match any value of interface",
        ),
        (
            ("/ip/address/add", "=address=10.0.0.1/24", "=interface=!veth1"),
            "input does not match any value of interface",
        ),
        (("/ip/address/add", "=address=10.0.0.300/24", "=interface=veth1"), "invalid value for argument address"),
        (("/ip/route/add", "=dst-address=10.0.0.1/24", "=gateway=10.0.0.1"), "invalid value for argument dst-address"),
        (
            ("/ip/firewall/nat/add", "=chain=srcnat", "=out-interface-list=none-such"),
            "input does not match any value of out-interface-list",
        ),
        (("/interface/list/remove", "=numbers=all"), "failure: cannot change builtin list"),
        (("/interface/list/set", "=numbers=static", "=comment=x"), "failure: cannot change builtin list"),
        (
            ("/ip/firewall/nat/add", "=chain=srcnat", "=out-interface=none"),
            "input does not match any value of out-interface",
        ),
        (("/ip/dns/static/add", "=name=x", "=type=NONSENSE"), "input does not match any value of type"),
        (("/interface/veth/set", "=.id=*1", "=disabled=maybe"), "input does not match any value of disabled"),
        (("/disk/add", "=type=nonsense"), "input does not match any value of type"),
        (("/disk/add", "=slot=x"), "missing value(s) of argument(s) type"),
        (("/interface/veth/remove", "=numbers=none"), "no such item"),
        (("/interface/veth/remove",), "missing value(s) of argument(s) numbers"),
        (("/user/add", "=name=mtts", "=group=read"), "failure: user with the same name already exists"),
        (("/system/script/add",), "missing value(s) of argument(s) name"),
    ],
)
async def test_rows_that_refer_to_nothing_or_twice_are_refused(
    command: tuple[str, ...], text: str, lab: Lab, login: Login
) -> None:
    talker = await login(await lab.add_router("r"), "admin")
    await talker.say("/interface/veth/add", "=name=veth1")
    await talker.say("/interface/bridge/add", "=name=bridge1")
    await talker.say("/interface/bridge/port/add", "=bridge=bridge1", "=interface=veth1")
    assert (await talker.say(*command)).trap == text


@pytest.mark.parametrize("path", NAMES)
async def test_rows_are_found_by_id_and_by_name_and_ids_are_not_reused(path: str, lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    first = (await talker.say(f"{path}/add", f"=name={NAMES[path]}")).ret
    assert (await talker.say(f"{path}/get", f"=.id={first}", "=value-name=name")).ret == NAMES[path]
    assert (await talker.say(f"{path}/set", f"=numbers={NAMES[path]}", "=comment=mtts:x")).trap is None
    assert (await talker.say(f"{path}/print", "?comment=mtts:x", "=.proplist=.id")).rows == [{".id": first}]
    assert (await talker.say(f"{path}/find", f"?name={NAMES[path]}")).ret == first
    assert (await talker.say(f"{path}/remove", f"=numbers={NAMES[path]}")).trap is None
    assert (await talker.say(f"{path}/remove", f"=.id={first}")).trap == "no such item"
    assert (await talker.say(f"{path}/add", f"=name={NAMES[path]}")).ret != first


async def test_a_veth_that_a_container_refers_to_cannot_be_removed(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    await on.add()
    heard = await on.talker.say("/interface/veth/remove", "=numbers=veth1")
    assert heard.trap is not None
    assert "in use by container" in heard.trap
    await on.lab.clock.advance(5)
    await on.do("remove")
    await on.lab.clock.advance(5)
    assert (await on.talker.say("/interface/veth/remove", "=numbers=veth1")).trap is None


async def test_a_removed_veth_leaves_its_port_and_address_dangling(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    await talker.say("/interface/veth/add", "=name=veth1")
    await talker.say("/interface/bridge/add", "=name=bridge1")
    await talker.say("/interface/bridge/port/add", "=bridge=bridge1", "=interface=veth1")
    await talker.say("/ip/address/add", "=address=10.9.0.1/24", "=interface=veth1")
    await talker.say("/interface/veth/remove", "=numbers=veth1")
    port = (await talker.say("/interface/bridge/port/print")).rows[0]
    assert (port["interface"], port["inactive"]) == ("*1", "true")
    assert (await talker.say("/ip/address/print")).rows[0]["invalid"] == "true"


async def test_a_removed_list_leaves_its_members_and_rules_dangling(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    number = (await talker.say("/interface/list/add", "=name=ts")).ret
    await talker.say("/interface/list/member/add", "=list=ts", "=interface=ether2")
    await talker.say("/ip/firewall/filter/add", "=chain=input", "=in-interface-list=ts")
    await talker.say("/interface/list/set", "=numbers=ts", "=name=tailnet")
    assert (await talker.say("/interface/list/member/print")).rows[0]["list"] == "tailnet"
    await talker.say("/interface/list/remove", "=numbers=tailnet")
    assert (await talker.say("/interface/list/member/print")).rows[0]["list"] == number
    assert (await talker.say("/ip/firewall/filter/print")).rows[0]["in-interface-list"] == number


async def test_a_renamed_interface_is_followed(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    await on.add()
    await on.talker.say("/interface/veth/set", "=numbers=veth1", "=name=tailscale")
    assert (await on.print())["interface"] == "tailscale"


async def test_a_port_that_the_router_made_stays(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    router.add_row("/interface/bridge", name="bridge1")
    router.add_row("/interface/bridge/port", bridge="bridge1", interface="ether1", dynamic="true")
    heard = await (await login(router)).say("/interface/bridge/port/remove", "=.id=*1")
    assert heard.trap is not None
    assert "dynamic port" in heard.trap


async def test_an_address_brings_its_network_and_its_route(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    await talker.say("/ip/address/add", "=address=172.20.0.1/30", "=interface=ether2")
    await talker.say("/ip/route/add", "=dst-address=100.64.0.0/10", "=gateway=172.20.0.2")
    await talker.say("/ip/route/add", "=dst-address=10.1.0.0/16", "=gateway=10.9.9.9")
    assert (await talker.say("/ip/address/print")).rows[0]["network"] == "172.20.0.0"
    routes = {row["dst-address"]: row for row in (await talker.say("/ip/route/print")).rows}
    assert routes["172.20.0.0/30"]["dynamic"] == "true"
    assert routes["100.64.0.0/10"]["active"] == "true"
    assert routes["10.1.0.0/16"]["active"] == "false"
    assert routes["0.0.0.0/0"]["gateway"] == "192.0.2.1"


async def test_values_are_stored_as_a_router_stores_them(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    await talker.say("/system/scheduler/add", "=policy=read", "=name=s", "=interval=00:01:30")
    await talker.say("/disk/add", "=type=tmpfs", "=slot=ram1", "=tmpfs-max-size=64M")
    await talker.say("/interface/veth/add", "=name=v", "=disabled=yes", "=comment=yes", "=address=10.0.0.2")
    assert (await talker.say("/system/scheduler/print")).rows[0]["interval"] == "1m30s"
    assert (await talker.say("/disk/print")).rows[0]["tmpfs-max-size"] == str(64 * 1024 * 1024)
    veth = (await talker.say("/interface/veth/print")).rows[0]
    assert (veth["disabled"], veth["comment"], veth["address"]) == ("true", "yes", "10.0.0.2/32")
    await talker.say("/interface/veth/enable", "=numbers=v")
    assert (await talker.say("/interface/veth/print")).rows[0]["disabled"] == "false"


async def test_a_rule_can_be_put_before_another_and_moved(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    first = (await talker.say("/ip/firewall/filter/add", "=chain=input", "=comment=a")).ret
    await talker.say("/ip/firewall/filter/add", "=chain=input", "=comment=b", f"=place-before={first}")
    await talker.say("/ip/firewall/filter/add", "=chain=forward", "=comment=c")

    async def order() -> str:
        return "".join(row["comment"] for row in (await talker.say("/ip/firewall/filter/print")).rows)

    assert await order() == "bac"
    await talker.say("/ip/firewall/filter/move", "=numbers=*3", "=destination=*1")
    assert await order() == "bca"
