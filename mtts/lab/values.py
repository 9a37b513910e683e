"""How RouterOS stores what it is told: booleans, durations, sizes, paths."""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import ip_address, ip_interface, ip_network

from mtts.lab.reply import Category, Trap, invalid_value, no_match

BOOLEANS = {"yes": "true", "true": "true", "no": "false", "false": "false"}
_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
DURATION_LIMIT_S = 2**32 - 1
"""Longest time that a menu takes; the text that refuses more is the lab's own."""
DURATION_LENGTH = 60
_CLOCK = re.compile(r"(\d+):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?", re.ASCII)
_SIZE = re.compile(r"(\d+)([kKMGT]?)(?:i?B)?")
_FACTORS = {"": 1, "k": 1024, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def boolean(argument: str, value: str) -> str:
    """`yes`/`no`/`true`/`false` as `true` or `false`."""
    if value not in BOOLEANS:
        raise no_match(argument)
    return BOOLEANS[value]


def whole(argument: str, value: str, low: int, high: int) -> int:
    """A whole number between two others."""
    try:
        number = int(value)
    except ValueError:
        raise invalid_value(argument) from None
    if not low <= number <= high:
        raise Trap(f"value of {argument} is out of range ({low} .. {high})", Category.ARGUMENT)
    return number


def duration_s(argument: str, value: str) -> float:
    """Seconds of `90`, `90s`, `1m30s`, `1s500ms`, `00:01:30` or `00:00:00.200`, up to `DURATION_LIMIT_S`."""
    seconds = _seconds(argument, value) if len(value) <= DURATION_LENGTH else DURATION_LIMIT_S + 1
    if seconds > DURATION_LIMIT_S:
        raise Trap(f"value of {argument} is out of range (0s .. {duration(DURATION_LIMIT_S)})", Category.ARGUMENT)
    return seconds


def _seconds(argument: str, value: str) -> float:
    if value.isdecimal():
        return int(value)
    if clock := _CLOCK.fullmatch(value):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups()[:3])
        return hours * 3600 + minutes * 60 + seconds + float(f"0.{clock[4] or 0}")
    match = _DURATION.fullmatch(value)
    if not value or match is None:
        raise invalid_value(argument)
    return sum(int(part or 0) * unit for part, unit in zip(match.groups(), _UNITS_MS.values(), strict=True)) / 1000


def duration(seconds: float) -> str:
    """`1w2d3h4m5s`, `500ms`, `0s` for nothing."""
    rest = round(seconds * 1000)
    parts = []
    for letter, unit in _UNITS_MS.items():
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts) or "0s"


def stamp(moment: datetime) -> str:
    """A moment as routers write it: `2026-01-31 23:59:59`."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def size_bytes(argument: str, value: str) -> int:
    """Bytes of `1048576`, `64M`, `64MiB`."""
    match = _SIZE.fullmatch(value)
    if match is None:
        raise invalid_value(argument)
    return int(match[1]) * _FACTORS[match[2]]


def path_key(path: str) -> str:
    """A path as `/file` names it: no slash in front or behind."""
    return path.strip("/")


def is_address(text: str) -> bool:
    """Whether this is an IPv4 or IPv6 address, without a prefix."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def networks(argument: str, value: str) -> str:
    """A comma list of addresses with or without a prefix, as typed; empty is none."""
    try:
        for part in value.split(",") if value else ():
            ip_network(part, strict=False)
    except ValueError:
        raise invalid_value(argument) from None
    return value


def interface_address(argument: str, value: str) -> str:
    """An address with its prefix, as typed; a bare address is a host."""
    try:
        parsed = ip_interface(value)
    except ValueError:
        raise invalid_value(argument) from None
    return value if "/" in value else f"{value}/{parsed.network.prefixlen}"
