"""Inventories from text, as if they lay in a file that only its owner can read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mtts.adapters.inventory.loader import load_inventory
from mtts.core.inventory import Inventory

Load = Callable[..., Inventory]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write the text to a file of the given mode and load it."""

    def load_text(text: str, *, mode: int = 0o600) -> Inventory:
        path = tmp_path / "inventory.yaml"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return load_inventory(path)

    return load_text
