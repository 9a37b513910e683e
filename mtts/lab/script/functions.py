"""The language's commands that make one value from others, without a router: `:len`, `:pick`, `:tonum`, …"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from mtts.lab.script.errors import ScriptError
from mtts.lab.script.operators import bounded, equal
from mtts.lab.script.values import (
    BOOLEANS,
    SECOND,
    Array,
    Empty,
    Id,
    Time,
    Value,
    array_of,
    map_of,
    read_address,
    read_number,
    read_time,
    read_word,
    show,
    span,
    type_of,
    wrapped,
)

Values = Mapping[str, Value]
KEEP_STRINGS = "json.no-string-conversion"
"""The one option of `:serialize` and `:deserialize` that the lab knows."""
JSON_NESTING = 30
_UNPAIRED = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of characters; what stands for bytes that are no text is none."""


def number(values: Values, name: str, default: int | None = None) -> int:
    """An argument that has to be a whole number."""
    value = values.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ScriptError(f"invalid value for argument {name}")


def time_of(value: Value) -> Time | None:
    """A span of time from a time, a number of seconds or their text."""
    match value:
        case Time():
            return value
        case bool():
            return None
        case int():
            return span(value * SECOND)
        case str():
            seconds = read_number(value)
            return read_time(value) if seconds is None else span(seconds * SECOND)
        case _:
            return None


def _len(values: Values) -> Value:
    value = values["value"]
    return len(value) if isinstance(value, Array) else len(show(value))


def _pick(values: Values) -> Value:
    begin = max(0, number(values, "begin"))
    whole = values["counter"]
    has_end = "end" in values
    end = number(values, "end") if has_end else begin + 1
    if isinstance(whole, Array):
        elements = whole.elements()
        if has_end:
            return array_of(elements[begin : max(begin, end)])
        return elements[begin] if begin < len(elements) else Empty.NOTHING
    return show(whole)[begin : max(begin, end)]


def _find(values: Values) -> Value:
    start = number(values, "from", -1) + 1
    whole, key = values["in"], values["key"]
    if isinstance(whole, Array):
        elements = list(enumerate(whole.elements()))[max(0, start) :]
        return next((index for index, element in elements if equal(element, key)), Empty.NIL)
    found = show(whole).find(show(key), max(0, start))
    return Empty.NIL if found < 0 else found


def _to_number(values: Values) -> Value:
    match values["value"]:
        case bool() as value:
            return int(value)
        case int() as value:
            return value
        case str() as text:
            found = read_number(text)
            return Empty.NIL if found is None else found
        case Id(text):
            return wrapped(int(text[1:], 16))
        case _:
            return Empty.NIL


def _to_bool(values: Values) -> Value:
    match values["value"]:
        case bool() as value:
            return value
        case int() as value:
            return value != 0
        case str() as text if text in BOOLEANS:
            return BOOLEANS[text]
        case _:
            return Empty.NIL


def _to_array(values: Values) -> Value:
    match values["value"]:
        case Array() as value:
            return value
        case Empty() | "":
            return Array()
        case str() as text:
            return array_of(read_word(part) for part in text.split(","))
        case value:
            return Array((value,))


def _to_ip(values: Values) -> Value:
    value = values["value"]
    address = read_address(value) if isinstance(value, str) else value
    return address if type_of(address or "") == "ip" and address is not None else Empty.NIL


def _to_id(values: Values) -> Value:
    match values["value"]:
        case Id() as value:
            return value
        case str() as text:
            word = read_word(text)
            return word if isinstance(word, Id) else Empty.NIL
        case _:
            return Empty.NIL


def _keeps_strings(values: Values) -> bool:
    options = show(values.get("options", ""))
    if options not in {"", KEEP_STRINGS}:
        raise ScriptError(f"option {options} is not modelled in the lab")
    return options == KEEP_STRINGS


