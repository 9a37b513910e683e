"""The order in which an inventory is looked for."""

from pathlib import Path

import pytest

from mtts.adapters.inventory.places import find_inventory
from mtts.core.errors import UsageError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home with an empty current directory in it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def test_what_was_named_comes_before_all_else(home: Path) -> None:
    (home / "here" / "inventory.yaml").touch()
    assert find_inventory("named.yaml", {"MTTS_INVENTORY": "other.yaml"}) == Path("named.yaml")


def test_the_environment_comes_before_the_current_directory(home: Path) -> None:
    (home / "here" / "inventory.yaml").touch()
    assert find_inventory(None, {"MTTS_INVENTORY": "/etc/mtts.yaml"}) == Path("/etc/mtts.yaml")


def test_the_current_directory_comes_before_the_configuration(home: Path) -> None:
    (home / "here" / "inventory.yaml").touch()
    (home / "mtts").mkdir()
    (home / "mtts" / "inventory.yaml").touch()
    assert find_inventory(None, {"XDG_CONFIG_HOME": str(home)}) == Path("inventory.yaml")


@pytest.mark.parametrize("configured", ["/", "relative", ""])
def test_the_configuration_is_the_last_place(home: Path, configured: str) -> None:
    base = home / "xdg" if configured == "/" else home / ".config"
    (base / "mtts").mkdir(parents=True)
    (base / "mtts" / "inventory.yaml").touch()
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(base) if configured == "/" else configured}
    assert find_inventory(None, environ) == base / "mtts" / "inventory.yaml"


def test_all_places_are_named_when_none_has_it(home: Path) -> None:
    with pytest.raises(UsageError) as refused:
        find_inventory(None, {"HOME": str(home)})
    problem = refused.value.problem
    assert problem.code == "inventory-not-found"
    for place in ("-i", "$MTTS_INVENTORY", "inventory.yaml", str(home / ".config" / "mtts" / "inventory.yaml")):
        assert place in problem.message
    assert "mtts init" in problem.hint


def test_without_a_home_there_is_no_inventory_rather_than_a_fault(home: Path) -> None:
    with pytest.raises(UsageError, match="no inventory"):
        find_inventory(None, {})
