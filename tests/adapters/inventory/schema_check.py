"""As much of JSON Schema (draft 2020-12) as the inventory's schema uses, so that its tests need no further package.

A keyword that is not known here is an error, so that nothing is passed over in silence.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Check = Callable[[Any, Any, Mapping[str, Any]], bool]

_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_ANNOTATIONS: Final = frozenset({"$schema", "title", "description", "$defs"})


def is_valid(value: Any, schema: Mapping[str, Any] | bool, root: Mapping[str, Any]) -> bool:
    """Whether `value` is valid against `schema`, whose references point into `root`."""
    if isinstance(schema, bool):
        return schema
    return all(
        _CHECKS[keyword](value, argument, {"root": root, "schema": schema})
        for keyword, argument in schema.items()
        if keyword not in _ANNOTATIONS
    )


def _reference(value: Any, argument: str, context: Mapping[str, Any]) -> bool:
    target: Any = context["root"]
    for step in argument.removeprefix("#/").split("/"):
        target = target[step]
    return is_valid(value, target, context["root"])


def _properties(value: Any, argument: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    return all(is_valid(value[name], part, context["root"]) for name, part in argument.items() if name in value)


def _pattern_properties(value: Any, argument: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    return all(
        is_valid(part, schema, context["root"])
        for pattern, schema in argument.items()
        for name, part in value.items()
        if re.search(pattern, name)
    )


def _additional(value: Any, argument: Any, context: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    known, patterns = (context["schema"].get(keyword, {}) for keyword in ("properties", "patternProperties"))
    return all(
        is_valid(part, argument, context["root"])
        for name, part in value.items()
        if name not in known and not any(re.search(pattern, name) for pattern in patterns)
    )


def _dependent(value: Any, argument: Mapping[str, list[str]], _context: Mapping[str, Any]) -> bool:
    return not isinstance(value, dict) or all(
        other in value for name, others in argument.items() if name in value for other in others
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: Final[Mapping[str, Check]] = {
    "$ref": _reference,
    "type": lambda value, argument, _: _TYPES[argument](value),
    "enum": lambda value, argument, _: value in argument,
    "pattern": lambda value, argument, _: not isinstance(value, str) or bool(re.search(argument, value)),
    "minLength": lambda value, argument, _: not isinstance(value, str) or len(value) >= argument,
    "minimum": lambda value, argument, _: not _is_number(value) or value >= argument,
    "maximum": lambda value, argument, _: not _is_number(value) or value <= argument,
    "items": lambda value, argument, context: (
        not isinstance(value, list) or all(is_valid(item, argument, context["root"]) for item in value)
    ),
    "minItems": lambda value, argument, _: not isinstance(value, list) or len(value) >= argument,
    "minProperties": lambda value, argument, _: not isinstance(value, dict) or len(value) >= argument,
    "required": lambda value, argument, _: not isinstance(value, dict) or all(name in value for name in argument),
    "properties": _properties,
    "additionalProperties": _additional,
    "patternProperties": _pattern_properties,
    "dependentRequired": _dependent,
    "anyOf": lambda value, argument, context: any(is_valid(value, part, context["root"]) for part in argument),
}
