"""RouterOS versions: parsed leniently, ordered strictly.

`/system/resource` writes `7.24.4 (stable)`, `7.24rc2 (testing)`, and from 7.25 on no channel at all;
whatever follows the number is ignored.
"""

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Final, Self

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(?:(alpha|beta|rc)(\d+))?")
_STAGES: Final = ("alpha", "beta", "rc", "")  # a final release follows its candidates


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    major: int
    minor: int
    patch: int = 0
    stage: str = ""
    """`alpha`, `beta`, `rc`, or empty for a release."""
    stage_number: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise ValueError unless `text` begins with a RouterOS version."""
        match = _VERSION.match(text.strip())
        if match is None:
            raise ValueError(f"not a RouterOS version: {text!r}")
        major, minor, patch, stage, number = match.groups()
        return cls(int(major), int(minor), int(patch or 0), stage or "", int(number or 0))

    def __lt__(self, other: "Version") -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[int, int, int, int, int]:
        return (self.major, self.minor, self.patch, _STAGES.index(self.stage), self.stage_number)

    def __str__(self) -> str:
        patch = f".{self.patch}" if self.patch else ""
        stage = f"{self.stage}{self.stage_number}" if self.stage else ""
        return f"{self.major}.{self.minor}{patch}{stage}"


OLDEST: Final = Version(7, 18)
"""Older releases cannot name a registry's host in an image, and parse `!empty` and trees differently."""

NEWEST_KNOWN: Final = Version(7, 24)
"""The newest release whose command tree the dialect was checked against (mtts/data/routeros)."""
