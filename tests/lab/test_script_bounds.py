"""Scripts that want too much end with an error or take their time; nothing else suffers from them."""

import pytest

from mtts.lab.fleet import Lab
from mtts.lab.reply import Trap
from mtts.lab.script.scripts import JOB_LIMIT
from tests.lab.conftest import Login
from tests.lab.desk import ask, logged, make_device, printed, printed_in_time

GROWN = ':local b "x"; :for i from=1 to=17 do={ :set b ($b . $b) }'


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (":local a {1}; :for i from=1 to=1900 do={ :set a {$a} }; :put $a", "nested too deeply"),
        (":local a {1}; :for i from=1 to=40 do={ :set a {$a;$a} }; :put $a", "out of memory: the array is too long"),
        (f"{GROWN}; :put ($b . $b . $b)", "out of memory: the text is too long"),
        (f"{GROWN}; :for i from=1 to=9 do={{ :put $b }}", "out of memory: the output is too long"),
        (":global f do={ :global f; $f }; $f", "nested too deeply"),
        (':global f do={ :global f; :put ("a" . [$f]) }; [$f]', "nested too deeply"),
        (':global s ":global s; [[:parse \\$s]]"; [[:parse $s]]', "nested too deeply"),
        (":local t 1w; :while (true) do={ :set t ($t * 9999) }", "time interval out of range"),
        (":delay 9223372036854775807", "time interval out of range"),
        (":delay 999999999w", "invalid value for argument delay-time"),
        (f":put {'(' * 5000}", "nested too deeply (line 1 column 47)"),
        (f':put [:deserialize from=json "{"[" * 5000}"]', "failed to parse json"),
        (':put [:deserialize from=json "NaN"]', "failed to parse json"),
    ],
)
def test_a_script_that_wants_too_much_ends_with_an_error(source: str, message: str) -> None:
    device = make_device()
    assert printed(device, source).rpartition("\n")[2] == message
    assert logged(device) == [f"script error: {message}"]


def test_global_variables_have_room_for_so_much() -> None:
    names = [f"g{number}" for number in range(200)]
    source = "; ".join([GROWN, *(f':global {name} "$b"' for name in names)])
    device = make_device()
    assert printed(device, source) == "out of memory: too much in global variables"
    assert 50 < len(device.scripts.globals) < 200
    device.restart()
    assert printed(device, source) == "out of memory: too much in global variables"


@pytest.mark.parametrize("call", ["$f", "[$f]"])
async def test_a_script_that_caught_its_depth_can_go_as_deep_again(call: str) -> None:
    again = ":for i from=1 to=60 do={ :do { $f } on-error={ } }; :put done"
    source = f":global f do={{ :global f; {call} }}; {again}"
    assert await printed_in_time(make_device(), source, 60) == "done"


def test_text_that_is_no_text_passes_through() -> None:
    device = make_device()
    assert printed(device, ':put "a\0\udcff"; :put a\0') == "a\0\udcff\na\0"
    halves = ':global x [:deserialize from=json "[\\"\\\\ud800\\"]"]; :put $x'
    assert printed(device, halves) == "\ufffd"


def test_only_so_many_scripts_run_at_once() -> None:
    device = make_device()
    assert printed(device, ':while (true) do={ :execute ":delay 1d" }') == "failure: too many scripts are running"
    assert len(device.scripts.jobs) == JOB_LIMIT - 1
    ask(device, "/execute", script=":delay 1d")
    with pytest.raises(Trap, match="too many scripts"):
        ask(device, "/execute", script=":delay 1d")
    jobs = ",".join(row[".id"] for row in ask(device, "/system/script/job/print").rows)
    ask(device, "/system/script/job/remove", numbers=jobs)
    assert printed(device, ":put fine") == "fine"


async def test_a_script_that_runs_itself_ends_with_an_error() -> None:
    device = make_device()
    ask(device, "/system/script/add", name="s", source="/system/script/run s")
    assert await printed_in_time(device, "/system/script/run s", 60) == "failure: too many scripts are running"
    assert not device.scripts.jobs


async def test_work_on_much_takes_time_as_many_commands_do() -> None:
    device = make_device()
    source = f'{GROWN}; :local n 0; :while ($n < 40) do={{ :put ($b ~ "ac") ; :set n ($n + 1) }}'
    ask(device, "/execute", script=source)
    assert device.scripts.jobs, "it takes a moment at least"
    await device.clock.advance(3600)
    assert not device.scripts.jobs


def test_execute_without_a_script_is_refused() -> None:
    with pytest.raises(Trap, match=r"missing value\(s\) of argument\(s\) script"):
        ask(make_device(), "/execute", as_string="")


async def test_clients_of_a_running_lab_are_heard_whatever_scripts_do(login: Login) -> None:
    async with Lab(clock="running", speed=1000) as lab:
        busy, other = [await lab.add_router(name, tls=False) for name in ("busy", "other")]
        talker = await login(busy)
        await talker.say("/system/script/add", "=name=s", "=source=:execute {/system/script/run s}")
        for source in (":while (true) do={}", "/system/script/run s", ":for i from=1 to=999999999999 do={}"):
            assert (await talker.say("/execute", f"=script={source}")).trap is None
        await lab.clock.wait(1)
        jobs = [row[".id"] for row in (await talker.say("/system/script/job/print")).rows]
        assert len(jobs) >= 2
        assert (await (await login(other)).say("/system/identity/print")).rows == [{"name": "other"}]
        await talker.say("/system/script/set", "=numbers=s", "=source=")
        for job in jobs:
            await talker.say("/system/script/job/remove", f"=numbers={job}")
        await lab.clock.wait(1)
        assert not busy.device.scripts.jobs
