"""What a database says when it fails, in our own words: every foreign error becomes a StoreError here.

A password never gets through, whatever the database library quotes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from mtts.adapters.store.place import Place, secrets_of
from mtts.core.errors import StoreError
from mtts.core.text import printable

_DAMAGED: Final = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_ERROR"})
"""SQLITE_ERROR is a statement that does not fit the tables; ours always do."""

_DAMAGED_CLASSES: Final = ("42", "XX")
"""Classes of PostgreSQL's SQLSTATE: a statement that does not fit the tables, and damage found."""

_NOT_PERMITTED: Final = "42501"

_LONGEST: Final = 300


@contextmanager
def translated(place: Place) -> Iterator[None]:
    """Raise StoreError (`store-corrupt`, `store-unusable`) for whatever the database or its library raises."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        if _is_damage(cause):
            raise damaged(place, _words(place, cause)) from None
        raise StoreError(f"the store {place} cannot be used: {_words(place, cause)}", hint=_hint(place)) from None


def damaged(place: Place, why: str) -> StoreError:
    """The database is left as it is: somebody may want to look at it, or to bring its rows out."""
    return StoreError(
        f"the store {place} is damaged, or is none of mtts': {why}",
        code="store-corrupt",
        hint="put a backup back, or move it away and mtts begins a new one: what routers run is recorded on them",
    )


def _is_damage(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", "")
        return name in _DAMAGED or name.startswith("SQLITE_CORRUPT")
    state = getattr(cause, "sqlstate", None) or ""
    return state.startswith(_DAMAGED_CLASSES) and state != _NOT_PERMITTED


def _words(place: Place, cause: BaseException) -> str:
    text = str(cause.strerror or cause) if isinstance(cause, OSError) else str(cause)
    for secret in secrets_of(place.url or ""):
        text = text.replace(secret, "***")
    return printable(text, limit=_LONGEST) or type(cause).__name__


def _hint(place: Place) -> str:
    if place.url is None:
        return "see to the directory's owner, its mode and the room on its disk, or name another with --state"
    return "see whether the database is up, and whether its user may create tables"
