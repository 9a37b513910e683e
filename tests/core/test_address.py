"""The node's own subnet: the same for the same inputs, and never over what is there."""

from ipaddress import IPv4Interface, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.address import NodeNetwork, choose_network, interfaces
from mtts.core.errors import Problem
from mtts.core.facts import Facts
from mtts.core.inventory import DEFAULT_POOL
from tests.core.examples import a_node, facts_of

SMALL_POOL = IPv4Network("172.20.0.0/28")
HOSTNAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)


def with_addresses(*addresses: str, comment: str = "") -> Facts:
    return facts_of(
        tables={"/ip/address": [{"address": text, "interface": "x", "comment": comment} for text in addresses]}
    )


def network(found: NodeNetwork | Problem) -> IPv4Network:
    assert isinstance(found, NodeNetwork), found
    assert found.container.network == found.gateway.network
    assert found.container.ip != found.gateway.ip
    return found.container.network


def test_a_hostname_has_the_same_subnet_on_every_run_and_controller() -> None:
    # A figure, so that no change of the hash goes unnoticed: it would renumber every node.
    found = choose_network(a_node(hostname="router1"), facts_of(), veth="v")
    assert found == NodeNetwork(IPv4Interface("172.20.246.14/30"), IPv4Interface("172.20.246.13/30"))


@given(HOSTNAMES)
def test_a_subnet_is_a_30_of_the_pool_with_both_ends_in_it(hostname: str) -> None:
    found = choose_network(a_node(hostname=hostname), facts_of(), veth="v")
    assert network(found).prefixlen == 30
    assert network(found).subnet_of(DEFAULT_POOL)
    assert isinstance(found, NodeNetwork)
    assert {found.container.ip, found.gateway.ip} == set(found.container.network.hosts())


@given(HOSTNAMES, st.sets(st.integers(0, 3), max_size=3))
def test_occupied_subnets_are_passed_over_while_there_is_another(hostname: str, taken: set[int]) -> None:
    blocks = list(SMALL_POOL.subnets(new_prefix=30))
    facts = with_addresses(*(f"{blocks[index][1]}/30" for index in sorted(taken)))
    found = network(choose_network(a_node(hostname=hostname), facts, veth="v", pool=SMALL_POOL))
    assert found in blocks
    assert blocks.index(found) not in taken


@given(HOSTNAMES)
def test_two_hostnames_of_one_start_find_two_subnets(hostname: str) -> None:
    first = choose_network(a_node(name="one", hostname=hostname), facts_of(), veth="v", pool=SMALL_POOL)
    facts = with_addresses(str(network(first)[1]) + "/30", comment="mtts:one")
    second = choose_network(a_node(name="two", hostname=hostname), facts, veth="w", pool=SMALL_POOL)
    assert network(first) != network(second)


@pytest.mark.parametrize("occupant", ["172.20.0.1/28", "172.16.0.1/12", "0.0.0.1/0"])
def test_a_pool_that_is_taken_whole_is_told_with_its_occupant(occupant: str) -> None:
    found = choose_network(a_node(), with_addresses(occupant), veth="v", pool=SMALL_POOL)
    assert isinstance(found, Problem)
    assert found.code == "subnet-occupied"
    assert occupant in found.message


def test_what_the_node_has_already_is_kept() -> None:
    veth = {"name": "v", "address": "fd00::2/64,172.20.9.2/30", "comment": "mtts:tailscale"}
    assert (
        str(network(choose_network(a_node(), facts_of(tables={"/interface/veth": [veth]}), veth="v")))
        == "172.20.9.0/30"
    )


@pytest.mark.parametrize(
    "veth",
    [
        {"name": "v", "address": "172.20.9.2", "comment": "mtts:tailscale"},
        {"name": "v", "address": "172.20.9.2/31", "comment": "mtts:tailscale"},
        {"name": "v", "address": "fd00::2/64", "comment": "mtts:tailscale"},
        {"name": "v", "address": "", "comment": "mtts:tailscale"},
        {"name": "other", "address": "172.20.9.2/30", "comment": "mtts:tailscale"},
        {"name": "v", "address": "172.20.9.2/30", "comment": "theirs"},
    ],
)
def test_a_veth_that_is_not_ours_or_has_no_room_is_not_kept(veth: dict[str, str]) -> None:
    found = network(choose_network(a_node(), facts_of(tables={"/interface/veth": [veth]}), veth="v"))
    assert str(found) == "172.20.246.12/30"


def test_the_address_of_the_inventory_is_taken_as_it_is() -> None:
    found = choose_network(a_node(address=IPv4Interface("10.1.2.9/24")), facts_of(), veth="v")
    assert found == NodeNetwork(IPv4Interface("10.1.2.9/24"), IPv4Interface("10.1.2.1/24"))
    found = choose_network(a_node(address=IPv4Interface("10.1.2.1/30")), facts_of(), veth="v")
    assert found == NodeNetwork(IPv4Interface("10.1.2.1/30"), IPv4Interface("10.1.2.2/30"))


@pytest.mark.parametrize(("comment", "is_free"), [("mtts:tailscale", True), ("mtts:web", False), ("", False)])
def test_the_address_of_the_inventory_must_be_free_or_the_node_s_own(comment: str, *, is_free: bool) -> None:
    node = a_node(address=IPv4Interface("192.168.88.202/30"))
    found = choose_network(node, with_addresses("192.168.88.1/24", comment=comment), veth="v")
    assert isinstance(found, NodeNetwork) is is_free


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("192.168.88.1/24", ["192.168.88.1/24"]),
        ("192.168.88.1", ["192.168.88.1/32"]),
        ("10.0.0.1/8, fd00::1/64 ,10.0.0.300/8", ["10.0.0.1/8"]),
    ],
)
def test_only_readable_ipv4_addresses_count(text: str, found: list[str]) -> None:
    assert [str(interface) for interface in interfaces(text)] == found


def test_an_address_of_our_own_tells_the_network_of_a_veth_that_was_changed_by_hand() -> None:
    gateway = {"address": "172.20.246.13/30", "interface": "mtts", "comment": "mtts:tailscale"}
    veth = {"name": "v", "address": "10.9.9.2/24", "comment": "mtts:tailscale"}
    facts = facts_of(tables={"/ip/address": [gateway], "/interface/veth": [veth]})
    assert str(network(choose_network(a_node(), facts, veth="v"))) == "172.20.246.12/30"


def test_an_address_of_our_own_that_is_no_30_tells_nothing() -> None:
    gateway = {"address": "172.20.9.1/24", "interface": "mtts", "comment": "mtts:tailscale"}
    found = choose_network(a_node(), facts_of(tables={"/ip/address": [gateway]}), veth="v")
    assert str(network(found)) == "172.20.246.12/30"
