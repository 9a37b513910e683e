"""Where the store lies: a directory, or a PostgreSQL database named by a URL; and beside either, the run lock.

Looks at words only: nothing is opened here, and no database library is loaded.
Invariant: a password comes from the environment or libpq's own file, never from the command line, and is never shown.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import platformdirs

from mtts.core.errors import StoreError, UsageError

VARIABLE: Final = "MTTS_STATE"
DATABASE_FILE: Final = "store.sqlite"

_SCHEMES: Final = ("postgresql+psycopg", "postgresql")
_SECRETS: Final = (
    re.compile(r"(?P<before>://[^:/@]*:)(?P<secret>.+)(?=@)"),
    re.compile(r"(?P<before>[?&](?:ssl)?password=)(?P<secret>[^&]*)"),
)
"""Wider than a URL allows: a password that was not escaped as it should be is one all the same."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the state is kept."""

    directory: Path
    """Holds the run lock and the journal, and the database unless `url` names another."""
    url: str | None = None
    """Of a PostgreSQL database; may hold a password."""

    def __repr__(self) -> str:
        return f"Place({self})"

    def __str__(self) -> str:
        """For people: never with a password."""
        return str(self.directory / DATABASE_FILE) if self.url is None else without_secrets(self.url)

    @property
    def lock_file(self) -> Path:
        """One lock for each store on this machine."""
        return self.directory / f"run{self._suffix}.lock"

    @property
    def journal_directory(self) -> Path:
        """Of the transactions that this machine has open: one for each lock, since nobody else may write there."""
        return self.directory / f"transactions{self._suffix}"

    @property
    def _suffix(self) -> str:
        """What tells the databases apart that share a directory."""
        if self.url is None:
            return ""
        return "-" + hashlib.sha256(without_secrets(self.url).encode()).hexdigest()[:16]


def find_place(explicit: str | None, environ: Mapping[str, str]) -> Place:
    """What `--state` says, else `$MTTS_STATE`, else `mtts` in the XDG directory for state.

    UsageError where a password stands on the command line, StoreError where the URL is of no database that mtts uses.
    """
    if explicit:
        refuse_password(explicit)
    named = explicit or environ.get(VARIABLE)
    usual = platformdirs.user_state_path("mtts", appauthor=False)
    if not named:
        return Place(usual)
    scheme, is_url, _ = named.partition("://")
    if not is_url:
        return Place(_home(Path(named)))
    if scheme not in _SCHEMES:
        raise StoreError(
            f"{scheme}:// is no place for the state",
            hint="name a directory, or postgresql+psycopg://user@host/database",
        )
    return Place(usual, named)


def _home(path: Path) -> Path:
    """With a leading `~` as a shell means it, where none has seen it."""
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user
        return path


def refuse_password(text: str) -> None:
    """UsageError (`secret-exposed`) where a URL given on the command line holds a password."""
    if secrets_of(text):
        raise UsageError(
            "a password on the command line can be read by everybody on this machine",
            code="secret-exposed",
            hint=f"put the URL into ${VARIABLE}, or the password into the file that $PGPASSFILE names",
        )


def secrets_of(url: str) -> tuple[str, ...]:
    """The passwords in a URL, as they are written there and as they are meant."""
    found = [match["secret"] for form in _SECRETS for match in form.finditer(url)]
    return tuple(dict.fromkeys(spelling for secret in found if secret for spelling in (secret, unquote(secret))))


def without_secrets(url: str) -> str:
    """The URL as it may be shown."""
    for form in _SECRETS:
        url = form.sub(lambda match: f"{match['before']}***", url)
    return url
