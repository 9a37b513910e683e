"""Words and replies without a socket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.adapters.routeros.sentence import compose, fatal_text, from_wire, parse_reply, parse_trap, readable, to_wire
from mtts.core.errors import UsageError


@given(st.binary())
def test_every_byte_sequence_survives_being_read_and_written_back(octets: bytes) -> None:
    assert to_wire(from_wire(octets.decode("latin-1"))).encode("latin-1") == octets


@given(st.text(st.characters(codec="utf-8")))
def test_every_text_is_sent_as_its_utf_8(text: str) -> None:
    assert to_wire(text).encode("latin-1") == text.encode()


def test_half_a_surrogate_pair_is_refused_without_showing_the_value() -> None:
    with pytest.raises(UsageError, match="surrogate") as caught:
        compose({"password": "canary\ud800"})
    assert caught.value.__context__ is None
    assert "canary" not in str(caught.value)


def test_arguments_come_first_and_queries_last() -> None:
    words = compose({"a": "1"}, where=[{"name": "café"}], props=(".id", "name"))
    assert words == ("=a=1", "=.proplist=.id,name", "?name=cafÃ©")


def test_alternatives_are_joined_on_the_routers_stack() -> None:
    words = compose({}, where=[{"a": "1", "b": "2"}, {"c": "3"}, {"d": "4", "e": "5"}])
    assert words == ("?a=1", "?b=2", "?#&", "?c=3", "?#|", "?d=4", "?e=5", "?#&|")


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("=comment=123", "comment", "123"),
        ("=disabled=yes", "disabled", "yes"),
        ("=size=00", "size", "00"),
        ("=cmd=--a=b --c==", "cmd", "--a=b --c=="),
        ("=comment=", "comment", ""),
        ("=comment", "comment", ""),
        (".tag=7", ".tag", "7"),
        ("stray", "stray", ""),
        ("==x", "", "x"),
        ("=name=" + "café".encode().decode("latin-1"), "name", "café"),
        ("=name=\xff", "name", "\udcff"),
    ],
)
def test_a_word_becomes_a_name_and_its_text(word: str, name: str, value: str) -> None:
    reply = parse_reply([("!re", (word,)), ("!done", ())])
    assert reply.rows == ({name: value},)


def test_unknown_reply_words_and_empty_carry_nothing() -> None:
    reply = parse_reply([("!empty", ()), ("!news", ("=a=b",)), ("!done", ("=ret=*1",))])
    assert (reply.rows, reply.traps, reply.done) == ((), (), {"ret": "*1"})


@pytest.mark.parametrize(
    ("words", "text", "category"),
    [
        (("=message=no such item", "=category=0"), "no such item", 0),
        (("=message=no such item",), "no such item", None),
        (("=category=x", "=message=a=b"), "a=b", None),
        (("=category=99999999999999999999",), "the router gave no reason", None),
        (("=reason=busy", "odd"), "reason=busy odd", None),
        ((), "the router gave no reason", None),
        (("=message=\x1b[31mred\x1b[0m\r\nline\u202e",), "red line\u202e", None),
    ],
)
def test_a_trap_keeps_the_words_of_the_router(words: tuple[str, ...], text: str, category: int | None) -> None:
    trap = parse_trap(tuple(to_wire(word) for word in words))
    assert (trap.text, trap.category) == (text.replace("\u202e", ""), category)


def test_fatal_words_are_shown_plainly() -> None:
    assert fatal_text(["=message=not\x07 logged in"]) == "not logged in"


@given(st.text())
def test_foreign_text_is_one_bounded_line_without_control_characters(text: str) -> None:
    shown = readable(text)
    assert len(shown) <= 500
    assert shown.isprintable()
