"""The one place where secrets are struck out of text that leaves mtts: log, console, journal, reports.

Two things are struck out: every value that was learnt from a secret source, in the spellings a log may
show it in, and whatever has the form of a secret without having been learnt (API words such as
`=password=`, authorisation headers, Tailscale keys). Names stay, so that a debug log keeps its use.
"""

import logging
import re
from typing import Any, Final

from mtts.core.secret import Secret

STARS: Final = "***"
MIN_LEARNT: Final = 4
"""Shorter values stand in every other word; striking them out would only point at them."""

SECRET_WORDS: Final = (
    "password",
    "new-password",
    "old-password",
    "response",
    "contents",
    "data",
    "value",
    "env",
    "source",
    "secret",
    "passphrase",
    "auth-key",
    "private-key",
    "preshared-key",
    "pre-shared-key",
)
"""Properties of RouterOS that hold secrets, or may: file contents, environment values, script sources."""

_FORMS: Final = tuple(
    (re.compile(pattern), rf"\g<1>{STARS}")
    for pattern in (
        rf"([=?](?:{'|'.join(map(re.escape, SECRET_WORDS))})=)[^\n]+",
        r"(?i)(\b(?:basic|bearer) +)[A-Za-z0-9+/=._~-]{8,}",
        r"(://[^\s/@:]*:)[^\s/@]+(?=@)",
        r"(\b(?:ts|hs)key-)[A-Za-z0-9_-]+",
    )
)

_NO_BYTES: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # surrogates that escape no byte, and cannot be sent


class Redactor:
    """Knows the secrets of this run; one per process, built before anything is logged."""

    def __init__(self) -> None:
        self._spellings: tuple[str, ...] = ()

    def learn(self, secret: Secret) -> None:
        """Strike this value out from now on."""
        value = secret.reveal()
        if len(value) < MIN_LEARNT:
            return
        octets = _NO_BYTES.sub("?", value).encode("utf-8", "surrogateescape")
        wire = octets.decode("latin-1")  # as librouteros logs it
        spellings = {value, wire, repr(value)[1:-1], repr(wire)[1:-1], *self._spellings}
        self._spellings = tuple(sorted(spellings, key=len, reverse=True))

    def redact(self, text: str) -> str:
        """The text with stars where secrets stood."""
        for spelling in self._spellings:
            text = text.replace(spelling, STARS)
        for form, stars in _FORMS:
            text = form.sub(stars, text)
        return text

    def install(self) -> None:
        """Redact every log record of this process where it is made, so that no handler ever sees a secret."""
        redact = self.redact
        formatter = logging.Formatter()

        def make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = logging.LogRecord(*args, **kwargs)
            record.msg, record.args = redact(_message(record)), None
            if record.exc_info:
                # Handlers show `exc_text` where it is set; without `exc_info` none can render the traceback anew.
                record.exc_text, record.exc_info = redact(formatter.formatException(record.exc_info)), None
            if record.stack_info:
                record.stack_info = redact(record.stack_info)
            return record

        logging.setLogRecordFactory(make_record)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} (its arguments do not fit and are not shown)"
