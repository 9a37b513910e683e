"""Opening: what is made, with which modes, and what is refused and left as it is."""

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection

from mtts.adapters.store import schema
from mtts.adapters.store.database import open_database
from mtts.adapters.store.place import DATABASE_FILE, Place
from mtts.adapters.store.store import SqlStore
from mtts.core.errors import StoreError
from tests.adapters.store.cluster import Cluster
from tests.adapters.store.examples import result, run

NOBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(place: Place) -> StoreError:
    with pytest.raises(StoreError) as refused:
        SqlStore(place)
    return refused.value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a database will be; its directory is there."""
    directory = tmp_path / "state"
    directory.mkdir()
    return directory / DATABASE_FILE


@pytest.fixture
def filled(file: Path) -> Path:
    """A database with a page or more of content."""
    SqlStore(Place(file.parent)).close()
    with sqlite3.connect(file) as connection:
        connection.executemany(
            "INSERT INTO run (id, command, started_s, mtts_version) VALUES (?, 'deploy', ?, '0.1.0')",
            [(f"{number:032}", float(number)) for number in range(2000)],
        )
    connection.close()
    return file


def with_raw_connection(place: Place, act: Callable[[Connection], object]) -> None:
    """Do something to the database behind the store's back."""
    engine = create_engine(place.url) if place.url else create_engine(f"sqlite:///{place.directory / DATABASE_FILE}")
    with engine.begin() as connection:
        act(connection)
    engine.dispose()


async def test_directory_and_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    place = Place(tmp_path / "new" / "state")
    before = os.umask(0)
    try:
        store = SqlStore(place)
        await store.begin(run())
        files = {path.name: mode(path) for path in place.directory.iterdir()}
        store.close()
    finally:
        os.umask(before)

    assert mode(place.directory) == 0o700
    assert files == {DATABASE_FILE: 0o600, f"{DATABASE_FILE}-wal": 0o600, f"{DATABASE_FILE}-shm": 0o600}


def test_the_migrations_make_the_tables_that_the_code_reads_and_writes(place: Place) -> None:
    engine = open_database(place)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        differences = compare_metadata(context, schema.metadata)
    engine.dispose()

    assert differences == []


def test_every_migration_is_listed_oldest_first() -> None:
    config = Config()
    config.set_main_option("script_location", "mtts.adapters.store:migrations")

    steps = list(ScriptDirectory.from_config(config).walk_revisions())

    assert tuple(step.revision for step in reversed(steps)) == schema.REVISIONS


def test_an_empty_file_becomes_a_database(file: Path) -> None:
    file.touch(mode=0o600)
    SqlStore(Place(file.parent)).close()

    with_raw_connection(Place(file.parent), lambda connection: connection.execute(text("SELECT id FROM run")))


def test_a_second_opening_changes_nothing_and_loads_no_migrations(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path;"
        "from mtts.adapters.store.place import Place; from mtts.adapters.store.store import SqlStore;"
        "SqlStore(Place(Path(sys.argv[1]))).close(); print('alembic' in sys.modules)"
    )
    said = [
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]

    assert said == ["True\n", "False\n"]


def test_what_is_no_database_is_refused_and_left_as_it_is(file: Path) -> None:
    content = b"these are the notes of somebody else\n" * 400
    file.write_bytes(content)

    problem = refusal(Place(file.parent)).problem

    assert problem.code == "store-corrupt"
    assert str(file) in problem.message
    assert "backup" in problem.hint
    assert file.read_bytes() == content


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_database_is_refused_and_left_as_it_is(filled: Path, kept: float) -> None:
    content = filled.read_bytes()[: int(filled.stat().st_size * kept)]
    filled.write_bytes(content)

    assert refusal(Place(filled.parent)).problem.code == "store-corrupt"
    assert filled.read_bytes() == content


