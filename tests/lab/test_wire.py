"""The lab's codec: every length form, any chunking, and agreement with librouteros' encoder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from librouteros.protocol import encode_length as librouteros_length
from librouteros.protocol import encode_sentence as librouteros_sentence

from mtts.lab.wire import (
    MAX_SENTENCE_BYTES,
    MAX_WORD_BYTES,
    SentenceReader,
    WireError,
    encode_length,
    encode_sentence,
)

words = st.text(min_size=1, max_size=300)
sentences = st.lists(words, max_size=6)


@given(st.lists(sentences, max_size=5), st.integers(1, 40))
def test_sentences_survive_any_chunking(original: list[list[str]], chunk: int) -> None:
    stream = b"".join(encode_sentence(words) for words in original)
    reader = SentenceReader()
    heard = [
        sentence for start in range(0, len(stream), chunk) for sentence in reader.feed(stream[start : start + chunk])
    ]
    assert heard == [tuple(words) for words in original]


@given(st.binary(max_size=400))
def test_any_bytes_are_a_stream_or_a_wire_error(noise: bytes) -> None:
    try:
        heard = SentenceReader().feed(noise)
    except WireError:
        return
    # what was understood says the same when it is said again
    assert SentenceReader().feed(b"".join(encode_sentence(words) for words in heard)) == heard


@given(st.lists(sentences, min_size=1, max_size=5))
def test_sentences_in_front_of_garbage_are_given_before_it_is_complained_of(original: list[list[str]]) -> None:
    reader = SentenceReader()
    heard = reader.feed(b"".join(encode_sentence(words) for words in original) + b"\x03abc\xff")
    assert heard == [tuple(words) for words in original]
    for more in (b"", b"\x00"):
        with pytest.raises(WireError, match="0xff"):
            reader.feed(more)


@given(st.binary(min_size=1, max_size=300))
def test_bytes_that_are_no_utf8_come_back_unchanged(raw: bytes) -> None:
    sentence = SentenceReader().feed(encode_length(len(raw)) + raw + b"\x00")
    assert encode_sentence(sentence[0]) == encode_length(len(raw)) + raw + b"\x00"


@pytest.mark.parametrize(
    "length",
    [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 0x1FFFFF, 0x200000, 0xFFFFFFF],
)
def test_lengths_are_encoded_as_librouteros_does(length: int) -> None:
    assert encode_length(length) == librouteros_length(length)


def test_the_fifth_form_carries_lengths_that_librouteros_cannot() -> None:
    assert encode_length(0x10000000) == b"\xf0\x10\x00\x00\x00"
    with pytest.raises(ValueError, match="cannot be sent"):
        encode_length(0x100000000)


@given(st.lists(words, min_size=1, max_size=5))
def test_sentences_are_encoded_as_librouteros_does(sentence: list[str]) -> None:
    assert encode_sentence(sentence) == librouteros_sentence(*sentence, encoding="utf-8")


@pytest.mark.parametrize("form", [b"\x05", b"\x80\x05", b"\xc0\x00\x05", b"\xe0\x00\x00\x05", b"\xf0\x00\x00\x00\x05"])
def test_every_length_form_is_read_even_where_a_shorter_one_would_do(form: bytes) -> None:
    assert SentenceReader().feed(form + b"hello\x00") == [("hello",)]


def test_reserved_control_bytes_end_the_stream() -> None:
    with pytest.raises(WireError, match="0xff"):
        SentenceReader().feed(b"\xff")


def test_a_word_beyond_the_cap_is_refused_before_it_arrives() -> None:
    with pytest.raises(WireError, match="word"):
        SentenceReader().feed(encode_length(MAX_WORD_BYTES + 1))


def test_a_sentence_beyond_the_cap_is_refused() -> None:
    reader = SentenceReader()
    word = encode_length(MAX_WORD_BYTES) + b"x" * MAX_WORD_BYTES
    for _ in range(MAX_SENTENCE_BYTES // MAX_WORD_BYTES):
        reader.feed(word)
    with pytest.raises(WireError, match="sentence"):
        reader.feed(b"\x01x")
