"""Which release is older: by label where labels can tell, by first sight where they cannot."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.image import Digest, ImageRef, Platform, Release
from mtts.core.ledger import KnownRelease
from mtts.core.version_order import Order, compare, downgrade_problem

ASCENDING = [
    "1.9.3",
    "1.98.10-alpha",
    "1.98.10-alpha2",
    "1.98.10-beta.2",
    "1.98.10-rc1",
    "v1.98.10-rc.2",
    "1.98.10-rc10",
    "1.98.10-rc10-mt.1",
    "1.98.10",
    "1.98.10-mt.1",
    "1.98.10-mt.2",
    "1.98.10-mt.10",
    "1.98.11-rc1",
    "1.100.0",
    "2.0",
]


@pytest.mark.parametrize(("older", "newer"), list(pairwise(ASCENDING)))
def test_labels_ascend(older: str, newer: str) -> None:
    assert compare(older, newer) is Order.OLDER
    assert compare(newer, older) is Order.NEWER


@pytest.mark.parametrize(
    ("label", "other"),
    [
        ("1.98.10", "v1.98.10"),
        ("1.98.10", "1.98.10+build.7"),
        ("1.98", "1.98.0"),
        ("1.98.10-rc1", "1.98.10rc.1"),
        ("0.0", "0.0.0"),
    ],
)
def test_one_version_in_two_spellings_is_the_same(label: str, other: str) -> None:
    assert compare(label, other) is Order.SAME


@pytest.mark.parametrize(
    "label",
    [
        None,
        "",
        "stable",
        "latest",
        "mt.2",
        "1",
        "1.98.10-",
        "1.98.10-t8d2b",
        "1.98.10 ",
        "1..2",
        "١.٢",
        "1." + "9" * 99,
    ],
)
def test_what_is_no_version_is_not_compared(label: str | None) -> None:
    assert compare(label, "1.98.10") is Order.UNKNOWN
    assert compare("1.98.10", label) is Order.UNKNOWN
    assert compare(label, label) is Order.UNKNOWN


@given(st.text(), st.text())
def test_any_text_is_compared_without_a_fault_and_both_ways_alike(label: str, other: str) -> None:
    mirrored = {Order.OLDER: Order.NEWER, Order.NEWER: Order.OLDER}
    found = compare(label, other)
    assert compare(other, label) is mirrored.get(found, found)


def digest(letter: str) -> Digest:
    return Digest.parse("sha256:" + letter * 64)


IMAGE = ImageRef.parse("registry.example.net/team/mtts:stable")
ARM64 = Platform.parse("linux/arm64")
RUNNING, TARGET = digest("a"), digest("b")


def release(version: str | None, manifest: Digest = TARGET) -> Release:
    return Release(IMAGE, ARM64, digest("1"), manifest, digest("2"), version, 100, 300)


def known(manifest: Digest, first_seen_s: float) -> KnownRelease:
    return KnownRelease(IMAGE.name, ARM64, manifest, None, digest("2"), None, 100, 300, first_seen_s)


TARGET_FIRST = (known(TARGET, 1), known(RUNNING, 2))
RUNNING_FIRST = (known(RUNNING, 1), known(TARGET, 2))


@pytest.mark.parametrize(
    ("running", "target", "history", "is_older"),
    [
        ("1.98.10", "1.98.9", (), True),
        ("1.98.10", "1.98.9", RUNNING_FIRST, True),
        ("1.98.10-mt.2", "1.98.10-mt.1", (), True),
        ("1.98.10", "1.98.10-rc1", (), True),
        ("1.98.10", "1.98.11", (), False),
        ("1.98.10", "1.98.11", TARGET_FIRST, False),
        ("1.98.10", "1.98.10", (), False),
        ("1.98.10", "1.98.10", TARGET_FIRST, True),
        ("1.98.10", "1.98.10", RUNNING_FIRST, False),
        ("nightly", "nightly", TARGET_FIRST, True),
        (None, None, TARGET_FIRST, True),
        (None, None, RUNNING_FIRST, False),
        (None, None, (known(TARGET, 1),), False),
        (None, None, (known(TARGET, 1), known(RUNNING, 1)), False),
        (None, None, tuple(replace(entry, image="registry.example.net/other") for entry in TARGET_FIRST), False),
        (None, None, tuple(replace(entry, platform=Platform("linux", "amd64")) for entry in TARGET_FIRST), False),
    ],
)
def test_an_older_release_is_a_downgrade(
    running: str | None, target: str | None, history: tuple[KnownRelease, ...], is_older: bool
) -> None:
    problem = downgrade_problem(running, RUNNING, release(target), history)
    assert (problem and problem.code) == ("downgrade-unconfirmed" if is_older else None)
    assert problem is None or "--allow-downgrade" in problem.hint


@pytest.mark.parametrize(("target", "is_older"), [("1.98.9", True), ("1.98.10", False), (None, False)])
def test_without_a_recorded_digest_only_the_labels_speak(target: str | None, is_older: bool) -> None:
    assert (downgrade_problem("1.98.10", None, release(target), TARGET_FIRST) is not None) is is_older


def test_the_release_that_runs_is_no_downgrade_of_itself() -> None:
    assert downgrade_problem(None, RUNNING, release(None, RUNNING), RUNNING_FIRST) is None


def test_a_release_without_a_label_is_named_by_its_digest() -> None:
    problem = downgrade_problem(None, RUNNING, release(None), TARGET_FIRST)
    assert problem is not None
    assert TARGET.short in problem.message
