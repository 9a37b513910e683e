"""When the scheduler runs what, as whom, and when it does not."""

import pytest

from mtts.lab.device import BOOT_S, Device
from mtts.lab.reply import Trap
from mtts.lab.table import Singleton
from tests.lab.desk import ROOT, ask, logged, make_device

SUM = ':global n; :if ([:typeof $n] = "nothing") do={ :set n 0 }; :set n ($n + 1)'


def add(device: Device, **given: str) -> None:
    ask(device, "/system/scheduler/add", ROOT, **{"name": "s", "on_event": SUM, **given})


def runs(device: Device) -> int:
    count = device.scripts.globals.get("n", 0)
    assert isinstance(count, int)
    return count


def entry(device: Device) -> dict[str, str]:
    return dict(ask(device, "/system/scheduler/print").rows[0])


async def test_an_interval_counts_from_the_start() -> None:
    device = make_device()
    add(device, start_date="2026-06-15", start_time="11:59:50", interval="1m")
    assert entry(device)["next-run"] == "2026-06-15 12:00:50"
    await device.clock.advance(49)
    assert runs(device) == 0
    await device.clock.advance(1)
    assert (runs(device), entry(device)["run-count"]) == (1, "1")
    await device.clock.advance(600)
    assert runs(device) == 11


async def test_a_start_without_interval_is_met_once_and_not_when_it_is_past() -> None:
    device = make_device()
    add(device, start_time="12:00:10", start_date="2026-06-15")
    add(device, name="late", start_time="11:00:00", start_date="2026-06-15")
    await device.clock.advance(86_400)
    assert runs(device) == 1
    assert "next-run" not in entry(device)


async def test_startup_is_a_little_after_every_boot() -> None:
    device = make_device()
    await device.clock.advance(100)
    add(device, start_time="startup")
    await device.clock.advance(100)
    assert runs(device) == 0
    for clean in (True, False):
        device.restart(clean=clean)
        await device.clock.advance(BOOT_S + 2)
        assert runs(device) == 0
        await device.clock.advance(2)
        assert (runs(device), entry(device)["run-count"]) == (1, "1")


async def test_startup_with_an_interval_does_not_run_at_startup() -> None:
    device = make_device()
    add(device, start_time="startup", interval="10m")
    device.restart()
    await device.clock.advance(BOOT_S + 9 * 60)
    assert runs(device) == 0
    await device.clock.advance(2 * 60)
    assert runs(device) == 1


@pytest.mark.parametrize(
    ("version", "expected"), [("7.23.3", 6), ("7.24", 0), ("7.24.4", 0), ("7.24.5", 6), ("7.25.1", 6)]
)
async def test_the_default_start_is_never_met_before_7_24_5(version: str, expected: int) -> None:
    device = make_device(version)
    add(device, interval="10s")
    await device.clock.advance(60)
    assert runs(device) == expected
    ask(device, "/system/scheduler/set", numbers="s", start_time="12:00:00")
    await device.clock.advance(60)
    assert runs(device) == expected + 6


async def test_an_entry_runs_a_script_by_its_name() -> None:
    device = make_device()
    ask(device, "/system/script/add", name="job", source=SUM)
    add(device, on_event="job", interval="10s", start_time="12:00:00")
    await device.clock.advance(10)
    assert runs(device) == 1
    assert ask(device, "/system/script/print").rows[0]["run-count"] == "1"


async def test_an_entry_that_is_changed_disabled_or_removed_is_waited_for_no_more() -> None:
    device = make_device()
    add(device, interval="10s", start_time="12:00:00")
    ask(device, "/system/scheduler/disable", numbers="s")
    await device.clock.advance(60)
    assert runs(device) == 0
    ask(device, "/system/scheduler/enable", numbers="s")
    ask(device, "/system/scheduler/set", numbers="s", interval="30s")
    await device.clock.advance(30)
    assert runs(device) == 1
    ask(device, "/system/scheduler/remove", numbers="s")
    await device.clock.advance(60)
    assert runs(device) == 1


async def test_runs_of_an_entry_overlap_when_they_take_longer_than_its_interval() -> None:
    device = make_device()
    add(device, on_event=":delay 25s", interval="10s", start_time="12:00:00")
    await device.clock.advance(31)
    jobs = ask(device, "/system/script/job/print").rows
    assert [(job["script"], job["type"]) for job in jobs] == [("s", "scheduler")] * 3


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (":error bad", "bad"),
        (":nope", "bad command name nope (line 1 column 2)"),
        ("/system/reboot", "not enough permissions (9)"),
    ],
)
async def test_a_failure_is_in_the_log_and_the_next_run_comes_all_the_same(event: str, problem: str) -> None:
    device = make_device()
    add(device, on_event=event, interval="10s", start_time="12:00:00", policy="read,write")
    await device.clock.advance(20)
    message = f"executing script s from scheduler failed, please check it manually ({problem})"
    assert logged(device) == [message, message]


