"""What a published command tree says of an argument's values: time intervals and their limits, MAC addresses, prefixes.

A tree describes few arguments; those it says nothing of are checked by their menus or not at all.
"""

from __future__ import annotations

import re

from mtts.lab import values
from mtts.lab.reply import Category, Trap, invalid_value

WORDS_FOR_TIMES = frozenset({"auto", "none-dynamic", "none-static"})
"""Values that some time intervals may have instead of a time."""
_RANGE = re.compile(r"(\S*)\.\.(\S*)\s+\(time interval\)")
_LENGTH = re.compile(r"string value, (min|max) length (\d+)")
_MAC = re.compile(r"[0-9A-F]{2}([:.-]?[0-9A-F]{2}){5}", re.IGNORECASE)


def stored(argument: str, value: str, hint: str) -> str:
    """The value as a router stores it; Trap when the hint rules it out. An empty value is no value."""
    if not value:
        return value
    if hint.endswith("time interval") or "(time interval)" in hint:
        return value if value in WORDS_FOR_TIMES else _interval(argument, value, hint)
    if "(MAC address)" in hint:
        if not _MAC.fullmatch(value):
            raise invalid_value(argument)
        digits = re.sub("[:.-]", "", value).upper()
        return ":".join(digits[place : place + 2] for place in range(0, 12, 2))
    if "(IP prefix)" in hint:
        return values.networks(argument, value)
    if limit := _LENGTH.match(hint):
        _check_length(argument, value, limit[1], int(limit[2]))
    return value


def _interval(argument: str, value: str, hint: str) -> str:
    seconds = values.duration_s(argument, value)
    limits = _RANGE.match(hint)
    if limits is not None:
        low, high = (values.duration_s(argument, text) if text else None for text in limits.groups())
        if (low is not None and seconds < low) or (high is not None and seconds > high):
            raise Trap(f"value of {argument} is out of range ({limits[1]} .. {limits[2]})", Category.ARGUMENT)
    return values.duration(seconds)


def _check_length(argument: str, value: str, kind: str, length: int) -> None:
    actual = len(value.encode("utf-8", "surrogateescape"))
    if (kind == "min" and actual < length) or (kind == "max" and actual > length):
        raise invalid_value(argument)
