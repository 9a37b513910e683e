"""The lock on a router, as pure rules: who holds it, since when, and when nobody does any more (F46, I14)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.inventory import Timing
from mtts.core.router_lock import (
    NAME,
    USUAL_S,
    HeldLock,
    Holder,
    fit_host,
    lease_s,
    left_behind,
    lock_comment,
    lock_props,
    locked,
    read_lock,
    taken_away,
    why_stale,
)

HOLDER = Holder("admin1.example.net", "0a1b2c3d", 4711, "8c4f")


def held(uptime_s: float = 1000.0, longest: float = 4800.0) -> HeldLock:
    return read_lock({".id": "*1", "comment": lock_comment(HOLDER, uptime_s=uptime_s, longest_s=longest)})


def test_the_comment_says_who_holds_it_and_reads_back() -> None:
    assert (
        lock_comment(HOLDER, uptime_s=1000.4, longest_s=4800)
        == "mtts:lock by=admin1.example.net/4711 on=0a1b2c3d run=8c4f uptime=1000 longest=4800"
    )
    assert held() == HeldLock("*1", held().comment, HOLDER, 1000.0, 4800.0)


def test_the_script_has_the_least_policy_and_tells_how_to_remove_it() -> None:
    props = lock_props(HOLDER, uptime_s=1, longest_s=2)

    assert (props["name"], props["policy"]) == (NAME, "read")
    assert props["source"].startswith("# ")
    assert "\n" not in props["source"]
    assert f"/system/script/remove {NAME}" in props["source"]


@given(st.text(), st.integers(1, 2**31), st.integers(0, 10**9))
def test_any_host_name_reads_back(name: str, pid: int, uptime_s: int) -> None:
    holder = Holder(fit_host(name), "0a1b2c3d", pid, "8c4f")

    read = read_lock({".id": "*1", "comment": lock_comment(holder, uptime_s=uptime_s, longest_s=1)})

    assert (read.holder, read.uptime_s) == (holder, uptime_s)


@given(st.text())
def test_a_comment_that_is_nobodys_names_no_holder_and_is_never_stale(comment: str) -> None:
    lock = read_lock({".id": "*1", "comment": comment})

    assert lock.holder is None
    assert why_stale(lock, uptime_s=1e9, has_ended=True, ended_runs=("8c4f",)) is None
    assert "whose comment names no run" in locked("router1", lock, uptime_s=5.0).message


def test_a_damaged_comment_names_no_holder() -> None:
    for comment in (
        "mtts:lock by=admin1/4711 run=8c4f",
        "mtts:lock by=admin1/x run=8c4f uptime=1",
        "mtts:lock by=admin1 run=8c4f uptime=1",
        "mtts:lock by=admin1/4711 uptime=1",
        "mtts:lock by=a\x1b[31m/1 run=8c4f uptime=1",
        "mtts:tailscale by=admin1/4711 run=8c4f uptime=1",
    ):
        assert read_lock({".id": "*1", "comment": comment}).holder is None, comment


def test_a_lock_whose_comment_does_not_say_how_long_counts_a_day() -> None:
    lock = read_lock({".id": "*1", "comment": "mtts:lock by=admin1/4711 run=8c4f uptime=1000"})

    assert why_stale(lock, uptime_s=1000 + 86400, has_ended=False) is None
    assert why_stale(lock, uptime_s=1001 + 86400, has_ended=False) == "it was not renewed in time"


def test_a_lock_of_a_live_holder_is_kept_for_as_long_as_it_says() -> None:
    assert why_stale(held(), uptime_s=1000, has_ended=False) is None
    assert why_stale(held(), uptime_s=5800, has_ended=False) is None
    assert why_stale(held(), uptime_s=5801, has_ended=False) == "it was not renewed in time"


def test_a_restart_of_the_router_ends_a_lock() -> None:
    assert why_stale(held(), uptime_s=999, has_ended=False) == "the router was restarted since"


def test_a_holder_that_is_gone_ends_a_lock_at_once() -> None:
    assert why_stale(held(), uptime_s=1001, has_ended=True) == "its process is gone"
    assert why_stale(held(), uptime_s=1001, has_ended=False, ended_runs=("8c4f",)) == "its process is gone"
    assert why_stale(held(), uptime_s=1001, has_ended=False, ended_runs=("8c4e",)) is None


def test_without_an_uptime_only_the_holder_ends_a_lock() -> None:
    assert why_stale(held(), uptime_s=None, has_ended=False) is None
    assert why_stale(held(), uptime_s=None, has_ended=True) == "its process is gone"
    assert "ago" not in locked("router1", held(), uptime_s=None).message


def test_a_refusal_names_the_owner_the_run_the_age_and_the_way_out() -> None:
    problem = locked("router1", held(), uptime_s=1090)

    assert problem.code == "router-locked"
    assert problem.message == "router1 is held by admin1.example.net/4711, run 8c4f, who was at work 90 s ago"
    assert problem.hint.endswith("/system/script/remove mtts-lock")


def test_a_lock_is_good_for_twenty_minutes_as_things_are_set() -> None:
    assert lease_s(Timing()) == 1200


@pytest.mark.parametrize(
    "timing",
    [
        Timing(),
        Timing(pull_s=60),
        Timing(pull_s=60, healthy_s=900),
        Timing(pull_s=60, stop_s=600),
        Timing(command_s=90),
    ],
)
def test_a_lock_that_is_not_renewed_yet_outlasts_the_longest_step(timing: Timing) -> None:
    left_s = lease_s(timing) - USUAL_S

    assert left_s > max(timing.pull_s, timing.healthy_s + timing.observe_s, 2 * timing.stop_s) + timing.command_s


def test_a_lock_that_nobody_holds_is_told_with_what_removes_it() -> None:
    problem = left_behind("router1", held(), "it was not renewed in time")

    assert problem.code == "lock-left"
    assert problem.message == (
        "router1 still has the lock of admin1.example.net/4711, which nobody holds any more: it was not renewed in time"
    )
    assert problem.hint == "mtts resume router1"
    assert taken_away(held()).code == "leftover-removed"
