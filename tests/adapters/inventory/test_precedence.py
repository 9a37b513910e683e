"""Built-in < defaults < groups in order < router < node, key by key."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtts.adapters.inventory.layers import merge_file
from mtts.adapters.inventory.schema import InventoryFile
from tests.adapters.inventory.conftest import Load

LAYERS = ("defaults", "first", "second", "router", "node")
"""Weakest first."""

router_settings = st.fixed_dictionaries(
    {},
    optional={
        "username": st.sampled_from(["a", "b", "c"]) | st.none(),
        "port": st.integers(1, 5) | st.none(),
        "timing": st.none()
        | st.fixed_dictionaries({}, optional={"pull": st.sampled_from(["1m", "2m"]) | st.none(), "gap": st.just("0s")}),
    },
)
node_settings = st.fixed_dictionaries(
    {},
    optional={
        "exit_node": st.booleans() | st.none(),
        "direct": st.integers(1, 5) | st.none(),
        "tags": st.lists(st.sampled_from(["tag:a", "tag:b"]), max_size=2) | st.none(),
        "env": st.dictionaries(st.sampled_from("AB"), st.sampled_from(["x", "y"])) | st.none(),
    },
)


def last_word(layers: Sequence[Mapping[str, Any]], key: str) -> Any:
    """What the last layer that mentions `key` says of it, None included."""
    said = [layer[key] for layer in layers if key in layer]
    return said[-1] if said else None


@settings(deadline=None)
@given(
    router_layers=st.lists(router_settings, min_size=4, max_size=4),
    node_layers=st.lists(node_settings, min_size=5, max_size=5),
    swap=st.booleans(),
)
def test_the_last_layer_that_mentions_a_key_decides(
    router_layers: list[dict[str, Any]], node_layers: list[dict[str, Any]], swap: bool
) -> None:
    defaults, first, second, router = (
        layer | {"node": node} for layer, node in zip(router_layers, node_layers[:4], strict=True)
    )
    order = ["second", "first"] if swap else ["first", "second"]
    file = InventoryFile.model_validate(
        {
            "defaults": defaults,
            "groups": {"first": first, "second": second},
            "routers": {"r": router | {"host": "h", "groups": order, "nodes": {"web": node_layers[4]}}},
        }
    )
    (merged,) = merge_file(file)
    strength = [0, 2, 1, 3] if swap else [0, 1, 2, 3]
    ordered = [router_layers[index] for index in strength]
    ordered_nodes = [node_layers[index] for index in (*strength, 4)]
    for key in ("username", "port"):
        assert merged.settings.get(key) == last_word(ordered, key)
    timings = [layer["timing"] for layer in ordered if layer.get("timing")]
    pull = last_word(timings, "pull")
    assert merged.settings.get("timing", {}).get("pull") == {None: None, "1m": 60, "2m": 120}[pull]
    for key in ("exit_node", "direct", "env"):
        assert merged.nodes["web"].get(key) == last_word(ordered_nodes, key)
    tags = last_word(ordered_nodes, "tags")
    assert merged.nodes["web"].get("tags") == (None if tags is None else tuple(tags))


@pytest.mark.parametrize("strongest", range(len(LAYERS)))
def test_the_image_of_the_strongest_layer_wins_however_it_is_said(load: Load, strongest: int) -> None:
    said = [f"image: reg.example.net/x/{layer}" if index <= strongest else "" for index, layer in enumerate(LAYERS)]
    # The router says it in `node:`, the layers below in `image:`; both ways of saying it weigh the same.
    inventory = load(
        f"defaults: {{username: u, password: {{env: P}}, {said[0]}}}\n"
        f"groups: {{second: {{{said[2]}}}, first: {{{said[1]}}}}}\n"
        f"routers: {{r: {{host: h, groups: [first, second], node: {{{said[3]}}}, nodes: {{web: {{{said[4]}}}}}}}}}\n"
    )
    assert inventory.routers[0].nodes[0].image.repository == f"x/{LAYERS[strongest]}"


def test_within_one_layer_the_image_of_its_nodes_is_the_nearer(load: Load) -> None:
    inventory = load(
        "defaults: {username: u, password: {env: P}, image: reg.example.net/a, node: {image: reg.example.net/b}}\n"
        "routers: {r: {host: h}, s: {host: i, image: reg.example.net/c}}\n"
    )
    assert [router.nodes[0].image.repository for router in inventory.routers] == ["b", "c"]


def test_a_hostname_is_the_routers_name_for_the_usual_node_and_the_nodes_else(load: Load) -> None:
    inventory = load(
        "defaults: {username: u, password: {env: P}, image: reg.example.net/a}\n"
        "routers: {r: {host: h, nodes: {web: {}, tailscale: {}, db: {hostname: data}}}}\n"
    )
    assert {node.name: node.hostname for node in inventory.routers[0].nodes} == {
        "web": "web",
        "tailscale": "r",
        "db": "data",
    }


def test_nodes_share_no_settings_but_those_of_node(load: Load) -> None:
    inventory = load(
        "defaults: {username: u, password: {env: P}, image: reg.example.net/a}\n"
        "routers: {r: {host: h, node: {accept_routes: true}, nodes: {web: {exit_node: true}, db: {}}}}\n"
    )
    web, db = inventory.routers[0].nodes
    assert (web.accept_routes, web.exit_node) == (True, True)
    assert (db.accept_routes, db.exit_node) == (True, False)
