"""Which of two releases is the older one: by their version labels, else by when they were first seen.

A label is `1.98.10`, `v1.98.10` or `1.98.10-mt.2`: unlike what semantic versioning makes of it, `-mt.N` is the
N-th packaging of that version and comes after it. `-rc1`, `-beta.2` and `-alpha` come before it, and build metadata
(`+…`) says nothing. Any other label is for people only: nothing is guessed from it.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from mtts.core.errors import Problem
from mtts.core.image import Digest, Release
from mtts.core.ledger import KnownRelease


class Order(StrEnum):
    """How a label stands to another one."""

    OLDER = "older"
    SAME = "same"
    NEWER = "newer"
    UNKNOWN = "unknown"


_LABEL: Final = re.compile(
    r"v?(?P<numbers>[0-9]{1,9}(?:\.[0-9]{1,9}){1,3})"
    r"(?:-?(?P<stage>alpha|beta|rc)[.-]?(?P<attempt>[0-9]{1,9})?)?"
    r"(?:-mt\.(?P<packaging>[0-9]{1,9}))?"
    r"(?:\+[0-9A-Za-z.-]+)?"
)
_STAGES: Final = ("alpha", "beta", "rc", None)
"""In the order in which they come; None is the release itself."""

_Key = tuple[tuple[int, ...], int, int, int]


def compare(label: str | None, other: str | None) -> Order:
    """How `label` stands to `other`; unknown unless both are versions."""
    mine, theirs = _key(label), _key(other)
    if mine is None or theirs is None:
        return Order.UNKNOWN
    if mine == theirs:
        return Order.SAME
    return Order.OLDER if mine < theirs else Order.NEWER


def downgrade_problem(
    running_version: str | None, running_digest: Digest | None, target: Release, known: Sequence[KnownRelease]
) -> Problem | None:
    """Why `target` should not replace what runs unless somebody asks for it; None where it may.

    The labels decide where they differ. Where they cannot, a target that this image had for this platform before
    the running digest was first seen there is an older build, or a registry that somebody made go back in time.
    """
    name = target.version or target.manifest_digest.short
    match compare(target.version, running_version):
        case Order.NEWER:
            return None
        case Order.OLDER:
            return _problem(f"the image is now {name}, which is older than {running_version} that runs")
        case Order.SAME | Order.UNKNOWN:
            seen: dict[Digest | None, float] = {
                release.manifest_digest: release.first_seen_s
                for release in known
                if (release.image, release.platform) == (target.image.name, target.platform)
            }
            target_s, running_s = seen.get(target.manifest_digest), seen.get(running_digest)
            if target_s is None or running_s is None or target_s >= running_s:
                return None
            return _problem(f"the image is now {name} again, which it was before it became what runs")


def _problem(message: str) -> Problem:
    return Problem("downgrade-unconfirmed", message, "add --allow-downgrade if that is meant")


def _key(label: str | None) -> _Key | None:
    found = _LABEL.fullmatch(label or "")
    if found is None:
        return None
    numbers = [int(number) for number in found["numbers"].split(".")]
    while numbers[-1:] == [0]:  # 1.98 is 1.98.0
        numbers.pop()
    stage = _STAGES.index(found["stage"])
    return tuple(numbers), stage, int(found["attempt"] or 0), int(found["packaging"] or 0)
