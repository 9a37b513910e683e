"""Figures in words."""

import pytest

from mtts.core.units import day, from_to, mib, minute, seconds, signed_size, size

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (-1024, "-1.0 KiB"),
        (MIB * 3 // 2, "1.5 MiB"),
        (5 << 40, "5120.0 GiB"),
    ],
)
def test_a_size_is_said_in_the_unit_that_suits_it(value: int | None, shown: str) -> None:
    assert size(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(None, "-"), (0, "0 B"), (2048, "+2.0 KiB"), (-2048, "-2.0 KiB")])
def test_a_change_in_size_has_its_sign(value: int | None, shown: str) -> None:
    assert signed_size(value) == shown


def test_sizes_that_are_compared_share_their_unit() -> None:
    assert [mib(value) for value in (MIB // 2, 2048 * MIB)] == ["0.5 MiB", "2048.0 MiB"]


def test_moments_are_utc_and_spans_end_at_tenths() -> None:
    assert (day(86_399.9), minute(86_399.9)) == ("1970-01-01", "1970-01-01 23:59")
    assert (seconds(None), seconds(12.34)) == ("-", "12.3 s")


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("1.2.3", "1.2.4", "1.2.3 → 1.2.4"),
        ("1.2.3", "1.2.3", "1.2.3"),
        ("1.2.3", None, "1.2.3"),
        (None, "1.2.4", "1.2.4"),
        (None, "", ""),
        ("1.2\x1b[31m.3", "9" * 70, f"1.2.3 → {'9' * 63}…"),
    ],
)
def test_a_release_is_said_once_where_it_stayed_and_is_fit_to_be_shown(
    before: str | None, after: str | None, shown: str
) -> None:
    assert from_to(before, after) == shown
