"""Progress on a terminal."""

import pytest

from mtts.core.events import Event, Kind
from mtts.report.live import progress


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")


def test_a_terminal_says_what_is_waited_for_once_all_work_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False, verbosity=0, no_color=True) as emit:
        emit(Event(Kind.STEP, "router1", "tailscale", "pulling"))
        emit(Event(Kind.FINISHED, "router1", "tailscale", "updated"))
        emit(Event(Kind.SETTLING, "router1", "", "done; its flash settles for 60 s"))
    shown = capsys.readouterr().err
    assert "router1/tailscale: updated" in shown
    assert "waiting for flash to settle (Ctrl-C ends the wait)" in shown


def test_work_that_goes_on_is_shown_rather_than_the_wait_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False, verbosity=0, no_color=True) as emit:
        emit(Event(Kind.STEP, "router2", "tailscale", "pulling"))
        emit(Event(Kind.SETTLING, "router1", "", "done; its flash settles for 60 s"))
    shown = capsys.readouterr().err
    assert "router2/tailscale: pulling" in shown
    assert "waiting" not in shown
