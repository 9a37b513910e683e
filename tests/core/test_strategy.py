"""How a container is swapped on a given router: the best way that fits, and what stands against each."""

from dataclasses import replace
from typing import Any

import pytest

from mtts.core.errors import Problem
from mtts.core.facts import Facts
from mtts.core.preflight import place_of
from mtts.core.storage import Place
from mtts.core.strategy import Choice, Strategy, choose_strategy, needs_node
from tests.core.examples import MIB, READY, a_node, a_release, a_resource, a_router, facts_of

ROOMY, TIGHT = str(20 * MIB), str(3 * MIB)
"""Free flash: for two releases of nine mebibytes, and for one in the room of another."""


def choose(facts: Facts, *, allow_in_place: bool = False) -> Choice | Problem:
    router, node, release = a_router(), a_node(), a_release()
    place = place_of(router, node, facts, release)
    assert isinstance(place, Place)
    return choose_strategy(
        router=router,
        node=node,
        facts=facts,
        release=release,
        place=place,
        old_bytes=None,
        allow_in_place=allow_in_place,
    )


def with_resource(**other: str) -> Facts:
    return facts_of(resource=a_resource(**other))


def behind_the_node(facts: Facts) -> Facts:
    """Names are asked of the tailnet's own resolver."""
    return replace(facts, preconditions=replace(READY, dns_servers=("9.9.9.9", "100.100.100.100")))


def test_two_releases_on_the_flash_are_best_and_need_nothing_else() -> None:
    chosen = choose(behind_the_node(with_resource(free_hdd_space=ROOMY, free_memory=str(64 * MIB))))
    assert isinstance(chosen, Choice)
    assert chosen.strategy is Strategy.A_B


def test_a_flash_that_holds_one_is_bridged_over_from_memory() -> None:
    chosen = choose(with_resource(free_hdd_space=TIGHT))
    assert isinstance(chosen, Choice)
    assert chosen.strategy is Strategy.RAM_BRIDGE
    assert str(chosen).endswith("away for seconds, twice")


@pytest.mark.parametrize(
    ("resource", "known", "why"),
    [
        ({"free_memory": str(40 * MIB)}, {}, "of memory where"),
        ({}, {"device_mode_scheduler": False}, "device-mode forbids the scheduler"),
        ({}, {"dns_servers": ("100.100.100.100",)}, "asks 100.100.100.100 for names"),
    ],
    ids=["memory", "scheduler", "names through the node"],
)
def test_what_stands_against_a_bridge_is_said(resource: dict[str, str], known: dict[str, Any], why: str) -> None:
    facts = with_resource(free_hdd_space=TIGHT, **resource)
    refused = choose(replace(facts, preconditions=replace(READY, **known)))
    assert isinstance(refused, Problem)
    assert refused.code == "flash-too-small"
    assert why in refused.message


def test_in_place_is_a_last_resort_that_somebody_has_to_allow() -> None:
    facts = with_resource(free_hdd_space=TIGHT)
    facts = replace(facts, preconditions=replace(READY, device_mode_scheduler=False))
    assert isinstance(choose(facts), Problem)
    chosen = choose(facts, allow_in_place=True)
    assert isinstance(chosen, Choice)
    assert chosen.strategy is Strategy.IN_PLACE


def test_a_router_that_needs_its_node_to_pull_is_never_without_it() -> None:
    """F05: its names or its default route lead through the node that would be away."""
    assert isinstance(choose(behind_the_node(with_resource(free_hdd_space=TIGHT)), allow_in_place=True), Problem)


def test_a_default_route_through_the_node_is_seen() -> None:
    """F05: only one of ours leads there; a server's name instead of its address tells nothing."""
    ours = {"dst-address": "0.0.0.0/0", "gateway": "172.20.0.2", "comment": "mtts:tailscale"}
    assert needs_node(facts_of(tables={"/ip/route": [ours]})) is not None
    assert needs_node(facts_of(tables={"/ip/route": [ours | {"comment": "to the provider"}]})) is None
    named = replace(READY, dns_servers=("https://dns.example.net/dns-query",))
    assert needs_node(facts_of(preconditions=named)) is None


def test_what_does_not_fit_even_without_the_old_release_is_refused() -> None:
    refused = choose(with_resource(free_hdd_space="0"), allow_in_place=True)
    assert isinstance(refused, Problem)
    assert "missing even without the old release" in refused.message
