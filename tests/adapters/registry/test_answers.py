"""Refusals: which error a status and a code stand for, and how long a registry asks to wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.adapters.registry.answers import clean, refusal, retry_after, words_of
from tests.adapters.registry.harness import NOW


@pytest.mark.parametrize(
    ("status", "words", "code", "is_retryable"),
    [
        (400, "", "registry-unavailable", False),
        (401, "", "image-denied", False),
        (403, "", "image-denied", False),
        (404, "", "image-not-found", False),
        (404, "TAG_EXPIRED: gone", "image-not-found", False),
        (405, "UNSUPPORTED: no", "registry-unavailable", False),
        (408, "", "registry-unavailable", True),
        (418, "", "registry-unavailable", False),
        (429, "", "registry-rate-limited", True),
        (500, "", "registry-unavailable", True),
        (501, "", "registry-unavailable", False),
        (503, "", "registry-unavailable", True),
        (400, "TOOMANYREQUESTS: slow down", "registry-rate-limited", True),
        (404, "DENIED: requested access is denied", "image-denied", False),
        (500, "MANIFEST_UNKNOWN", "image-not-found", False),
    ],
)
def test_the_code_of_a_refusal_counts_before_its_status(status: int, words: str, code: str, is_retryable: bool) -> None:
    error = refusal(status, words, what="a/b:stable", registry="r.example")
    assert error.problem.code == code
    assert error.retryable is is_retryable
    assert words in error.problem.message
    assert "r.example" in error.problem.message
    assert "a/b:stable" in error.problem.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"errors":[{"code":"DENIED","message":"no","detail":{"x":1}}]}', "DENIED: no"),
        (b'{"errors":[{"code":"DENIED"}]}', "DENIED"),
        (b'{"errors":[]}', ""),
        (b'{"errors":["x"],"message":"why"}', "why"),
        (b'{"details":"incorrect username"}', "incorrect username"),
        (b'{"error":"invalid_request","error_description":"bad scope"}', "bad scope: invalid_request"),
        (b'{"message":{"x":1}}', ""),
        (b'"text"', ""),
        (b"429 Too Many Requests\n", "429 Too Many Requests"),
        (b"<html>no</html>", ""),
        (b"<?xml version='1.0'?><Error/>", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 9000, "[" * 199 + "…"),
        (b"", ""),
    ],
)
def test_the_words_of_a_refusal_are_found_in_whatever_shape(body: bytes, words: str) -> None:
    assert words_of(body) == words


@given(st.text(), st.integers(1, 300))
def test_cleaned_text_is_one_printable_line_of_bounded_length(text: str, limit: int) -> None:
    line = clean(text, limit=limit)
    assert len(line) <= limit
    assert line.splitlines() in ([], [line])
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("Fri, 99 Jan 9999 08:00:30 GMT", None),
        ("", None),
    ],
)
def test_a_wait_is_asked_for_in_seconds_or_until_a_date(field: str | None, seconds: float | None) -> None:
    assert retry_after(field, now=NOW) == seconds
