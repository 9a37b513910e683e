"""The inventory's JSON Schema (draft 2020-12) for editors, made from the models that the loader checks with.

It accepts all that the loader accepts, and refuses what can be known from one place in the file; what layers
lack or claim twice is beyond it.
"""

from typing import Any, Final

from mtts.adapters.inventory.schema import InventoryFile

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def inventory_json_schema() -> dict[str, object]:
    """The schema as plain values, ready for `json.dumps`."""
    schema = _tidied(InventoryFile.model_json_schema(mode="validation"))
    return {"$schema": DIALECT, "title": "mtts inventory", **schema}


_MAPS_OF_SCHEMAS: Final = frozenset({"properties", "patternProperties", "$defs"})


def _tidied(schema: Any) -> Any:
    """Without pydantic's titles and its `default: null` (unset means the built-in); keys outside a pattern refused."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "patternProperties" in schema else {}
    return closed | {
        key: {name: _tidied(part) for name, part in value.items()} if key in _MAPS_OF_SCHEMAS else _tidied(value)
        for key, value in schema.items()
        if key not in ("title", "default")
    }
