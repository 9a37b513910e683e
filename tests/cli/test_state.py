"""The state directory as users meet it: the lock, a store that cannot be used, and `mtts history`."""

import asyncio
import re
import sqlite3
from pathlib import Path

import pytest

from mtts.adapters.run_lock import run_lock
from mtts.adapters.store.place import DATABASE_FILE, Place
from mtts.adapters.store.store import SqlStore
from mtts.core.flash import Moment
from mtts.core.ledger import PastRun, RecordedSample
from tests.cli.conftest import Fleet, Run
from tests.cli.snapshots import comparable

WRITERS = [
    ("deploy", "router1"),
    ("deploy", "router1", "--yes"),
    ("update", "router1"),
    ("rollback", "router1"),
    ("login", "router1"),
    ("remove", "router1", "--yes"),
    ("resume", "router1"),
    ("gc", "router1"),
]
READERS = [("check", "router1"), ("plan", "router1"), ("status", "router1"), ("logs", "router1"), ("history",)]


def samples_in(state: Path, router: str) -> list[RecordedSample]:
    store = SqlStore(Place(state))
    found = asyncio.run(store.samples([router], since_s=0))
    store.close()
    return found


@pytest.mark.parametrize("command", WRITERS, ids=" ".join)
def test_of_two_runs_that_write_the_second_contacts_nobody_and_says_who_is_first(
    fleet: Fleet, state: Path, command: tuple[str, ...]
) -> None:
    router = fleet.add()
    with run_lock(state / "run.lock", "update"):
        ran = fleet.mtts(*command)

    assert (ran.code, ran.out) == (75, "")
    assert re.search(r"another run writes to routers: mtts update \(process \d+\) \[run-in-progress\]", ran.err)
    assert router.connections == 0


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_what_only_reads_does_not_wait_for_a_run_that_writes(
    fleet: Fleet, state: Path, command: tuple[str, ...]
) -> None:
    fleet.add()
    alone = fleet.mtts(*command)
    with run_lock(state / "run.lock", "update"):
        beside = fleet.mtts(*command)

    assert alone.code != 75
    assert beside.code == alone.code


@pytest.mark.parametrize("command", [*WRITERS, ("history",)], ids=" ".join)
def test_a_damaged_store_is_refused_before_any_router_is_contacted(
    fleet: Fleet, state: Path, command: tuple[str, ...]
) -> None:
    router = fleet.add()
    state.mkdir()
    (state / DATABASE_FILE).write_text("this was a database once\n" * 100)

    ran = fleet.mtts(*command)

    assert (ran.code, ran.out) == (2, "")
    assert "[store-corrupt]" in ran.err
    assert "Traceback" not in ran.err
    assert router.connections == 0
    assert (state / DATABASE_FILE).read_text() == "this was a database once\n" * 100


def test_a_store_of_a_newer_mtts_is_refused_before_any_router_is_contacted(fleet: Fleet, state: Path) -> None:
    router = fleet.add()
    assert fleet.mtts("history").code == 0
    with sqlite3.connect(state / DATABASE_FILE) as connection:
        connection.execute("UPDATE mtts_version SET version_num = 'r9999'")
    connection.close()

    ran = fleet.mtts("deploy", "router1", "--json")

    assert (ran.code, ran.json["error"]["code"]) == (2, "store-newer")
    assert router.connections == 0


def test_a_state_that_cannot_be_is_refused_before_any_router_is_contacted(fleet: Fleet) -> None:
    router = fleet.add()

    ran = fleet.mtts("deploy", "router1", "--state", "/proc/mtts")

    assert ran.code == 2
    assert "[store-unusable]" in ran.err
    assert router.connections == 0


def test_history_tells_what_was_done_newest_first(fleet: Fleet) -> None:
    fleet.add("router1")
    fleet.add("router2")
    for command in (("deploy", "--all"), ("deploy", "router1"), ("remove", "router2", "--yes")):
        assert fleet.mtts(*command).code == 0

    ran = fleet.mtts("history")

    assert ran.code == 0
    assert re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "WHEN", comparable(ran.out)).replace("+SIZE", "SIZE").splitlines() == [
        "WHEN (UTC)  COMMAND  EXIT  ROUTER  NODE  OUTCOME  RELEASE  DOWNTIME  FLASH  PROBLEM",
        "─",
        "WHEN  remove  0  router2  tailscale  removed  1.2.3  -  SIZE  -",
        "WHEN  deploy  0  router1  tailscale  no-op  1.2.3  -  -  -",
        "WHEN  deploy  0  router1  tailscale  deployed  1.2.3  -  SIZE  -",
        "WHEN  deploy  0  router2  tailscale  deployed  1.2.3  -  SIZE  -",
    ]


