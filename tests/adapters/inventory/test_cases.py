"""Every file in tests/cases/inventory goes through the loader and through the JSON Schema.

An invalid case begins with `# expect` and the loader's words, a line each; `# the schema cannot know` marks those that
only the loader can refuse.
"""

from pathlib import Path
from typing import Final

import pytest

from mtts.adapters.inventory.json_schema import inventory_json_schema
from mtts.adapters.inventory.loader import read_inventory
from mtts.adapters.inventory.source_text import SourceText
from mtts.adapters.inventory.yaml_text import parse_yaml
from mtts.core.errors import UsageError
from tests.adapters.inventory.schema_check import is_valid

CASES: Final = Path(__file__).parents[2] / "cases" / "inventory"
VALID: Final = sorted((CASES / "valid").glob("*.yaml"))
INVALID: Final = sorted((CASES / "invalid").glob("*.yaml"))
SCHEMA: Final = inventory_json_schema()
EXPECTED: Final = "#   "
BLIND: Final = "# the schema cannot know"


def source(path: Path) -> SourceText:
    return SourceText(path.read_text(encoding="utf-8"), mode=0o600, is_regular=True)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_inventory_loads_and_fits_the_schema(path: Path) -> None:
    assert read_inventory(path, source(path)).routers
    assert is_valid(parse_yaml(source(path).text).value, SCHEMA, SCHEMA)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_inventory_is_refused_in_the_words_it_expects(path: Path) -> None:
    text = source(path).text
    expected = [line.removeprefix(EXPECTED) for line in text.splitlines() if line.startswith(EXPECTED)]
    with pytest.raises(UsageError) as refused:
        read_inventory(Path(path.name), source(path))
    assert refused.value.problem.code == "inventory-invalid"
    assert str(refused.value).splitlines() == [f"{path.name}:{line}" for line in expected]
    assert "hunter2" not in str(refused.value) or path.stem == "login-server"


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_the_schema_refuses_what_it_can_know(path: Path) -> None:
    text = source(path).text
    is_blind = BLIND in text.splitlines()
    assert is_valid(parse_yaml(text).value, SCHEMA, SCHEMA) == is_blind


def test_there_are_cases() -> None:
    assert len(VALID) > 5
    assert len(INVALID) > 50
