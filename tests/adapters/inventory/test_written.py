"""What mtts writes and ships for people: the start of an inventory, the example with every key, the JSON Schema."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mtts.adapters.inventory.json_schema import DIALECT, inventory_json_schema
from mtts.adapters.inventory.loader import load_inventory, read_inventory
from mtts.adapters.inventory.schema import (
    FlashSection,
    NodeSection,
    RegistrySection,
    RouterSection,
    Section,
    TimingSection,
)
from mtts.adapters.inventory.source_text import SourceText
from mtts.adapters.inventory.template import render_inventory
from mtts.adapters.inventory.yaml_text import parse_yaml
from mtts.core.errors import UsageError
from mtts.core.inventory import FlashPolicy, Inventory, Timing
from tests.adapters.inventory.schema_check import is_valid

SECTIONS: tuple[type[Section], ...] = (RouterSection, NodeSection, TimingSection, FlashSection, RegistrySection)
EXAMPLE = Path(__file__).parents[3] / "inventory.example.yaml"


def loaded(text: str) -> Inventory:
    return read_inventory(Path("inventory.yaml"), SourceText(text, mode=0o644, is_regular=True))


def test_the_start_of_an_inventory_loads() -> None:
    text = render_inventory(routers={"router1": "192.168.88.1", "r2": "fd00::1"}, image="reg.example.net/a/b:stable")
    inventory = loaded(text)
    assert [(router.name, router.host) for router in inventory.routers] == [
        ("router1", "192.168.88.1"),
        ("r2", "fd00::1"),
    ]
    (node,) = inventory.routers[0].nodes
    assert (str(node.image), node.login_server, node.tags) == ("reg.example.net/a/b:stable", None, ())


def test_every_answer_finds_its_place() -> None:
    text = render_inventory(
        routers={"12": "fe80::1%eth0"},
        image="localhost:5000/x",
        username="true",
        login_server="https://hs.example.net",
        tags=["tag:a", "tag:b"],
    )
    (router,) = loaded(text).routers
    assert (router.name, router.host, router.username) == ("12", "fe80::1%eth0", "true")
    assert router.nodes[0].login_server == "https://hs.example.net"
    assert router.nodes[0].tags == ("tag:a", "tag:b")


@pytest.mark.parametrize(
    "answer",
    [
        {"image": "https://x"},
        {"routers": {"a b": "h"}},
        {"routers": {"r": "h\n  s: 1"}},
        {"tags": ["]"]},
        {"routers": {}},
    ],
)
def test_an_answer_of_the_wrong_form_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        render_inventory(**({"routers": {"r": "h"}, "image": "reg.example.net/a"} | answer))


def test_what_is_commented_out_in_the_start_is_right_too() -> None:
    text = render_inventory(routers={"router1": "h"}, image="reg.example.net/a")
    lines = text.splitlines()
    group = lines.index("# groups:")
    live = [line.removeprefix("# ") if index >= group else line for index, line in enumerate(lines)]
    live = [line.replace("# login_server:", "login_server:").replace("# tags:", "tags:") for line in live]
    inventory = loaded("\n".join(live).replace("    host: h", "    host: h\n    groups: [branches]"))
    (router,) = inventory.routers
    assert router.nodes[0].tags == ("tag:router",)
    assert router.nodes[0].login_server == "https://headscale.example.net"
    assert len(router.nodes[0].advertise_routes) == 1


def test_the_example_loads_and_fits_the_schema() -> None:
    inventory = load_inventory(EXAMPLE)
    schema = inventory_json_schema()
    assert [router.name for router in inventory.routers] == ["router1", "router2", "router3"]
    assert is_valid(parse_yaml(EXAMPLE.read_text(encoding="utf-8")).value, schema, schema)


def test_the_waits_of_the_example_are_the_built_in_ones() -> None:
    router = load_inventory(EXAMPLE).routers[1]
    assert router.timing == Timing()
    assert router.flash == FlashPolicy()


def test_the_example_shows_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    sections: tuple[type[Section], ...] = (
        RouterSection,
        NodeSection,
        TimingSection,
        FlashSection,
        RegistrySection,
    )
    missing = [key for section in sections for key in section.model_fields if f"{key}:" not in text]
    assert missing == []


def test_the_schema_is_plain_json_of_its_dialect() -> None:
    schema = inventory_json_schema()
    assert schema["$schema"] == DIALECT
    assert json.loads(json.dumps(schema)) == schema


def test_every_key_in_the_schema_is_described_or_a_section() -> None:
    schema: Any = inventory_json_schema()
    for name in ("Settings", "RouterSection", "NodeSection", "TimingSection", "FlashSection"):
        for key, part in schema["$defs"][name]["properties"].items():
            assert "description" in part or key in ("timing", "flash"), f"{name}.{key}"


def test_every_object_in_the_schema_is_closed() -> None:
    def objects(part: Any) -> list[Any]:
        if isinstance(part, dict):
            here = [part] if part.get("type") == "object" else []
            return here + [found for value in part.values() for found in objects(value)]
        return [found for item in part for found in objects(item)] if isinstance(part, list) else []

    found = objects(inventory_json_schema())
    assert len(found) > 10
    assert all(part.get("additionalProperties") is False for part in found)


def test_the_schema_is_valid_by_its_own_dialect() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(inventory_json_schema())


def test_looking_for_an_inventory_imports_neither_pydantic_nor_ruamel() -> None:
    program = "import sys, mtts.adapters.inventory.places; print({'pydantic', 'ruamel'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
