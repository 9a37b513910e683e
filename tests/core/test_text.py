"""Foreign text cannot act on a terminal."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtts.core.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand  more ", "two lines and more"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("a\x00b\x08c\x7f", "abc"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("größe ✓", "größe ✓"),
        ("\ud800", ""),
    ],
)
def test_only_what_is_seen_is_left(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(("limit", "shown"), [(None, "abcdef"), (6, "abcdef"), (5, "abcd…"), (1, "…")])
def test_a_long_text_is_cut_with_a_mark(limit: int | None, shown: str) -> None:
    assert printable("abcdef", limit=limit) == shown


@given(st.text(), st.integers(1, 20))
@example("0\r\x08 0", 4)
def test_no_text_keeps_a_control_character_or_its_length(text: str, limit: int) -> None:
    shown = printable(text, limit=limit)
    assert len(shown) <= limit
    assert not any(unicodedata.category(character).startswith("C") for character in shown)
    assert printable(shown) == shown.strip()
