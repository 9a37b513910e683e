"""Values that a router refuses, and the words it refuses them with; everything a router starts with passes."""

import pytest

from mtts.lab.forms import FORMS, stored
from mtts.lab.menus import FACTORIES
from mtts.lab.reply import Trap
from mtts.lab.schema import load_schema, published
from mtts.lab.table import Singleton, Table
from tests.lab.desk import ROOT, ask, make_device

INVALID = "invalid value for argument {}"
NO_MATCH = "input does not match any value of {}"


def refused(path: str, **args: str) -> str:
    device = make_device()
    ask(device, "/interface/bridge/add", name="bridge1")
    with pytest.raises(Trap) as trap:
        ask(device, path, ROOT, **args)
    return trap.value.message


@pytest.mark.parametrize(
    ("path", "args", "text"),
    [
        ("/interface/bridge/add", {"mtu": "banana"}, INVALID.format("mtu")),
        ("/interface/bridge/add", {"mtu": "12"}, "value of mtu is out of range (68 .. 65535)"),
        ("/interface/bridge/add", {"name": ""}, INVALID.format("name")),
        ("/interface/bridge/add", {"arp": "sometimes"}, NO_MATCH.format("arp")),
        ("/interface/bridge/add", {"priority": "0xzz"}, INVALID.format("priority")),
        ("/interface/bridge/add", {"arp_timeout": "soon"}, INVALID.format("arp-timeout")),
        ("/interface/bridge/port/add", {"bridge": "bridge1", "interface": "ether2", "pvid": "0"}, "out of range"),
        ("/interface/veth/add", {"name": ""}, INVALID.format("name")),
        ("/interface/veth/add", {"address": "172.20.0.2/40"}, INVALID.format("address")),
        ("/interface/veth/add", {"gateway": "172.20.0.1/30"}, INVALID.format("gateway")),
        ("/interface/list/add", {"name": ""}, "name"),
        ("/ip/address/add", {"address": "here", "interface": "ether1"}, INVALID.format("address")),
        ("/ip/address/add", {"address": "1.2.3.4/8", "interface": "ether1", "network": "x"}, INVALID.format("network")),
        ("/ip/dns/set", {"servers": "banana"}, INVALID.format("servers")),
        ("/ip/dns/set", {"servers": "1.1.1.1,"}, INVALID.format("servers")),
        ("/ip/dns/set", {"max_udp_packet_size": "7"}, "value of max-udp-packet-size is out of range (50 .. 65507)"),
        ("/ip/dns/static/add", {"name": "a b", "address": "1.2.3.4"}, INVALID.format("name")),
        ("/ip/dns/static/add", {"name": "a", "address": "1.2.3"}, INVALID.format("address")),
        ("/ip/dns/static/add", {"name": "a", "type": "ALIAS"}, NO_MATCH.format("type")),
        ("/ip/route/add", {"gateway": "nonsense"}, INVALID.format("gateway")),
        ("/ip/route/add", {"gateway": "192.0.2.1%nowhere"}, INVALID.format("gateway")),
        ("/ip/route/add", {"dst_address": "10.0.0.1/8"}, INVALID.format("dst-address")),
        ("/ip/route/add", {"distance": "256"}, "value of distance is out of range (1 .. 255)"),
        ("/ip/route/add", {"check_gateway": "maybe"}, NO_MATCH.format("check-gateway")),
        ("/ip/firewall/nat/add", {"chain": "srcnat", "action": "hide"}, NO_MATCH.format("action")),
        ("/ip/firewall/nat/add", {"chain": "srcnat", "src_address": "1.2.3.4-x"}, INVALID.format("src-address")),
        ("/ip/firewall/nat/add", {"chain": "srcnat", "dst_port": "70000"}, "value of dst-port is out of range"),
        ("/ip/firewall/nat/add", {"chain": "srcnat", "protocol": "carrier"}, NO_MATCH.format("protocol")),
        ("/ip/firewall/nat/add", {"chain": "srcnat", "to_addresses": "all"}, INVALID.format("to-addresses")),
        ("/ip/firewall/filter/add", {"chain": "input", "connection_state": "old"}, NO_MATCH.format("connection-state")),
        ("/container/envs/add", {"list": "a", "key": ""}, "key"),
        ("/container/mounts/add", {"list": "a", "src": "x", "dst": "/y", "mode": "wo"}, NO_MATCH.format("mode")),
        ("/container/config/set", {"memory_high": "much"}, INVALID.format("memory-high")),
        ("/container/add", {"remote_image": "a.test/b", "dns": "resolver"}, INVALID.format("dns")),
        ("/container/add", {"remote_image": "a.test/b", "restart_policy": "often"}, NO_MATCH.format("restart-policy")),
        ("/container/add", {"remote_image": "a.test/b", "restart_max_count": "x"}, INVALID.format("restart-max-count")),
        ("/container/add", {"remote_image": "a.test/b", "stop_time": "x"}, INVALID.format("stop-time")),
        ("/container/add", {"remote_image": "a.test/b", "memory_max": "1000"}, INVALID.format("memory-max")),
        ("/container/add", {"remote_image": "a.test/b", "start_on_boot": "x"}, NO_MATCH.format("start-on-boot")),
        ("/disk/add", {"type": "tmpfs", "tmpfs_max_size": "big"}, INVALID.format("tmpfs-max-size")),
        ("/disk/add", {"type": "floppy"}, NO_MATCH.format("type")),
        ("/disk/add", {"type": "tmpfs", "slot": ""}, INVALID.format("slot")),
        ("/system/script/add", {"name": "a", "policy": "read,api"}, NO_MATCH.format("policy")),
        ("/system/scheduler/add", {"name": "a", "interval": "x"}, INVALID.format("interval")),
        ("/user/group/add", {"name": "a", "policy": "read,everything"}, NO_MATCH.format("policy")),
        ("/user/add", {"name": "a", "group": "full", "address": "x"}, INVALID.format("address")),
    ],
)
def test_a_value_that_is_none_is_refused_in_the_router_s_words(path: str, args: dict[str, str], text: str) -> None:
    assert text in refused(path, **args)


