"""pydantic's findings in our words: each at its line, none of them with the value that was found.

Values are quoted only by the forms, which know what is a secret.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from mtts.adapters.inventory.complaints import KeyPath, did_you_mean
from mtts.adapters.inventory.form import kind_of
from mtts.adapters.inventory.schema import NodeSection, RouterSection, Section, section_at
from mtts.adapters.inventory.yaml_text import Document

_WANTED: Final[Mapping[str, str]] = {
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list, like [one, two]",
}


def complain(document: Document, found: ValidationError) -> None:
    """Add what pydantic found to the document's complaints."""
    already = {complaint.path for complaint in document.complaints}
    for error in found.errors(include_url=False):
        path: KeyPath = error["loc"]
        if path and path[-1] == "[key]" and error["type"] == "value_error":
            path = path[:-1]
        if path not in already:
            document.complain(path, _sentence(error["type"], path, error.get("ctx", {}), error["input"]))


def _sentence(kind: str, path: KeyPath, context: Mapping[str, Any], value: object) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return _unknown_key(str(path[-1]), section_at(path[:-1]))
    if kind == "missing":
        return "is missing"
    if kind == "too_short":
        return "names none"
    return f"expected {_WANTED.get(kind, 'something else')}, not {kind_of(value)}"


def _unknown_key(key: str, section: type[Section]) -> str:
    if issubclass(section, NodeSection):
        elsewhere = "is a router's key, not a node's" if key in RouterSection.model_fields else ""
    elif key in RouterSection.model_fields:
        elsewhere = "can only be set for a router by itself"
    else:
        elsewhere = "is a node's key: put it under node:" if key in NodeSection.model_fields else ""
    return f"this {elsewhere}" if elsewhere else f"unknown key{did_you_mean(key, tuple(section.model_fields))}"
