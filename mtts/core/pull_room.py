"""What a pull may take of the router's own flash, and when it takes too much (F15).

Scratch files belong on the tmpfs disk. Where that is gone, or RouterOS unpacks elsewhere, the flash shrinks by more
than the image explains; a pull that does so is ended while there is room left. Decides only; the waiting is done in
engine/await_container.py.
"""

from typing import Final

from mtts.core.desired import TMPFS_SLOT
from mtts.core.errors import Problem
from mtts.core.facts import Facts
from mtts.core.image import Release
from mtts.core.preflight import peak_flash_bytes
from mtts.core.storage import Place, is_internal
from mtts.core.units import mib
from mtts.core.values import normalise_path

_TOLERANCE_BYTES: Final = 512 * 1024
"""Others write as well, and RouterOS accounts for writes late."""


def pull_flash_bytes(facts: Facts, release: Release, place: Place, *, in_ram: bool = False) -> int:
    """What pulling `release` to `place` may take of the internal flash."""
    is_on_flash = is_internal(place, facts.table("/disk")) and not in_ram
    return (peak_flash_bytes(release) if is_on_flash else 0) + _scratch_bytes(facts, release)


def _scratch_bytes(facts: Facts, release: Release) -> int:
    """The packed layers, where somebody had them lie elsewhere than on our tmpfs."""
    tmpdir = next((normalise_path(item.get("tmpdir")) for item in facts.table("/container/config")), "")
    return 0 if tmpdir in ("", TMPFS_SLOT) else release.compressed_bytes


def overrun(expected_bytes: int, *, before_bytes: int | None, now_bytes: int | None) -> Problem | None:
    """Why a pull is ended; None as long as the free flash shrank by no more than expected, with room to spare."""
    if before_bytes is None or now_bytes is None:
        return None
    taken_bytes = before_bytes - now_bytes
    if taken_bytes <= expected_bytes + expected_bytes // 10 + _TOLERANCE_BYTES:
        return None
    return Problem(
        "flash-overrun",
        f"the flash shrank by {mib(taken_bytes)} during a pull that takes {mib(expected_bytes)} at most",
        f"does something else write to it? is tmpdir of /container/config on the tmpfs {TMPFS_SLOT}?",
    )
