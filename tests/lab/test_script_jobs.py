"""How scripts are started, what ends them and what does not."""

import asyncio

import pytest

from mtts.lab.call import Caller
from mtts.lab.fleet import Lab
from mtts.lab.quirks import Quirks
from mtts.lab.reply import Trap
from mtts.lab.wire import encode_sentence
from tests.lab.conftest import Login
from tests.lab.desk import ask, logged, make_device, printed, printed_in_time

MARK = "/interface/veth/add name=marked"


def marked(lab: Lab, name: str = "r") -> bool:
    return bool(lab.routers[name].device.table("/interface/veth").items)


async def test_a_script_in_the_background_has_a_job_until_it_ends() -> None:
    device = make_device()
    assert ask(device, "/execute", script=f":delay 10s; {MARK}").ret == "*1"
    (row,) = ask(device, "/system/script/job/print").rows
    assert (row[".id"], row["owner"], row["type"], row["started"]) == ("*1", "admin", "command", "2026-06-15 12:00:00")
    await device.clock.advance(9)
    assert not device.table("/interface/veth").items
    await device.clock.advance(1)
    assert len(device.table("/interface/veth").items) == 1
    assert not ask(device, "/system/script/job/print").rows
    assert ask(device, "/execute", script="").ret == "*2"


async def test_time_passes_in_a_script_as_it_says() -> None:
    source = ":for i from=1 to=3 do={ :delay 500ms; :put [/system/clock/get time] }; :put [:time { :delay 1m }]"
    assert await printed_in_time(make_device(), source, 70) == "12:00:00\n12:00:01\n12:00:01\n00:01:00"


async def test_a_script_wakes_at_its_moment_however_far_time_is_moved() -> None:
    device = make_device()
    ask(device, "/execute", script=':for i from=1 to=3 do={ :delay 1s; /interface/veth/add name="v$i" }')
    await device.clock.advance(100)
    assert [round(entry.time_s) for entry in device.journal] == [1, 2, 3]


async def test_a_job_can_be_removed() -> None:
    device = make_device()
    job = ask(device, "/execute", script=f":delay 10s; {MARK}").ret or ""
    ask(device, "/system/script/job/remove", numbers=job)
    await device.clock.advance(20)
    assert not device.table("/interface/veth").items
    with pytest.raises(Trap, match="no such item"):
        ask(device, "/system/script/job/remove", numbers=job)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (":error broken", "script error: broken"),
        ("/container/start *9", "script error: no such item"),
        (":nope", "script error: bad command name nope (line 1 column 2)"),
    ],
)
def test_what_ends_a_script_is_in_the_log(source: str, message: str) -> None:
    device = make_device()
    ask(device, "/execute", script=source)
    assert logged(device) == [message]


def test_an_endless_loop_keeps_its_router_busy_and_nobody_else() -> None:
    device = make_device()
    ask(device, "/execute", script=":while (true) do={}")
    assert printed(device, ":put fine") == "fine"


async def test_an_endless_loop_goes_on_in_time_and_can_be_ended() -> None:
    device = make_device()
    ask(device, "/execute", script=":while (true) do={}")
    ask(device, "/execute", script=':global n 0; :while (true) do={ :execute ":global n; :set n 1"; :delay 1s }')
    await device.clock.advance(3600.5)
    assert len(ask(device, "/system/script/job/print").rows) == 2
    assert printed(device, ":global n; :put $n") == "1"
    assert printed(device, "/system/script/job/remove [find]; :put never") == "interrupted"
    assert not device.scripts.jobs


async def test_a_chain_of_scripts_that_start_themselves_does_not_stop_time() -> None:
    device = make_device()
    ask(device, "/system/script/add", name="s", source=":execute {/system/script/run s}")
    ask(device, "/system/script/run", number="s")
    await device.clock.advance(1)
    assert 10 < int(device.table("/system/script").find_item("s").values["run-count"]) < 100


async def test_a_script_that_busily_waits_for_another_goes_on_when_it_is_there() -> None:
    device = make_device()
    ask(device, "/execute", script=f":delay 30s; {MARK}")
    waiting = ":while ([:len [/interface/veth/find]] = 0) do={}; :put found"
    assert await printed_in_time(device, waiting, 120) == "found"


# scripts by name


async def test_a_script_that_is_run_counts_and_prints_to_the_script_that_runs_it() -> None:
    device = make_device()
    ask(device, "/system/script/add", name="s", source=":put inner; :put [:jobname]; :return 5")
    source = ":put [/system/script/run s]; :put [/system/script/get s run-count]"
    assert await printed_in_time(device, source, 1) == "inner\ns\n5\n1"
    row = ask(device, "/system/script/print").rows[0]
    assert (row["owner"], row["last-started"], row["invalid"]) == ("admin", "2026-06-15 12:00:00", "false")


async def test_the_error_of_a_script_that_is_run_can_be_caught() -> None:
    device = make_device()
    ask(device, "/system/script/add", name="s", source=":error inside")
    source = ':onerror e in={ /system/script/run s } do={ :put "caught $e" }'
    assert await printed_in_time(device, source, 1) == "caught inside"
    assert logged(device) == []


@pytest.mark.parametrize(
    ("source", "message", "category"),
    [(":error bad", "bad", 3), (":nope", "bad command name nope (line 1 column 2)", 3), (":return 7", "7", 7)],
)
def test_how_a_script_ends_is_told_to_the_client_that_ran_it(source: str, message: str, category: int) -> None:
    device = make_device()
    ask(device, "/system/script/add", name="s", source=source)
    with pytest.raises(Trap) as caught:
        ask(device, "/system/script/run", number="s")
    assert (caught.value.message, caught.value.category) == (message, category)