def test_a_database_with_overwritten_pages_is_refused_and_left_as_it_is(filled: Path) -> None:
    content = bytearray(filled.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\xff" * 8192
    filled.write_bytes(content)

    assert refusal(Place(filled.parent)).problem.code == "store-corrupt"
    assert filled.read_bytes() == content


def test_the_database_of_another_program_is_refused_and_left_as_it_is(place: Place) -> None:
    place.directory.mkdir()
    with_raw_connection(place, lambda connection: connection.execute(text("CREATE TABLE customers (id INTEGER)")))

    error = refusal(place)

    assert error.problem.code == "store-corrupt"
    assert "tables of something else" in error.problem.message
    engine = create_engine(place.url or f"sqlite:///{place.directory / DATABASE_FILE}")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM customers")).scalar_one() == 0
    engine.dispose()


def test_the_database_of_a_newer_mtts_is_refused(place: Place) -> None:
    SqlStore(place).close()
    with_raw_connection(place, lambda connection: connection.execute(text("UPDATE mtts_version SET version_num='r9'")))

    problem = refusal(place).problem

    assert problem.code == "store-newer"
    assert "upgrade" in problem.hint


def test_a_database_that_does_not_say_its_version_is_refused(place: Place) -> None:
    SqlStore(place).close()
    with_raw_connection(place, lambda connection: connection.execute(text("DELETE FROM mtts_version")))

    assert refusal(place).problem.code == "store-corrupt"


async def test_a_missing_table_and_an_unreadable_value_are_damage_too(place: Place, store: SqlStore) -> None:
    await store.begin(run())
    await store.record("run1", [result()])
    with_raw_connection(place, lambda connection: connection.execute(text("UPDATE result SET from_digest='none'")))
    with pytest.raises(StoreError) as unreadable:
        await store.history(["router1"], limit=1)
    with_raw_connection(place, lambda connection: connection.execute(text("DROP TABLE quarantine")))
    with pytest.raises(StoreError) as missing:
        await store.quarantined()

    assert {error.value.problem.code for error in (unreadable, missing)} == {"store-corrupt"}


@pytest.mark.parametrize("what", ["a file in place of the directory", "a directory in place of the file", "no place"])
def test_a_place_that_cannot_hold_a_database_is_refused(tmp_path: Path, what: str) -> None:
    directory = tmp_path / "state"
    match what:
        case "a file in place of the directory":
            directory.write_text("in the way")
        case "a directory in place of the file":
            (directory / DATABASE_FILE).mkdir(parents=True)
        case _:
            directory = Path("/proc/mtts")

    problem = refusal(Place(directory)).problem

    assert problem.code == "store-unusable"
    assert str(directory) in problem.message
    assert "--state" in problem.hint


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may write everywhere; anybody else stays who he is."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.parametrize("is_made", [True, False], ids=["read-only file", "read-only directory"])
def test_a_place_that_is_not_ours_to_write_is_refused(*, is_made: bool) -> None:
    with tempfile.TemporaryDirectory() as name:  # unlike `tmp_path` within reach of everybody
        place = Place(Path(name))
        if is_made:
            SqlStore(place).close()
            (place.directory / DATABASE_FILE).chmod(0o444)
        place.directory.chmod(0o555)

        with unprivileged():
            problem = refusal(place).problem

        place.directory.chmod(0o700)
        assert problem.code == "store-unusable"
        assert "Permission denied" in problem.message


async def test_a_full_disk_is_said_and_what_was_kept_stays(tmp_path: Path) -> None:
    store = SqlStore(Place(tmp_path))
    await store.begin(run())
    with store._engine.connect() as connection:
        connection.execute(text("PRAGMA max_page_count=1"))  # no more than there are

    with pytest.raises(StoreError) as full:
        await store.record("run1", [result(f"router{number}") for number in range(500)])

    assert full.value.problem.code == "store-unusable"
    assert "full" in full.value.problem.message
    assert await store.unfinished(limit=1) == [run()]
    store.close()


def test_a_server_that_is_not_there_is_said_without_the_password(tmp_path: Path) -> None:
    place = Place(tmp_path, "postgresql://mtts:geheim%40wort@/db?host=" + str(tmp_path))

    problem = refusal(place).problem

    assert problem.code == "store-unusable"
    assert "postgresql://mtts:***@/db" in problem.message
    assert "geheim" not in f"{problem} {place!r}"


def test_a_database_that_is_not_there_is_said_without_the_password(tmp_path: Path, cluster: Cluster) -> None:
    problem = refusal(Place(tmp_path, cluster.url("nowhere", password="geheim"))).problem

    assert problem.code == "store-unusable"
    assert '"nowhere" does not exist' in problem.message
    assert "geheim" not in str(problem)


def test_a_user_who_may_not_create_tables_is_told_so(tmp_path: Path, cluster: Cluster, database: str) -> None:
    owner = Place(tmp_path, cluster.url(database))
    role = f"reader_{database}"
    with_raw_connection(owner, lambda connection: connection.execute(text(f'CREATE ROLE "{role}" LOGIN')))

    problem = refusal(Place(tmp_path, cluster.url(database).replace("postgres@", f"{role}@"))).problem

    assert problem.code == "store-unusable"
    assert "permission denied" in problem.message
    assert "create tables" in problem.hint


def test_a_missing_driver_is_named_with_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    problem = refusal(Place(tmp_path, "postgresql://mtts@db.example.net/mtts")).problem

    assert problem.code == "store-unusable"
    assert problem.hint == "pip install 'mtts[postgresql]'"


@pytest.mark.parametrize("url", ["postgresql://user@host:port/db", "postgresql://"])
def test_a_url_of_no_database_is_refused(tmp_path: Path, url: str) -> None:
    assert refusal(Place(tmp_path, url)).problem.code == "store-unusable"
