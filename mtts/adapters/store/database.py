"""Opens the store's database: makes it where there is none, brings it up to date, refuses what it does not understand.

Invariant: nothing is written to a database that is damaged, foreign or newer than this version of mtts.
"""

import logging
import os
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, table, text
from sqlalchemy import column as column_
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from mtts.adapters.store.faults import damaged, translated
from mtts.adapters.store.place import DATABASE_FILE, Place
from mtts.adapters.store.schema import REVISIONS, VERSION_TABLE
from mtts.core.errors import StoreError

_BUSY_MS: Final = 15_000
"""How long to wait for another process that writes; no write of ours takes long."""

_CONNECT_S: Final = 10

_CHECKED_BYTES: Final = 64 * 1024 * 1024
"""A database up to this size is read through at every opening; damage in a larger one is found when it is met."""

_ADVISORY_LOCK: Final = 0x6D747473
"""PostgreSQL's lock for whoever migrates: the letters `mtts`."""

_WRITES: Final = {"mtts_begin": "BEGIN IMMEDIATE"}

_VERSION: Final = table(VERSION_TABLE, column_("version_num"))


def open_database(place: Place) -> Engine:
    """An engine whose database has today's tables; StoreError where that cannot be."""
    for library in ("sqlalchemy", "alembic", "psycopg"):
        logging.getLogger(library).setLevel(logging.WARNING)  # statements are not what -v is for
    with translated(place):
        engine = _sqlite(place.directory) if place.url is None else _postgresql(place)
    with ExitStack() as undoing, translated(place):
        undoing.callback(engine.dispose)
        _bring_up_to_date(engine, place)
        undoing.pop_all()
    return engine


def for_writing(engine: Engine) -> Engine:
    """The same engine; its transactions take SQLite's write lock at once: none fails half-way for want of it."""
    return engine.execution_options(**_WRITES)


def _sqlite(directory: Path) -> Engine:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = directory / DATABASE_FILE
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # -wal and -shm get the mode of the database
    engine = create_engine(URL.create("sqlite", database=str(file)), pool_size=1, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where SQLAlchemy says, not where sqlite3 guesses
        for pragma in (f"busy_timeout={_BUSY_MS}", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("mtts_begin", "BEGIN"))

    return engine


def _postgresql(place: Place) -> Engine:
    try:
        url = make_url(place.url or "").set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise StoreError(f"{place} is no URL of a database", hint="postgresql+psycopg://user@host/database") from None
    connect = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_S}
    try:
        return create_engine(url, pool_size=1, pool_pre_ping=True, hide_parameters=True, connect_args=connect)
    except ImportError:
        raise StoreError("PostgreSQL's driver is not installed", hint="pip install 'mtts[postgresql]'") from None


def _bring_up_to_date(engine: Engine, place: Place) -> None:
    with engine.connect() as connection:
        _look_for_damage(connection, place)
        if _revision(connection, place) == REVISIONS[-1]:
            return
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA journal_mode=WAL")  # readers and one writer side by side; kept in the file
    with for_writing(engine).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        if _revision(connection, place) != REVISIONS[-1]:  # another process may have been faster
            _migrate(connection)


def _look_for_damage(connection: Connection, place: Place) -> None:
    if place.url is not None or (place.directory / DATABASE_FILE).stat().st_size > _CHECKED_BYTES:
        return
    found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if found != "ok":
        raise damaged(place, str(found))


def _revision(connection: Connection, place: Place) -> str | None:
    """Which migration the database is at; None for one that is empty."""
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        if tables:
            raise damaged(place, "it holds the tables of something else")
        return None
    found = connection.execute(select(_VERSION.c.version_num)).scalars().all()
    if len(found) != 1:
        raise damaged(place, "it does not say which version its tables are of")
    if found[0] not in REVISIONS:
        raise StoreError(
            f"the store {place} was written by a newer version of mtts",
            code="store-newer",
            hint="upgrade mtts here: pip install --upgrade mtts",
        )
    return str(found[0])


def _migrate(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - needed once in a database's life, and slow to load
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "mtts.adapters.store:migrations")
    command.upgrade(config, "head")