def test_a_script_that_cannot_be_read_is_shown_as_invalid() -> None:
    device = make_device()
    ask(device, "/system/script/add", name="s", source=":nope")
    assert ask(device, "/system/script/print").rows[0]["invalid"] == "true"


def test_running_a_script_takes_every_policy_that_it_has() -> None:
    device = make_device()
    ask(device, "/system/script/add", name="s", policy="read,write,test,reboot", source=MARK)
    caller = Caller("somebody", frozenset({"read", "write", "test"}))
    with pytest.raises(Trap, match=r"not enough permissions \(9\)"):
        ask(device, "/system/script/run", caller, number="s")
    ask(device, "/system/script/set", numbers="s", dont_require_permissions="yes")
    ask(device, "/system/script/run", caller, number="s")
    assert len(device.table("/interface/veth").items) == 1
    assert device.journal[0].user == "somebody"


@pytest.mark.parametrize("menu", ["/system/script", "/system/scheduler"])
def test_nobody_gives_a_script_what_they_do_not_hold(menu: str) -> None:
    caller = Caller("somebody", frozenset({"read", "write", "test"}))
    device = make_device()
    for given in ({"policy": "read,reboot"}, {}):
        with pytest.raises(Trap, match=r"not enough permissions \(9\)"):
            ask(device, f"{menu}/add", caller, name="s", **given)
    ask(device, f"{menu}/add", caller, name="s", policy="read,write,test")
    with pytest.raises(Trap, match=r"not enough permissions \(9\)"):
        ask(device, f"{menu}/set", caller, numbers="s", policy="policy")
    with pytest.raises(Trap, match="input does not match any value of policy"):
        ask(device, f"{menu}/set", numbers="s", policy="api")
    trimming = make_device(quirks=Quirks(default_policy_beyond_giver="trimmed"))
    ask(trimming, f"{menu}/add", caller, name="s")
    assert ask(trimming, f"{menu}/print").rows[0]["policy"] == "read,write,test"


# sessions, power


@pytest.mark.parametrize("words", [("=script=:delay 5s\n" + MARK,), ("=script=:delay 5s\n" + MARK, "=as-string=")])
async def test_a_script_runs_on_when_its_session_is_cut(words: tuple[str, ...], lab: Lab, login: Login) -> None:
    router = await lab.add_router("r", tls=False)
    talker = await login(router)
    other = await login(router)
    talker.send(encode_sentence(("/execute", *words)))
    await other.say("/system/identity/print")
    while not router.device.scripts.jobs:
        await other.say("/system/identity/print")
    router.device.drop_sessions()
    await lab.clock.advance(10)
    assert marked(lab)
    assert next(entry for entry in router.journal if entry.is_write).user == "mtts"


@pytest.mark.parametrize(("ends", "there"), [(False, True), (True, False)])
async def test_whether_a_script_that_is_waited_for_ends_with_the_link_is_a_guess(
    ends: bool, there: bool, lab: Lab, login: Login
) -> None:
    router = await lab.add_router("r", tls=False, quirks=Quirks(cut_ends_foreground_script=ends))
    talker, other = await login(router), await login(router)
    await other.say("/system/script/add", "=name=s", "=policy=read,write", f"=source=:delay 5s\n{MARK}")
    talker.send(encode_sentence(("/system/script/run", "=number=s")))
    while not router.device.scripts.jobs:
        await other.say("/system/identity/print")
    await talker.close()
    while len((await other.say("/user/active/print")).rows) > 1:
        pass
    await lab.clock.advance(10)
    assert marked(lab) is there


async def test_cancel_ends_a_script_that_is_waited_for(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r", tls=False)
    talker = await login(router)
    talker.send(encode_sentence(("/execute", f"=script=:delay 5s\n{MARK}", "=as-string=", ".tag=1")))
    other = await login(router)
    while not router.device.scripts.jobs:
        await other.say("/system/identity/print")
    talker.send(encode_sentence(("/cancel", "=tag=1", ".tag=2")))
    heard = {await talker.hear() for _ in range(3)}
    assert ("!trap", ".tag=1", "=category=2", "=message=interrupted") in heard
    await lab.clock.advance(10)
    assert not marked(lab)
    assert not router.device.scripts.jobs


async def test_as_string_answers_over_the_api_when_the_script_ends(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r", tls=False))
    talker.send(encode_sentence(("/execute", "=script=:put a; :delay 5s; :error b", "=as-string=")))
    talker.send(encode_sentence(("/system/identity/print", ".tag=x")))
    assert ".tag=x" in await talker.hear()
    assert ".tag=x" in await talker.hear()
    await lab.clock.advance(5)
    assert (await talker.listen()).ret == "a\nb"


@pytest.mark.parametrize("clean", [True, False])
async def test_a_restart_ends_every_script_and_forgets_every_global(clean: bool) -> None:
    device = make_device()
    ask(device, "/execute", script=f":global g 1; :delay 40s; {MARK}")
    await device.clock.advance(1)
    device.restart(clean=clean)
    await device.clock.advance(100)
    assert not device.table("/interface/veth").items
    assert not device.scripts.jobs
    assert printed(device, ":global g; :put [:typeof $g]") == "nothing"


async def test_a_script_that_reboots_its_router_ends_with_it() -> None:
    device = make_device()
    ask(device, "/execute", script=f"/system/reboot; :delay 10s; {MARK}")
    await device.clock.advance(100)
    assert device.boots == 1
    assert not device.table("/interface/veth").items


async def test_commands_that_take_their_time_are_waited_for() -> None:
    device = make_device()
    ask(device, "/execute", script=":global n [/ping 192.0.2.1 count=3]")
    await _turns()
    for _ in range(4):
        await device.clock.advance(1)
        await _turns()
    assert printed(device, ":global n; :put $n") == "3"


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