def _json_only(values: Values, name: str) -> None:
    if values[name] != "json":
        raise ScriptError(f"{name}={show(values[name])} is not modelled in the lab")


def _serialize(values: Values) -> Value:
    _json_only(values, "to")
    keep = _keeps_strings(values)

    def plain(value: Value) -> Any:
        match value:
            case bool() | int():
                return value
            case Empty():
                return None
            case str():
                as_number = None if keep else read_number(value)
                return value if as_number is None else as_number
            case Array(listed=listed, keyed=()):
                return [plain(element) for element in listed]
            case Array():
                return {str(key): plain(element) for key, element in value.pairs()}
            case _:
                return show(value)

    return bounded(json.dumps(plain(values["value"]), separators=(",", ":"), ensure_ascii=False))


def _deserialize(values: Values) -> Value:
    _json_only(values, "from")
    keep = _keeps_strings(values)

    def typed(found: Any, depth: int) -> Value:
        if depth > JSON_NESTING:
            raise ScriptError("nested too deeply")
        match found:
            case None:
                return Empty.NIL
            case bool():
                return found
            case int():
                return wrapped(found)
            case float():
                return f"{found:f}"
            case str():
                as_number = None if keep else read_number(found)
                return _whole(found) if as_number is None else as_number
            case list():
                return array_of(typed(element, depth + 1) for element in found)
            case _:
                return map_of((_whole(key), typed(element, depth + 1)) for key, element in found.items())

    try:
        document = json.loads(show(values["value"]), parse_constant=_not_json)
    except (ValueError, RecursionError):
        raise ScriptError("failed to parse json") from None
    return typed(document, 0)


def _whole(text: str) -> str:
    return _UNPAIRED.sub("\ufffd", text)


def _not_json(constant: str) -> Value:
    raise ValueError(constant)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


READERS: Mapping[str, Callable[[str], bytes]] = {
    "raw": _bytes,
    "hex": bytes.fromhex,
    "base64": lambda text: base64.b64decode(text, validate=True),
    "url": unquote_to_bytes,
}
WRITERS: Mapping[str, Callable[[bytes], str]] = {
    "raw": lambda data: data.decode("utf-8", "surrogateescape"),
    "hex": bytes.hex,
    "base64": lambda data: base64.b64encode(data).decode(),
    "url": lambda data: quote_from_bytes(data, safe="-_.~"),
}
TRANSFORMS: Mapping[str, Callable[[str], str]] = {
    "none": str,
    "lc": str.lower,
    "uc": str.upper,
    "reverse": lambda text: text[::-1],
    "md5": lambda text: hashlib.md5(_bytes(text), usedforsecurity=False).hexdigest(),
}


def _convert(values: Values) -> Value:
    source, target = show(values.get("from", "raw")), show(values.get("to", "raw"))
    transform = show(values.get("transform", "none"))
    for name, word, table in (("from", source, READERS), ("to", target, WRITERS), ("transform", transform, TRANSFORMS)):
        if word not in table:
            raise ScriptError(f"{name}={word} is not modelled in the lab")
    try:
        data = READERS[source](show(values["value"]))
    except (ValueError, binascii.Error):
        raise ScriptError(f"invalid {source} value") from None
    return bounded(WRITERS[target](_bytes(TRANSFORMS[transform](WRITERS["raw"](data)))))


FUNCTIONS: Mapping[str, Callable[[Values], Value]] = {
    "nothing": lambda _: Empty.NOTHING,
    "len": _len,
    "pick": _pick,
    "find": _find,
    "typeof": lambda values: type_of(values["value"]),
    "tostr": lambda values: show(values["value"]),
    "tonum": _to_number,
    "tobool": _to_bool,
    "toarray": _to_array,
    "totime": lambda values: time_of(values["value"]) or Empty.NIL,
    "toip": _to_ip,
    "toid": _to_id,
    "serialize": _serialize,
    "deserialize": _deserialize,
    "convert": _convert,
}
