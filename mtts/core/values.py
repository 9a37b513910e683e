"""RouterOS' ways of writing values, and when two ways mean the same.

What is written and what is read back differ in form: `yes` and `true`, `64M` and `67108864`,
`mtts/root` and `/mtts/root` (7.22 and newer), `1m30s` and `00:01:30`. Unset properties are often absent.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

UNLIMITED: Final = "unlimited"
"""How RouterOS shows a limit that is not set, where it shows it."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(|[KMGT]i?B?|B)", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_DURATION = re.compile(
    r"(?:(?P<w>\d+)w)?(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?"
)
_CLOCK = re.compile(r"(?:(?P<w>\d+)w)?(?:(?P<d>\d+)d)?(?P<h>\d+):(?P<m>\d+):(?P<s>\d+)(?:\.(?P<f>\d+))?")
_SECONDS: Final = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def is_true(text: str | None) -> bool:
    """A boolean property; absent is false."""
    return text in ("true", "yes")


def parse_int(text: str | None) -> int | None:
    """A plain number, or None when absent or anything else (`unlimited`, `0%` gives 0)."""
    if text is None:
        return None
    digits = text.strip().removesuffix("%")
    return int(digits) if re.fullmatch(r"-?\d+", digits) else None


def parse_size(text: str) -> int | None:
    """Bytes out of `93564928`, `64M`, `93.5MiB`; None for anything else."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    number, unit = match.groups()
    return int(float(number) * _UNITS[unit[:1].lower().replace("b", "")])


def parse_duration(text: str) -> float | None:
    """Seconds out of `1w2d3h4m5s`, `90s`, `250ms`, `01:22:53` or `1d01:22:53`; None for anything else."""
    stripped = text.strip()
    match = _CLOCK.fullmatch(stripped) or (_DURATION.fullmatch(stripped) if stripped else None)
    if match is None:
        return None
    groups = match.groupdict()
    seconds = sum(int(value) * _SECONDS[unit] for unit, value in groups.items() if value and unit != "f")
    return seconds + float(f"0.{groups['f']}" if groups.get("f") else 0)


def normalise_path(text: str) -> str:
    """Without leading slash, as /file writes it."""
    return text.strip("/")


def _boolean(text: str) -> str:
    return "true" if is_true(text) else "false"


def _size(text: str) -> str:
    size = parse_size(text)
    return text if size is None else str(size)


def _limit(text: str) -> str:
    return "" if text == UNLIMITED else _size(text)


def _duration(text: str) -> str:
    seconds = parse_duration(text)
    return text if seconds is None else str(seconds)


def _comma_list(text: str) -> str:
    return ",".join(sorted(part for part in text.split(",") if part))


def _tmpfs(text: str) -> str:
    # The manual's two pages disagree: `dst:size:mode` and `size@dst`. Both say the same place and size.
    size, at, place = text.partition("@")
    if not at:
        place, _, rest = text.partition(":")
        size = rest.partition(":")[0]
    return f"{normalise_path(place)}:{_size(size)}"


_KINDS: Final[Mapping[str, Callable[[str], str]]] = {
    "start-on-boot": _boolean,
    "logging": _boolean,
    "disabled": _boolean,
    "ignore-remote-image-change": _boolean,
    "match-subdomain": _boolean,
    "root-dir": normalise_path,
    "src": normalise_path,
    "tmpdir": normalise_path,
    "tmpfs-max-size": _size,
    "memory-high": _limit,
    "restart-interval": _duration,
    "auto-restart-interval": _duration,
    "address": _comma_list,
    "envlist": _comma_list,
    "envlists": _comma_list,
    "mounts": _comma_list,
    "mountlists": _comma_list,
    "tmpfs": _tmpfs,
}


def normalise(prop: str, text: str | None) -> str:
    """The one form of a property's value that comparisons use; absent and empty are the same."""
    if not text:
        return _boolean("no") if _KINDS.get(prop) is _boolean else ""
    return _KINDS.get(prop, str)(text)


def same(prop: str, one: str | None, other: str | None) -> bool:
    """Whether two texts mean the same value of `prop`."""
    return normalise(prop, one) == normalise(prop, other)


def differing(wanted: Mapping[str, str], row: Mapping[str, str]) -> dict[str, str]:
    """The wanted properties that `row` does not hold."""
    return {prop: value for prop, value in wanted.items() if not same(prop, value, row.get(prop))}