async def test_an_entry_needs_the_policies_of_the_script_that_it_runs() -> None:
    device = make_device()
    ask(device, "/system/script/add", name="job", source=SUM, policy="read,write,test")
    add(device, on_event="job", interval="10s", start_time="12:00:00", policy="read,write")
    await device.clock.advance(10)
    assert logged(device) == [
        "executing script job from scheduler failed, please check it manually (not enough permissions (9))"
    ]
    ask(device, "/system/script/set", numbers="job", dont_require_permissions="yes")
    await device.clock.advance(10)
    assert runs(device) == 1


async def test_nothing_runs_for_an_owner_who_is_gone() -> None:
    device = make_device()
    add(device, interval="10s", start_time="12:00:00")
    ask(device, "/user/remove", numbers="admin")
    await device.clock.advance(10)
    assert runs(device) == 0
    assert "not enough permissions" in logged(device)[0]


async def test_device_mode_forbids_new_entries_and_stops_old_ones() -> None:
    device = make_device()
    add(device, start_time="startup")
    device.menu_of(Singleton, "/system/device-mode").values["scheduler"] = "false"
    with pytest.raises(Trap, match="not allowed by device-mode"):
        add(device, name="other")
    ask(device, "/system/scheduler/disable", numbers="s")
    with pytest.raises(Trap, match="not allowed by device-mode"):
        ask(device, "/system/scheduler/enable", numbers="s")
    device.restart()
    await device.clock.advance(BOOT_S + 10)
    assert runs(device) == 0


async def test_runs_of_a_faster_lab_neither_drift_nor_come_at_other_moments_than_next_run_says() -> None:
    device = make_device(speed=20)
    add(device, start_time="12:00:10", start_date="2026-06-15", interval="1m")
    assert entry(device)["next-run"] == "2026-06-15 12:00:10"
    await device.clock.advance(10 * 20)
    assert (runs(device), entry(device)["next-run"]) == (1, "2026-06-15 12:00:13")
    await device.clock.advance(3600)
    assert runs(device) == 61
    assert ask(device, "/system/clock/print").rows[0]["time"] == "12:03:10"
    assert entry(device)["next-run"] == "2026-06-15 12:03:13"


async def test_an_interval_in_a_script_is_as_long_as_its_delays_whatever_the_speed() -> None:
    device = make_device(speed=20)
    add(device, start_time="startup", interval="1m")
    ask(device, "/execute", script=":global d 0; :while (true) do={ :delay 1m; :set d ($d + 1) }")
    await device.clock.advance(601)
    assert runs(device) == device.scripts.globals["d"] == 10


@pytest.mark.parametrize("seconds", [1e300, -1e300, 1e12])
async def test_a_clock_stops_at_the_ends_of_the_calendar(seconds: float) -> None:
    device = make_device()
    add(device, start_time="12:00:10", interval="1d")
    device.jump_clock(seconds)
    await device.clock.advance(86_400)
    assert ask(device, "/system/clock/print").rows[0]["date"]
    assert "next-run" in entry(device)


@pytest.mark.parametrize("value", ["1000000w", "9" * 30 + "w", "9" * 5000, "9999999999"])
def test_an_interval_longer_than_any_is_refused(value: str) -> None:
    with pytest.raises(Trap, match="value of interval is out of range"):
        add(make_device(), interval=value)


def test_dates_at_the_end_of_the_calendar_are_waited_for() -> None:
    device = make_device()
    add(device, start_date="9999-12-31", start_time="23:59:59", interval="1d")
    assert entry(device)["next-run"] == "9999-12-31 23:59:59"


@pytest.mark.parametrize(
    ("name", "value"),
    [("start_time", "soon"), ("start_date", "15/06/2026"), ("start_date", "0001-01-01"), ("interval", "x")],
)
def test_times_that_cannot_be_read_are_refused(name: str, value: str) -> None:
    with pytest.raises(Trap, match="invalid value for argument"):
        add(make_device(), **{name: value})


async def test_an_entry_that_a_script_leaves_behind_keeps_its_braces_text() -> None:
    device = make_device()
    source = f"/system/scheduler/add name=s start-time=startup on-event={{ {SUM} }} policy=read"
    ask(device, "/execute", script=source)
    assert entry(device)["on-event"] == f" {SUM} "
    device.restart()
    await device.clock.advance(BOOT_S + 4)
    assert runs(device) == 1
