"""The mechanism of a form: reads a plain YAML value strictly, says what it wanted instead, describes itself to editors.

A form's sentence may quote the value (escaped), so secrets have readers of their own (secret_forms.py).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from mtts.adapters.inventory.complaints import did_you_mean, shown

Read = Callable[[object], Any]

_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "a boolean"),
    (int, "a number"),
    (float, "a number"),
    (str, "text"),
    (list, "a list"),
    (dict, "a mapping"),
)


class MisfitError(ValueError):
    """A value is not of its form; the sentence says what was wanted. pydantic collects these."""


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """How pydantic reads a value, and what the JSON Schema says of it."""

    read: Read
    """Raises MisfitError with a sentence that can be shown."""
    schema: Mapping[str, object]

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema)


def kind_of(value: object) -> str:
    """What a YAML value is, in words."""
    return next((words for kind, words in _KINDS if isinstance(value, kind)), "nothing")


def as_written(value: object) -> str:
    """A YAML value as it can be quoted in a sentence: scalars themselves, what holds others by its kind."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else kind_of(value)


def read_text(value: object) -> str:
    """Text; a number or a boolean is told to be put in quotes."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        raise MisfitError(f'expected text, not {kind_of(value)}: write "{as_written(value)}" in quotes')
    raise MisfitError(f"expected text, not {kind_of(value)}")


def matching(pattern: str, expected: str, parse: Callable[[str], Any] = str) -> Form:
    """Text that fully matches `pattern` (a regex that Python and ECMA read alike), then parsed."""
    compiled = re.compile(pattern)

    def read(value: object) -> Any:
        text = read_text(value)
        if not compiled.fullmatch(text):
            raise MisfitError(f"{shown(text)} is not {expected}")
        return parse(text)

    return Form(read, text_schema(pattern))


def text_schema(pattern: str) -> dict[str, object]:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def whole_number(low: int, high: int, expected: str) -> Form:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            written = shown(value) if isinstance(value, str) else kind_of(value)
            raise MisfitError(f"expected {expected}, not {written}")
        if not low <= value <= high:
            raise MisfitError(f"{value} is not {expected}")
        return value

    return Form(read, {"type": "integer", "minimum": low, "maximum": high})


def choice(words: tuple[str, ...], build: Callable[[str], Any] = str) -> Form:
    def read(value: object) -> Any:
        text = as_written(value)
        if text not in words:
            raise MisfitError(f"{shown(text)} is not one of {', '.join(words)}{did_you_mean(text, words)}")
        return build(text)

    return Form(read, {"enum": list(words)})
