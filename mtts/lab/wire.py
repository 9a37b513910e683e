"""The RouterOS API's framing: words with a length in front, sentences ended by an empty word.

Pure bytes in and out, written from MikroTik's description of the API; it shares no code with any client.
Text on the wire is UTF-8 with undecodable bytes kept as surrogates, so every byte string survives a round
trip. A stream that cannot be read raises `WireError` and is not readable any further.
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_WORD_BYTES = 256 * 1024
MAX_SENTENCE_BYTES = 1024 * 1024

Sentence = tuple[str, ...]

# length below this -> (bytes that follow the first, what the first byte begins with)
_ENCODINGS = (
    (0x80, 0, 0x00),
    (0x4000, 1, 0x8000),
    (0x200000, 2, 0xC00000),
    (0x10000000, 3, 0xE0000000),
    (0x100000000, 4, 0xF000000000),
)
# first byte below this -> (bytes that follow, bits of the first byte that belong to the length)
_PREFIXES = ((0x80, 0, 0x7F), (0xC0, 1, 0x3F), (0xE0, 2, 0x1F), (0xF0, 3, 0x0F), (0xF8, 4, 0x00))
_LONGER = 0x80
_ONE_BYTE = tuple(bytes((length,)) for length in range(_LONGER))
"""The lengths of nearly all words, so that they need not be worked out each time."""


class WireError(Exception):
    """The peer sent bytes that are no RouterOS API stream, or more than a router accepts."""


def encode_length(length: int) -> bytes:
    """The shortest of the five encodings of a word's length; ValueError past 32 bits."""
    for limit, extra, prefix in _ENCODINGS:
        if length < limit:
            return (length | prefix).to_bytes(1 + extra, "big")
    raise ValueError(f"a word of {length} bytes cannot be sent")


def encode_sentence(words: Iterable[str]) -> bytes:
    """The bytes of one sentence, its closing empty word included."""
    parts = []
    for word in words:
        raw = word.encode("utf-8", "surrogateescape")
        length = len(raw)
        parts.append(_ONE_BYTE[length] if length < _LONGER else encode_length(length))
        parts.append(raw)
    parts.append(b"\x00")
    return b"".join(parts)


def _shape(first: int) -> tuple[int, int]:
    """How many bytes of length follow this first one, and which of its bits belong to the length."""
    for limit, following, mask in _PREFIXES:
        if first < limit:
            return following, mask
    raise WireError(f"reserved control byte 0x{first:02x}")


class SentenceReader:
    """Turns chunks of a byte stream into sentences; keeps what is not complete yet."""

    __slots__ = ("_buffer", "_sentence_bytes", "_words")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._words: list[str] = []
        self._sentence_bytes = 0

    def feed(self, chunk: bytes) -> list[Sentence]:
        """Every sentence completed by this chunk, in order; WireError when the stream is unreadable.

        Sentences in front of what cannot be read are given first, however the stream is cut into chunks: the error
        is raised by the next call.
        """
        buffer = self._buffer
        buffer += chunk
        complete: list[Sentence] = []
        position, end = 0, len(buffer)
        try:
            while position < end:
                length, body = buffer[position], position + 1
                if length >= _LONGER:
                    following, mask = _shape(length)
                    body += following
                    if body > end:
                        break
                    high_bits = (length & mask) << (8 * following)
                    length = high_bits | int.from_bytes(buffer[position + 1 : body], "big")
                if length:
                    self._admit(length)
                if body + length > end:
                    break
                position = body + length
                if length:
                    self._sentence_bytes += length
                    self._words.append(buffer[body:position].decode("utf-8", "surrogateescape"))
                else:
                    complete.append(tuple(self._words))
                    self._words = []
                    self._sentence_bytes = 0
        except WireError:
            if not complete:
                raise
        del buffer[:position]
        return complete

    def _admit(self, length: int) -> None:
        if length > MAX_WORD_BYTES:
            raise WireError(f"word of {length} bytes")
        if self._sentence_bytes + length > MAX_SENTENCE_BYTES:
            raise WireError("sentence too long")
