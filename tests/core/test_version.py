"""Versions as /system/resource writes them, and their order."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.version import NEWEST_KNOWN, OLDEST, Version

VERSIONS = st.builds(
    Version,
    st.integers(6, 8),
    st.integers(0, 99),
    st.integers(0, 20),
    st.sampled_from(["alpha", "beta", "rc", ""]),
    st.just(0),
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("7.10 (stable)", Version(7, 10)),
        ("7.24.4 (stable)", Version(7, 24, 4)),
        ("7.21.5 (long-term)", Version(7, 21, 5)),
        ("7.24rc2 (testing)", Version(7, 24, 0, "rc", 2)),
        ("7.24rc2", Version(7, 24, 0, "rc", 2)),
        ("7.24beta1 (development)", Version(7, 24, 0, "beta", 1)),
        ("7.25.1", Version(7, 25, 1)),
        ("  7.18.2", Version(7, 18, 2)),
        ("7.20.1alpha123", Version(7, 20, 1, "alpha", 123)),
    ],
)
def test_a_version_is_read_whatever_follows_it(text: str, version: Version) -> None:
    assert Version.parse(text) == version


@pytest.mark.parametrize("text", ["", "stable", "7", "v7.20", "7.x"])
def test_what_is_no_version_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match="not a RouterOS version"):
        Version.parse(text)


def test_versions_stand_in_the_order_of_their_releases() -> None:
    texts = ["6.49.18", "7.9", "7.10", "7.22alpha1", "7.22beta2", "7.22rc1", "7.22rc10", "7.22", "7.22.1", "7.24"]
    versions = [Version.parse(text) for text in texts]
    for older, newer in pairwise(versions):
        assert older < newer
    assert OLDEST < NEWEST_KNOWN
    assert Version.parse("7.18rc1") < OLDEST


@given(VERSIONS)
def test_a_version_prints_as_it_is_read(version: Version) -> None:
    stage = version.stage
    numbered = Version(version.major, version.minor, version.patch, stage, 3 if stage else 0)
    assert Version.parse(str(numbered)) == numbered


@given(VERSIONS, VERSIONS)
def test_of_two_versions_one_is_older_or_they_are_the_same(one: Version, other: Version) -> None:
    assert (one < other) + (one > other) + (one == other) == 1
