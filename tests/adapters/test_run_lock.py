"""The run lock: one holder at a time, said who, and free as soon as the holder is gone."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mtts.adapters.run_lock import run_lock
from mtts.core.errors import LockHeldError, StoreError

_HOLDER = """
import sys
from pathlib import Path
from mtts.adapters.run_lock import run_lock
with run_lock(Path(sys.argv[1]), "update"):
    print("held", flush=True)
    sys.stdin.read()
"""
_DEADLINE_S = 60


@contextmanager
def held(file: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock."""
    command = [sys.executable, "-c", _HOLDER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_run_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    file = tmp_path / "run.lock"
    with held(file) as holder, pytest.raises(LockHeldError) as refused, run_lock(file, "deploy"):
        pytest.fail("two runs at once")

    assert refused.value.problem.code == "run-in-progress"
    assert f"mtts update (process {holder.pid})" in refused.value.problem.message


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    file = tmp_path / "run.lock"
    with held(file) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait(_DEADLINE_S)
        with run_lock(file, "deploy"):
            assert str(os.getpid()) in file.with_suffix(".holder").read_text("utf-8")


def test_the_lock_is_free_after_its_run_and_after_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "new" / "run.lock"
    with pytest.raises(ZeroDivisionError), run_lock(file, "deploy"):
        raise ZeroDivisionError

    with run_lock(file, "deploy"):
        modes = {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not file.with_suffix(".holder").exists()


@pytest.mark.parametrize("said", ["", "{}", "[1]", '{"pid": "x", "command": 1}', "\x00"])
def test_a_holder_that_did_not_say_who_it_is_holds_the_lock_all_the_same(tmp_path: Path, said: str) -> None:
    file = tmp_path / "run.lock"
    with held(file):
        file.with_suffix(".holder").write_text(said, "utf-8")
        with pytest.raises(LockHeldError, match="does not say which"), run_lock(file, "deploy"):
            pytest.fail("two runs at once")


def test_a_place_without_room_for_a_lock_is_a_problem_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")

    with pytest.raises(StoreError) as refused, run_lock(tmp_path / "state" / "run.lock", "deploy"):
        pytest.fail("no lock, no run")

    assert refused.value.problem.code == "store-unusable"
