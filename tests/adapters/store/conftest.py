"""A test that asks for a `place` runs twice: on SQLite in a file, and on a real PostgreSQL where one is installed."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from mtts.adapters.store.place import Place
from mtts.adapters.store.store import SqlStore
from tests.adapters.store.cluster import Cluster, programs, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One server for all tests of this process."""
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    with running_cluster(binaries) as running:
        yield running


@pytest.fixture
def database(cluster: Cluster) -> str:
    """The name of a new, empty database."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(host=str(cluster.socket), user="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where nothing is yet."""
    if request.param == "sqlite":
        return Place(tmp_path / "state")
    cluster, database = request.getfixturevalue("cluster"), request.getfixturevalue("database")
    return Place(tmp_path / "state", cluster.url(database))


@pytest.fixture
def opened(place: Place) -> Iterator[Callable[[], SqlStore]]:
    """Opens the store, as often as asked; closes all at the end."""
    stores: list[SqlStore] = []

    def open_again() -> SqlStore:
        stores.append(SqlStore(place))
        return stores[-1]

    yield open_again
    for each in stores:
        each.close()


@pytest.fixture
def store(opened: Callable[[], SqlStore]) -> SqlStore:
    """A new store, open."""
    return opened()
