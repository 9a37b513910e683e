"""Regular expressions of scripts: the same answers as another matcher's, and never more work than is bounded."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.lab.script.pattern import RegexpError
from mtts.lab.script.regexp import WORK_LIMIT, read_regexp
from tests.lab.desk import make_device, printed

SINGLES = st.sampled_from(("a", "b", "c", ".", "[ab]", "[^a]", "[a-b]", "\\.", "^", "$"))
COUNTS = st.sampled_from(("*", "+", "?", "{2}", "{0,1}", "{1,3}", "{2,}"))


def sequences(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(parts, max_size=4).map("".join)


def larger(patterns: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    groups = sequences(patterns).map("({})".format)
    counted = st.tuples(groups, COUNTS).map("".join)
    either = st.tuples(sequences(patterns), sequences(patterns)).map(lambda two: f"({'|'.join(two)})")
    return groups | counted | either


COUNTED = st.tuples(SINGLES.filter(lambda one: one not in "^$"), COUNTS).map("".join)
PATTERNS = sequences(st.recursive(SINGLES | COUNTED, larger, max_leaves=8))


@given(PATTERNS, st.text("abc.", max_size=8))
def test_simple_patterns_match_as_they_do_elsewhere(pattern: str, text: str) -> None:
    elsewhere = re.search(pattern, text, re.DOTALL) is not None
    assert read_regexp(pattern).is_in(text) is elsewhere


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("^[[:alpha:]_][[:alnum:]_-]*$", "veth-ts1", True),
        ("^[[:alpha:]]+$", "veth1", False),
        ("[^[:space:]]", " \t\n", False),
        ("[]x]", "]", True),
        ("[^]x]", "]x", False),
        ("[a-]", "-", True),
        ("[\\.]", "\\", True),
        ("^$", "", True),
        ("^a$", "a\n", False),
        ("a.b", "a\nb", True),
        ("(^|,)b(,|$)", "a,b", True),
        ("x^", "x", False),
        ("\\[\\$\\*\\\\", "[$*\\", True),
        ("^([0-9]{1,3}\\.){3}[0-9]{1,3}$", "100.64.0.7", True),
        ("^([0-9]{1,3}\\.){3}[0-9]{1,3}$", "100.64.0", False),
        ("(a|)+$", "b", True),
        ("sha256:[0-9a-f]{64}", "sha256:" + 64 * "0", True),
    ],
)
def test_what_posix_says_of_patterns(pattern: str, text: str, expected: bool) -> None:
    assert read_regexp(pattern).is_in(text) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(",
            ")",
            "a)",
            "*",
            "(*a)",
            "a**",
            "a+?",
            "^*",
            "|*",
            "[",
            "[]",
            "[a",
            "[b-a]",
            "[a-",
            "[[:none:]]",
            "[[.a.]]",
        ),
        *("a{", "a{}", "a{,2}", "a{2", "a{3,2}", "a{256}", "a{x}", "a{²}", "{2}", "\\", "\\d", "\\1", "a" * 1001),
        *("(((a{200}){200}){200})", "(" * 41 + ")" * 41, "(" * 900),
    ],
)
def test_what_is_no_pattern_is_an_error(pattern: str) -> None:
    with pytest.raises(RegexpError):
        read_regexp(pattern)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)*$", "^(a*)*b", "(.*)(.*)(.*)(.*)x$"])
def test_a_pattern_that_others_never_finish_takes_few_steps(pattern: str) -> None:
    assert read_regexp(pattern).is_in("a" * 500 + "!") is False


def test_a_search_that_takes_too_long_is_an_error() -> None:
    with pytest.raises(RegexpError, match="takes too long"):
        read_regexp("(a{20}){20}b").is_in("a" * WORK_LIMIT)


def test_a_script_learns_what_is_wrong_with_its_pattern() -> None:
    source = ':onerror e in={ :put ("aaa!" ~ "(a+)+?") } do={ :put $e }; :put ("aaaaaaaaaaaa!" ~ "^(a+)+\\$")'
    assert printed(make_device(), source) == "bad regexp: nothing to repeat\nfalse"
