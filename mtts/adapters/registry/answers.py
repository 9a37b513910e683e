"""What a registry's refusal means: status and words of an answer → an error with a code and a hint.

Pure. The registry's own words are quoted, but cleaned: bounded, without control and bidirectional characters,
without the token that was sent and without the query of any URL, since signed URLs are secrets.
"""

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from mtts.core.errors import (
    ImageDeniedError,
    ImageNotFoundError,
    RateLimitedError,
    RegistryError,
    RegistryUnavailableError,
)
from mtts.core.text import printable

MAX_WORDS = 200

_DENIED: Final = "denied"
_ABSENT: Final = "absent"
_LIMITED: Final = "limited"
_FAILING: Final = "failing"

# The registry's code says it more exactly than the status, which some choose oddly.
_BY_CODE: Final[Mapping[str, str]] = {
    "UNAUTHORIZED": _DENIED,
    "DENIED": _DENIED,
    "MANIFEST_UNKNOWN": _ABSENT,
    "NAME_UNKNOWN": _ABSENT,
    "BLOB_UNKNOWN": _ABSENT,
    "TAG_EXPIRED": _ABSENT,
    "TOOMANYREQUESTS": _LIMITED,
    "UNAVAILABLE": _FAILING,
}
_BY_STATUS: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: _DENIED,
    HTTPStatus.FORBIDDEN: _DENIED,
    HTTPStatus.NOT_FOUND: _ABSENT,
    HTTPStatus.GONE: _ABSENT,
    HTTPStatus.REQUEST_TIMEOUT: _FAILING,
    HTTPStatus.TOO_MANY_REQUESTS: _LIMITED,
    HTTPStatus.INTERNAL_SERVER_ERROR: _FAILING,
    HTTPStatus.BAD_GATEWAY: _FAILING,
    HTTPStatus.SERVICE_UNAVAILABLE: _FAILING,
    HTTPStatus.GATEWAY_TIMEOUT: _FAILING,
}

_URL_QUERY = re.compile(r"(?i)(\bhttps?://[^\s?\"'<>]*)\?[^\s\"'<>]*")


def credentials_hint(registry: str, username: str | None) -> str:
    """What helps when a registry does not let us at an image."""
    if username is None:
        return (
            "an image that does not exist and one that is not public look alike from outside: check the name, or"
            f" give credentials in the inventory: registries: {{{registry}: {{username: …, password: …}}}}"
        )
    return f"check that {username!r} may read this repository, and the password under registries: {registry}"


def refusal(
    status: int,
    words: str,
    *,
    what: str,
    registry: str,
    username: str | None = None,
    retry_after_s: float | None = None,
) -> RegistryError:
    """The error that a status other than success stands for; `what` was asked, `words` came back (`words_of`)."""
    quoted = f": {words}" if words else ""
    match _BY_CODE.get(words.partition(":")[0]) or _BY_STATUS.get(status):
        case "denied":
            return ImageDeniedError(
                f"{registry} does not give {what} to {username or 'anonymous clients'} ({status}){quoted}",
                hint=credentials_hint(registry, username),
            )
        case "absent":
            return ImageNotFoundError(
                f"{registry} does not find {what} ({status}){quoted}", hint="check the image's name and tag"
            )
        case "limited":
            wait = "" if retry_after_s is None else f"; it asks to wait {retry_after_s:.0f} s"
            return RateLimitedError(
                f"{registry} limits how often it may be asked, here for {what} ({status}){quoted}{wait}",
                hint=f"try later, or give credentials for {registry} in the inventory, which may raise the limit",
                retry_after_s=retry_after_s,
            )
        case "failing":
            return RegistryUnavailableError(
                f"{registry} failed when asked for {what} ({status}){quoted}", hint="try again later"
            )
    return RegistryError(f"{registry} answered {status} when asked for {what}{quoted}")


def words_of(body: bytes, *, hide: str | None = None) -> str:
    """A refusal's own words, `CODE: message` where it follows the specification; empty for a web page or noise."""
    text = body.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "" if text.lstrip().startswith("<") else clean(text, hide=hide)
    if isinstance(document, dict):
        errors = document.get("errors")
        if isinstance(errors, list) and errors and isinstance(errors[0], dict):
            document = errors[0]
        parts = (document.get(key) for key in ("code", "message", "details", "error_description", "error"))
        return clean(": ".join(part for part in parts if isinstance(part, str) and part), hide=hide)
    return ""


def clean(text: str, *, limit: int = MAX_WORDS, hide: str | None = None) -> str:
    """Foreign text fit for one line of a message; `hide` is cut out wherever it stands."""
    shown = printable(text)  # first, lest what it takes away had kept a secret from being recognised
    if hide:
        shown = shown.replace(printable(hide), "***")
    return printable(_URL_QUERY.sub(r"\1?…", shown), limit=limit)


def retry_after(field: str | None, *, now: float) -> float | None:
    """Seconds to wait by a `Retry-After` field, which holds seconds or a date; None when there is none to read."""
    if field is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", field.strip()):
        return float(field)
    try:
        return max(0.0, parsedate_to_datetime(field).timestamp() - now)
    except (ValueError, OverflowError):
        return None
