"""Whatever the file holds, loading ends with an Inventory or a UsageError."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtts.adapters.inventory.loader import load_inventory, read_inventory
from mtts.adapters.inventory.source_text import SourceText
from mtts.core.errors import UsageError
from mtts.core.inventory import Inventory

WORDS = [
    *"{}[],:?-&*!|>'\"%@`#~ \n\t",
    *("routers", "defaults", "groups", "node", "nodes", "host", "password", "env", "timing", "pull", "serve", "null"),
    *("10.0.0.1", "true", "443", "1m", "---\n", "...\n", "<<", "!!python/name:os", "&a", "*a", "\\", "\ud7ff", "\x00"),
]
keys = st.sampled_from(["routers", "defaults", "node", "nodes", "host", "image", "tags", "env", "timing", "flash", "x"])
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10) | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


def outcome(text: str) -> Inventory | UsageError:
    try:
        return read_inventory(Path("inventory.yaml"), SourceText(text, mode=0o644, is_regular=True))
    except UsageError as error:
        return error


def is_told_well(text: str) -> bool:
    result = outcome(text)
    if isinstance(result, Inventory):
        return True
    lines = str(result).split("\n")
    return all(line.startswith("inventory.yaml:") and line.isprintable() for line in lines)


@settings(deadline=None)
@given(st.text())
@example("\ufeff")
@example('"\\UFFFFFFFF"')
@example("%YAML 9.9\n---\na: 1")
@example("? [a]\n: b")
@example("? *a\n: b")
@example("a: 1e999")
@example("[" * 10_000)
@example("- " * 10_000)
@example("? " * 10_000)
def test_any_text(text: str) -> None:
    assert is_told_well(text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join))
def test_text_made_of_the_words_of_yaml_and_of_inventories(text: str) -> None:
    assert is_told_well(text)


@settings(deadline=None)
@given(trees)
def test_any_tree_under_routers(tree: object) -> None:
    assert is_told_well(json.dumps({"defaults": tree, "routers": {"r": tree, "s": {"host": tree, "node": tree}}}))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00", b"\x80abc", b"a: \xc3\x28"])
def test_bytes_that_are_no_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        load_inventory(path)