def test_history_contacts_no_router_and_keeps_to_those_that_were_named(fleet: Fleet) -> None:
    routers = [fleet.add(name) for name in ("router1", "router2")]
    fleet.mtts("deploy", "--all")
    connections = [router.connections for router in routers]

    everything = fleet.mtts("history", "--json").json
    one = fleet.mtts("history", "router2", "--json").json
    last = fleet.mtts("history", "--limit", "1", "--json").json

    assert [past["router"] for past in everything["history"]] == ["router1", "router2"]
    assert [past["router"] for past in one["history"]] == ["router2"]
    assert len(last["history"]) == 1
    assert [router.connections for router in routers] == connections


def test_the_document_of_a_run_and_its_history_are_of_one_run(fleet: Fleet) -> None:
    fleet.add()
    document = fleet.mtts("deploy", "router1", "--json").json

    (past,) = fleet.mtts("history", "--json").json["history"]

    (result,) = document["routers"]
    assert past["run_id"] == document["run_id"]
    assert (past["started"], past["exit_code"]) == (document["started"], 0)
    for key in ("router", "node", "outcome", "strategy", "from", "to", "downtime_s", "flash", "evidence", "error"):
        assert past[key] == result[key], key


def test_flash_is_sampled_once_more_when_it_has_settled(fleet: Fleet, state: Path) -> None:
    fleet.add()

    result = fleet.mtts("deploy", "router1", "--json").json["routers"][0]

    kept = samples_in(state, "router1")
    assert [recorded.sample.moment for recorded in kept] == [Moment.BEFORE, Moment.COMMITTED, Moment.SETTLED]
    assert result["flash"]["before"] == kept[0].sample.free_bytes
    assert result["flash"]["after"] == kept[-1].sample.free_bytes


def test_a_run_that_was_killed_is_told_apart(fleet: Fleet, state: Path) -> None:
    fleet.add()
    store = SqlStore(Place(state))
    asyncio.run(store.begin(PastRun("killed", "deploy", 1.8e9, "0.1.0")))
    store.close()

    ran = fleet.mtts("history")

    assert "unfinished: deploy of 2027-01-15 08:00 was killed or goes on" in ran.out
    assert [run["run_id"] for run in fleet.mtts("history", "--json").json["unfinished"]] == ["killed"]


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_state_is_named_in_either_place(fleet: Fleet, tmp_path: Path, state: Path, place: str) -> None:
    fleet.add()
    option, command = ("--state", str(tmp_path / "other")), ("deploy", "router1")

    ran = fleet.mtts(*option, *command) if place == "before" else fleet.mtts(*command, *option)

    assert ran.code == 0
    assert (tmp_path / "other" / DATABASE_FILE).exists()
    assert not state.exists()


@pytest.mark.parametrize("command", [("deploy", "router1"), ("history",), ("check", "router1")], ids=" ".join)
def test_a_password_in_the_state_s_url_is_refused_on_the_command_line(fleet: Fleet, command: tuple[str, ...]) -> None:
    router = fleet.add()

    ran = fleet.mtts(*command, "--state", "postgresql://mtts:geheim@127.0.0.1/mtts")

    assert ran.code == 2
    assert "[secret-exposed]" in ran.err
    assert "geheim" not in ran.out + ran.err
    assert router.connections == 0


@pytest.mark.parametrize("form", ["mtts:geheim@127.0.0.1:{port}/mtts", "mtts@127.0.0.1:{port}/mtts?password=geheim"])
@pytest.mark.parametrize("options", [(), ("-vv",), ("--json",)], ids=" ".join)
def test_a_database_s_password_is_never_shown(
    fleet: Fleet, mtts: Run, monkeypatch: pytest.MonkeyPatch, closed_port: int, *, form: str, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MTTS_STATE", "postgresql+psycopg://" + form.format(port=closed_port))
    monkeypatch.setenv("XDG_STATE_HOME", str(fleet.path.parent / "xdg"))
    fleet.add()
    fleet.save()

    for command in (("history",), ("deploy", "router1")):
        ran = mtts(*command, *options)

        assert ran.code == 2
        assert "store-unusable" in ran.out + ran.err
        assert "geheim" not in ran.out + ran.err
