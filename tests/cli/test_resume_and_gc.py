"""`mtts resume` and `mtts gc` as users run them."""

from tests.cli.conftest import Fleet

LOCK = "mtts:lock by=other/1 on=0a1b2c3d run=8c4f uptime=0 longest=1"


def test_gc_without_anybody_to_ask_lists_and_with_yes_removes(fleet: Fleet) -> None:
    router = fleet.add()
    assert fleet.mtts("deploy", "router1").code == 0
    backup = "mtts/root/tailscale/a.backup"
    fleet.thread.call(router.write_file, f"{backup}/bin/left", b"left")
    writes = len(fleet.writes(router))

    listed = fleet.mtts("gc", "router1")
    assert listed.code == 3
    assert f"- directory {backup}  # no container uses it" in listed.out
    assert f"/file/remove [find name={backup}]" in listed.out
    assert len(fleet.writes(router)) == writes

    removed = fleet.mtts("gc", "router1", "--yes")
    assert removed.code == 0
    assert f"gone now: directory {backup} [leftover-removed]" in removed.out
    assert not any(path.startswith(backup) for path in fleet.thread.call(router.files))

    assert "nothing to change" in fleet.mtts("gc", "router1").out


def test_gc_takes_a_copy_of_the_state_away_once_the_node_is_up(fleet: Fleet) -> None:
    router = fleet.add()
    assert fleet.mtts("deploy", "router1").code == 0
    state = next(path for path in fleet.thread.call(router.files) if path.endswith("/tailscaled.state"))
    fleet.thread.call(router.write_file, f"{state}.mtts", b"of before")
    (row,) = fleet.thread.call(router.rows, "/container")

    fleet.thread.call(router.faults.foreign_command, "/container/stop", where={"name": row["name"]})
    fleet.thread.pass_time(5)
    assert "nothing to change" in fleet.mtts("gc", "router1").out
    fleet.thread.call(router.faults.foreign_command, "/container/start", where={"name": row["name"]})
    fleet.thread.pass_time(5)

    assert f"- {state}.mtts  # the swap for which it was kept is over" in fleet.mtts("gc", "router1").out
    assert fleet.mtts("gc", "router1", "--yes").code == 0
    assert f"{state}.mtts" not in fleet.thread.call(router.files)
    assert state in fleet.thread.call(router.files)


def test_resume_frees_a_router_that_a_dead_run_held_and_does_nothing_else(fleet: Fleet) -> None:
    router = fleet.add()
    assert fleet.mtts("deploy", "router1").code == 0
    fleet.thread.call(router.add_row, "/system/script", name="mtts-lock", source="#", comment=LOCK)

    ran = fleet.mtts("resume", "router1")

    assert ran.code == 0
    assert "the lock of other/1 was left by a run that is gone, and is gone now [leftover-removed]" in ran.out
    assert fleet.thread.call(router.rows, "/system/script") == []
    assert fleet.mtts("resume", "router1", "-q").out == ""


def test_a_router_that_another_run_holds_is_refused(fleet: Fleet) -> None:
    router = fleet.add()
    lock = LOCK.replace("longest=1", "longest=99999")
    fleet.thread.call(router.add_row, "/system/script", name="mtts-lock", source="#", comment=lock)

    for command in ("deploy", "resume", "gc"):
        ran = fleet.mtts(command, "router1", "--json")
        assert ran.code == 5
        assert ran.json["routers"][0]["error"]["code"] == "router-locked"


def test_gc_says_once_that_an_update_is_open(fleet: Fleet) -> None:
    router = fleet.add()
    assert fleet.mtts("deploy", "router1").code == 0
    staged = {"comment": "mtts:tailscale next=0a1b2c3d v=1.2.4", "root_dir": "mtts/root/tailscale/b"}
    fleet.thread.call(router.add_row, "/container", **staged)

    assert fleet.mtts("gc", "router1").out.count("transaction-open") == 1
