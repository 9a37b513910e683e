"""How much of the flash a pull may take before it is ended."""

import pytest

from mtts.core.pull_room import overrun, pull_flash_bytes
from mtts.core.storage import Place
from tests.core.examples import MIB, a_release, facts_of

USB = {".id": "*1", "slot": "usb1", "type": "hardware", "mounted": "true", "mount-point": "usb1"}
RELEASE = a_release(compressed_bytes=4 * MIB, extracted_bytes=10 * MIB)


@pytest.mark.parametrize(
    ("prefix", "in_ram", "tmpdir", "expected_mib"),
    [
        ("", False, "mtts-tmp", 11),
        ("flash", False, "", 11),
        ("", True, "mtts-tmp", 0),
        ("usb1", False, "mtts-tmp", 0),
        ("usb1/deep", False, "mtts-tmp", 0),
        ("", False, "scratch", 15),
        ("usb1", False, "scratch", 4),
    ],
)
def test_only_what_lies_on_the_internal_flash_counts(
    prefix: str, *, in_ram: bool, tmpdir: str, expected_mib: int
) -> None:
    tables = {"/disk": [USB], "/container/config": [{"tmpdir": tmpdir}]}
    facts = facts_of(tables=tables)
    assert pull_flash_bytes(facts, RELEASE, Place(prefix, None), in_ram=in_ram) == expected_mib * MIB


@pytest.mark.parametrize(
    ("before", "now", "is_too_much"),
    [
        (20 * MIB, 20 * MIB, False),
        (20 * MIB, 25 * MIB, False),
        (20 * MIB, 20 * MIB - 11 * MIB - MIB // 2, False),
        (20 * MIB, 20 * MIB - 11 * MIB - MIB // 2 - 1, True),
        (None, 0, False),
        (20 * MIB, None, False),
    ],
)
def test_a_tenth_and_half_a_mebibyte_more_are_let_pass(
    before: int | None, now: int | None, *, is_too_much: bool
) -> None:
    problem = overrun(10 * MIB, before_bytes=before, now_bytes=now)
    assert (problem is not None) is is_too_much
    if problem is not None:
        assert problem.code == "flash-overrun"
        assert "11.5 MiB" in problem.message
        assert "10.0 MiB at most" in problem.message
