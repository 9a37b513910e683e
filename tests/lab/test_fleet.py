"""The lab as a whole: boards, versions in the figures, its inventory, and a lab that lives by itself."""

import asyncio
from datetime import date, timedelta

import pytest

from mtts.lab.boards import BOARDS, MIB, Board, find_board
from mtts.lab.fleet import Lab
from mtts.lab.wire import encode_sentence
from tests.lab.conftest import Login
from tests.lab.ground import Ground, publish
from tests.lab.talker import Talker

DEADLINE_S = 20


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
async def test_a_board_says_what_it_is(board: Board, lab: Lab, login: Login) -> None:
    router = await lab.add_router("r", board=board.name)
    talker = await login(router)
    row = (await talker.say("/system/resource/print")).rows[0]
    assert (row["board-name"], row["architecture-name"], row["cpu"]) == (board.name, board.architecture, board.cpu)
    assert int(row["total-hdd-space"]) == board.flash_total_bytes
    trap = (await talker.say("/system/routerboard/print")).trap
    assert trap == ("no such command" if board.architecture == "x86_64" else None)
    flash = (await talker.say("/file/print", "?name=flash")).rows
    assert bool(flash) is board.flash_trap


def test_boards_have_short_names_and_unknown_ones_are_named() -> None:
    assert find_board("RB5009").name == "RB5009UG+S+IN"
    with pytest.raises(ValueError, match="no board 'hAP lite'; known: RB5009"):
        find_board("hAP lite")


async def test_what_is_given_wins_over_the_board(lab: Lab, login: Login) -> None:
    router = await lab.add_router(
        "r", version="7.21.5", arch="arm", cpu="EN7562CT", flash_total=32 * MIB, flash_free=MIB, ram=256 * MIB
    )
    row = (await (await login(router)).say("/system/resource/print")).rows[0]
    assert row["version"] == "7.21.5 (stable)"
    assert (row["architecture-name"], row["cpu"]) == ("arm", "EN7562CT")
    assert (row["total-hdd-space"], row["free-hdd-space"]) == (str(32 * MIB), str(MIB))
    assert row["total-memory"] == str(256 * MIB)


async def test_a_router_s_clock_may_be_wrong(lab: Lab, login: Login) -> None:
    right, wrong = await lab.add_router("right"), await lab.add_router("wrong", clock_skew_s=-86_400 * 400)
    dates = [
        date.fromisoformat((await (await login(router)).say("/system/clock/print")).rows[0]["date"])
        for router in (right, wrong)
    ]
    assert dates[0] - dates[1] == timedelta(days=400)


async def test_the_inventory_tells_how_to_reach_each_router(lab: Lab) -> None:
    secured = await lab.add_router("secured")
    await lab.add_router("plain", tls=False)
    await lab.add_router("fresh", certificate=False)
    lines = lab.inventory_yaml().splitlines()
    assert f'  "{lab.registry.address}": {{insecure: true}}' in lines
    entries = {line.split(":")[0].strip(): line for line in lines[lines.index("routers:") + 1 :]}
    assert f'port: {secured.tls_port}, fingerprint: "{secured.fingerprint}"' in entries["secured"]
    assert 'tls: "off"' in entries["plain"]
    assert "tls: anonymous" in entries["fresh"]


async def test_a_running_lab_lives_by_itself() -> None:
    async with Lab(clock="running", speed=200) as lab:
        publish(lab)
        router = await lab.add_router("r")
        on = Ground(lab, router, await Talker.login(router))
        await on.lay(key=lab.tailnet.issue_key())
        await on.add()
        async with asyncio.timeout(DEADLINE_S):
            while await on.state() != "stopped":
                await lab.clock.wait(0.5)
            await on.do("start")
            while not lab.tailnet.online:
                await lab.clock.wait(0.5)
        await on.talker.close()


async def test_a_lab_may_end_while_clients_wait() -> None:
    async with Lab() as lab:
        router = await lab.add_router("r")
        talker = await Talker.login(router)
        router.device.log("system,info", "hello")
        talker.send(encode_sentence(("/log/print", "=follow=")))
        assert "=message=hello" in await talker.hear()
    with pytest.raises(EOFError):
        await talker.listen()
    await talker.close()
