"""Several processes on one store: a fresh one that all open at once, and one that all write to."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from mtts.adapters.store.place import Place
from mtts.adapters.store.store import SqlStore

_DEADLINE_S = 120
_WRITER = """
import asyncio, os, sys
from pathlib import Path
from mtts.adapters.store.place import Place
from mtts.adapters.store.store import SqlStore
from tests.adapters.store.examples import release, result, run

async def write(name):
    sys.stdin.readline()
    store = SqlStore(Place(Path(sys.argv[1]), os.environ.get("TEST_URL")))
    await store.begin(run(name))
    for number in range(10):
        await store.record(name, [result(f"router{number}")])
        await store.remember(release(), seen_s=5.0)
    await store.finish(name, finished_s=9.0, exit_code=0)
    store.close()

asyncio.run(write(sys.argv[2]))
"""


def write_side_by_side(place: Place, names: Sequence[str]) -> None:
    """A process for each name, all let go at once and all ended well."""
    command = [sys.executable, "-c", _WRITER, str(place.directory)]
    writers = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for name in names
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    said = [writer.communicate(timeout=_DEADLINE_S)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * len(names), said


@pytest.mark.parametrize("is_new", [True, False], ids=["a fresh store", "a store in use"])
async def test_processes_write_side_by_side_and_nothing_is_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch, *, is_new: bool
) -> None:
    if place.url:
        monkeypatch.setenv("TEST_URL", place.url)
    if not is_new:
        SqlStore(place).close()
    names = ("first", "second", "third")
    write_side_by_side(place, names)

    store = SqlStore(place)
    routers = [f"router{number}" for number in range(10)]
    assert {past.run.run_id for past in await store.history(routers, limit=99)} == set(names)
    assert len(await store.history(routers, limit=99)) == 30
    assert len(await store.samples(routers, since_s=0)) == 60
    assert len(await store.known_releases()) == 1
    assert await store.unfinished(limit=9) == []
    store.close()