@pytest.mark.parametrize(
    ("menu", "argument", "value"),
    [
        ("/interface/bridge", "priority", "0x8000"),
        ("/interface/bridge", "mtu", "auto"),
        ("/interface/veth", "address", "172.20.0.2/30,fd00::2/64"),
        ("/ip/dns", "servers", "1.1.1.1,2606:4700::1111"),
        ("/ip/dns/static", "name", "ts.net"),
        ("/ip/firewall/filter", "connection-state", "established,related,!new"),
        ("/ip/firewall/nat", "src-address", "!172.20.0.0/30"),
        ("/ip/firewall/nat", "dst-address", "1.2.3.4-1.2.3.9"),
        ("/ip/firewall/nat", "dst-port", "80,8000-8080"),
        ("/ip/firewall/nat", "protocol", "!17"),
        ("/user/group", "policy", "read,write,!ftp"),
    ],
)
def test_what_routers_take_is_stored_as_typed(menu: str, argument: str, value: str) -> None:
    assert stored(menu, argument, value) == value


@pytest.mark.parametrize("gateway", ["192.0.2.1", "ether1", "192.0.2.1%ether1", "192.0.2.1@main", "192.0.2.1,ether1"])
def test_gateways_are_addresses_or_interfaces(gateway: str) -> None:
    assert ask(make_device(), "/ip/route/add", dst_address="10.0.0.0/8", gateway=gateway).ret


def test_a_form_is_of_a_word_that_some_version_knows() -> None:
    schemas = [load_schema(version) for version in published()]
    for menu, forms in FORMS.items():
        known = {
            name
            for schema in schemas
            for command in ("add", "set")
            for name in schema.arguments(menu, command) or frozenset()
        }
        assert set(forms) <= known, menu


@pytest.mark.parametrize("version", ["7.10.2", "7.18.2", "7.20.8", "7.24"])
def test_what_a_router_has_by_itself_passes_its_own_forms(version: str) -> None:
    device = make_device(version)
    for path in FORMS:
        assert path in FACTORIES
        menu = device.menu(path)
        if isinstance(menu, Singleton):
            rows = [menu.values]
        else:
            assert isinstance(menu, Table)
            rows = [dict(menu.defaults), *(item.values for item in menu.items.values())]
        for row in rows:
            for name in set(row) & set(FORMS[path]):
                stored(path, name, row[name])
