"""Links and replies that fail in the ways of real ones, others who write, and the way through the node."""

import asyncio
import ssl
from typing import Any

import pytest

from mtts.lab.fault_options import OptionError
from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.others import RefusedError
from mtts.lab.router import CONTROLLER_IN_TAILNET, LabRouter
from mtts.lab.wire import encode_sentence
from tests.lab.conftest import Login, MakeGround
from tests.lab.ground import Ground
from tests.lab.talker import Talker

RENAME = ("/system/identity/set", "=name=changed")
SHOW = encode_sentence(("/system/identity/print",))


async def _connected(router: LabRouter, *, secured: bool = False) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = None
    if secured:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = router.tls_port if secured else router.port
    reader, writer = await asyncio.open_connection(router.host, port, ssl=context)
    writer.write(encode_sentence(("/login", "=name=mtts", f"=password={PASSWORD}")))
    assert await reader.read(100) == encode_sentence(("!done",))
    return reader, writer


@pytest.mark.parametrize("secured", [False, True])
async def test_a_link_that_is_cut_in_good_order_ends_the_stream(lab: Lab, secured: bool) -> None:
    router = await lab.add_router("r")
    reader, writer = await _connected(router, secured=secured)
    router.faults.cut_link()
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("secured", [False, True])
async def test_a_link_that_is_reset_is_an_error(lab: Lab, secured: bool) -> None:
    router = await lab.add_router("r")
    reader, writer = await _connected(router, secured=secured)
    router.faults.cut_link("rst")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_silent_link_stays_open_and_nothing_arrives_while_new_links_work(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    silent = await login(router)
    router.faults.cut_link("silence")
    silent.send(SHOW)
    other = await login(router)
    assert len((await other.say("/user/active/print")).rows) == 2
    assert [entry.session for entry in router.journal if entry.path == "/system/identity/print"] == []
    router.device.drop_sessions()
    with pytest.raises(EOFError):
        await silent.hear()


async def test_a_command_s_link_can_be_reset_after_it_took_effect(lab: Lab) -> None:
    router = await lab.add_router("r")
    reader, writer = await _connected(router)
    router.faults.cut_after(1, how="rst")
    writer.write(encode_sentence(RENAME))
    with pytest.raises(ConnectionResetError):
        await reader.read()
    assert router.setting("/system/identity", "name") == "changed"
    writer.close()


async def test_on_a_slow_link_replies_arrive_in_simulated_time_and_in_order(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    router.faults.slow_link(bytes_per_s=10, latency_s=5)
    both = asyncio.Event()
    router.faults.at_command(2, both.set)
    heard: list[float] = []

    async def listen() -> None:
        for _ in range(2):
            await talker.listen()
            heard.append(lab.clock.now)

    talker.send(SHOW + SHOW)
    listening = asyncio.ensure_future(listen())
    await both.wait()
    while not listening.done():
        await lab.clock.advance(0.5)
        await asyncio.sleep(0)
    size = len(encode_sentence(("!re", "=name=r")) + encode_sentence(("!done",)))
    assert heard[0] >= 5 + size / 10
    assert heard[1] >= heard[0] + size / 10 - 0.5  # time goes in steps of half a second here


async def test_a_slow_link_hangs_up_when_all_is_sent() -> None:
    async with Lab(clock="leaping") as lab:
        router = await lab.add_router("r")
        router.faults.slow_link(bytes_per_s=1)
        talker = await Talker.connect(router)
        assert (await talker.say("/system/identity/print")).kinds == ["!fatal"]
        with pytest.raises(EOFError):
            await talker.hear()
        assert lab.clock.now >= 10
        await talker.close()


async def test_half_a_reply_is_followed_by_the_end(lab: Lab) -> None:
    router = await lab.add_router("r")
    reader, writer = await _connected(router)
    router.faults.truncate_reply()
    writer.write(SHOW)
    whole = encode_sentence(("!re", "=name=r")) + encode_sentence(("!done",))
    assert await reader.read() == whole[: len(whole) // 2]
    writer.close()


async def test_another_administrator_changes_removes_and_is_refused(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    for name in ("x", "y"):
        await talker.say("/interface/bridge/add", f"=name={name}")
    give = router.faults.foreign_command
    give("/interface/bridge/set", where={"name": "x"}, values={"comment": "theirs"})
    give("/interface/bridge/remove", where={"name": "y"})
    with pytest.raises(RefusedError, match=r"^/interface/bridge/add: failure: already have"):
        give("/interface/bridge/add", values={"name": "x"})
    with pytest.raises(OptionError, match=r"^where: no row of /interface/bridge has name=z$"):
        give("/interface/bridge/remove", where={"name": "z"})
    with pytest.raises(RefusedError, match="a command that takes time"):
        give("/system/device-mode/update", values={"container": "yes"})
    with pytest.raises(RefusedError, match=r"^/print: no such command$"):
        give("/execute", where={"name": "z"})
    with pytest.raises(RefusedError, match=r"^/ip/dns/print: one row without an \.id"):
        give("/ip/dns/set", where={"servers": ""}, values={"servers": "192.0.2.1"})
    give("/execute", values={"script": "/interface/bridge/set x name=renamed"})
    await lab.clock.advance(1)
    assert [(row["name"], row["comment"]) for row in router.rows("/interface/bridge")] == [("renamed", "theirs")]
    assert {(entry.session, entry.user) for entry in router.writes()[2:]} == {(0, "admin")}


@pytest.mark.parametrize(("before", "name"), [(True, "ours"), (False, "theirs")])
async def test_something_happens_at_the_nth_command_of_its_kind(
    lab: Lab, login: Login, before: bool, name: str
) -> None:
    router = await lab.add_router("r")
    talker = await login(router)

    def edit() -> None:
        router.faults.foreign_command("/system/identity/set", values={"name": "theirs"})

    router.faults.at_command(2, edit, path="/system/identity/set", before=before)
    await talker.say(*RENAME)
    assert (await talker.say("/system/identity/print")).rows == [{"name": "changed"}]
    await talker.say("/system/identity/set", "=name=ours")
    assert (await talker.say("/system/identity/print")).rows == [{"name": name}]


async def test_a_command_is_not_looked_at_when_its_link_went_before_it(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    router.faults.at_command(1, router.faults.power_cut, path="write", before=True)
    with pytest.raises(EOFError):
        await talker.say(*RENAME)
    assert [(entry.took_effect, entry.reply) for entry in router.writes()] == [(False, "cut")]


async def test_a_second_controller_is_there_a_moment_before(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    router.faults.second_controller(1)
    assert "already have" in str((await talker.say("/interface/bridge/add", "=name=x")).trap)
    assert (await talker.say("/interface/bridge/add", "=name=y")).trap is None
    refusal = "trap: failure: already have interface with such name"
    assert [(entry.session, entry.reply) for entry in router.writes()] == [(1, refusal), (0, "done"), (1, "done")]


async def test_a_disk_that_others_filled_takes_nothing_until_it_is_mended(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r", usb={"usb1": 10_000_000})
    talker = await login(router)
    router.faults.fill_disk(leave_bytes=8192)
    router.faults.fill_disk("usb1")
    add = ("/file/add", "=name=a.txt", f"=contents={'x' * 9000}")
    assert "no space left" in str((await talker.say(*add)).trap)
    assert "no space left" in str((await talker.say("/file/add", "=name=usb1/a.txt", "=contents=x")).trap)
    router.faults.clear()
    assert (await talker.say(*add)).trap is None


async def test_a_clock_that_jumps_takes_the_scheduler_with_it(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router, "admin")
    await talker.say(
        "/system/scheduler/add", "=name=s", "=interval=1d", "=start-time=00:00:00", '=on-event=:log info "it ran"'
    )
    before = router.device.wall
    router.faults.clock_jump(86400)
    assert (router.device.wall - before).days == 1
    (row,) = router.rows("/system/scheduler")
    assert row["next-run"] > router.device.wall.strftime("%Y-%m-%d")
    await lab.clock.advance(86400)
    assert any("it ran" in line["message"] for line in router.device.log_rows)


async def _node(on: Ground) -> None:
    await on.run(key=on.lab.tailnet.issue_key())
    await on.lab.clock.advance(10)
    assert sum(on.lab.tailnet.online.values()) == 1


async def test_the_api_is_reached_through_the_node_while_it_is_online(ground: MakeGround, login: Login) -> None:
    on = await ground()
    on.router.faults.tailnet_path()
    await _node(on)  # over the session that was there before the node
    through = await login(on.router)
    rows = (await through.say("/user/active/print", "=.proplist=address")).rows
    assert [row["address"] for row in rows] == ["127.0.0.1", CONTROLLER_IN_TAILNET]
    assert (await through.say("/container/stop", "=.id=*1")).trap is None
    await on.lab.clock.advance(20)
    with pytest.raises(EOFError):
        await through.hear()
    shut_out = await Talker.connect(on.router)
    with pytest.raises(EOFError):
        await shut_out.hear()
    await shut_out.close()
    await on.do("start")
    await on.lab.clock.advance(10)
    assert (await (await login(on.router)).say("/system/identity/print")).trap is None
    on.router.faults.tailnet_path(off=True)
    await login(on.router)


async def test_clear_mends_what_lasts(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    faults = router.faults
    lasting: list[Any] = [faults.hang, faults.stick_stopping, faults.tailnet_path, faults.truncate_reply]
    for fault in (*lasting, faults.garble_reply, faults.second_controller):
        fault()
    faults.slow_link(1, 1)
    faults.trap_next("/system/identity/print")
    faults.cut_after(1)
    faults.clear()
    assert (await (await login(router)).say("/system/identity/print")).rows == [{"name": "r"}]
    assert not faults.stuck_stopping
