"""Durations (seconds) and sizes (bytes) as people write them: `1h30m`, `250ms`, `64M`, `512KiB`.

A number without a unit is a mistake for a duration and means bytes for a size.
K, M and G are powers of 1024, as on RouterOS.
"""

import re
from typing import Annotated, Final

from mtts.adapters.inventory.complaints import shown
from mtts.adapters.inventory.form import Form, MisfitError, read_text, text_schema
from mtts.core.inventory import MIB

_DURATION: Final = r"(?=[0-9])(?:([0-9]{1,2})h)?(?:([0-9]{1,4})m)?(?:([0-9]{1,5})s)?(?:([0-9]{1,8})ms)?"
_UNIT_S: Final = (3600.0, 60.0, 1.0, 0.001)
_LONGEST_S: Final = 86400.0


def _duration(*, may_be_zero: bool) -> Form:
    pattern = _DURATION if may_be_zero else r"(?=.*[1-9])" + _DURATION

    def read(value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise MisfitError(f"{value} has no unit: write {value}s for seconds")
        text = read_text(value)
        match = re.fullmatch(_DURATION, text)
        if match is None:
            raise MisfitError(f"{shown(text)} is not a duration like 30s, 15m, 1h30m or 250ms")
        seconds = sum(float(digits) * unit for digits, unit in zip(match.groups(), _UNIT_S, strict=True) if digits)
        if seconds > _LONGEST_S:
            raise MisfitError(f"{shown(text)} is longer than a day")
        if not (seconds or may_be_zero):
            raise MisfitError("cannot be zero")
        return seconds

    return Form(read, text_schema(pattern))


Duration = Annotated[float, _duration(may_be_zero=False)]
DurationOrZero = Annotated[float, _duration(may_be_zero=True)]

_SIZE: Final = r"([0-9]{1,15})(KiB|MiB|GiB|K|M|G)?"
_SIZE_BYTES: Final = {None: 1, "K": 1024, "M": MIB, "G": 1024 * MIB}
_LARGEST_BYTES: Final = 1024 * 1024 * MIB


def _size(at_least: int, words: str) -> Form:
    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            size_bytes, written = value, str(value)
        else:
            text = read_text(value)
            match = re.fullmatch(_SIZE, text)
            if match is None:
                raise MisfitError(f"{shown(text)} is not a size like 1MiB, 64M, 512KiB or 100000 (bytes)")
            unit = match[2]
            size_bytes, written = int(match[1]) * _SIZE_BYTES[unit and unit[0]], text
        if not at_least <= size_bytes <= _LARGEST_BYTES:
            raise MisfitError(f"{written} is out of range: at least {words}, at most 1024GiB")
        return size_bytes

    number = {"type": "integer", "minimum": at_least, "maximum": _LARGEST_BYTES}
    return Form(read, {"anyOf": [number, text_schema(_SIZE)]})


Size = Annotated[int, _size(MIB, "1MiB")]
Reserve = Annotated[int, _size(256 * 1024, "256KiB")]
