"""What can be made to go wrong: links, power, replies; and what the journal says of it."""

import pytest

from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.journal import JournalEntry
from mtts.lab.wire import WireError
from tests.lab.conftest import Login, MakeGround
from tests.lab.talker import Talker

RENAME = ("/system/identity/set", "=name=changed")


@pytest.mark.parametrize(("before", "name"), [(True, "r"), (False, "changed")])
async def test_a_link_is_cut_before_or_after_the_nth_command(before: bool, name: str, lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    router.faults.cut_after(2, before=before)
    await talker.say("/system/identity/print")
    with pytest.raises(EOFError):
        await talker.say(*RENAME)
    assert (await (await login(router)).say("/system/identity/print")).rows == [{"name": name}]
    entry = router.writes()[0]
    assert (entry.path, entry.took_effect, entry.reply) == ("/system/identity/set", not before, "cut")


async def test_a_refused_command_has_no_effect_and_the_next_one_works(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    router.faults.trap_next("/system/identity/set", "failure: not today")
    assert (await talker.say(*RENAME)).trap == "failure: not today"
    assert (await talker.say(*RENAME)).trap is None
    assert [entry.took_effect for entry in router.writes()] == [False, True]


async def test_a_hung_router_takes_connections_and_answers_nothing(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    router.faults.hang()
    second = await Talker.connect(router)
    second.send(b"\x06/login\x00")
    talker.send(b"\x15/system/identity/print\x00")
    router.faults.thaw()
    for each in (talker, second):
        with pytest.raises(EOFError):
            await each.hear()
    await second.close()
    assert (await (await login(router)).say("/system/identity/print")).kinds == ["!re", "!done"]
    assert len([entry for entry in router.journal if entry.path == "/system/identity/print"]) == 1


async def test_a_garbled_reply_cannot_be_read_and_the_next_can(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    router.faults.garble_reply()
    with pytest.raises(WireError):
        await talker.say("/system/identity/print")
    assert (await (await login(router)).say("/system/identity/print")).rows == [{"name": "r"}]


async def test_writes_are_reported_after_their_effect_and_before_their_reply(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    seen: list[tuple[int, str, str, str]] = []

    def note(number: int, entry: JournalEntry) -> None:
        name = router.device.setting("/system/identity", "name")
        seen.append((number, entry.path, name, entry.reply))

    router.faults.on_write(note)
    await talker.say("/system/identity/print")
    await talker.say("/system/identity/set", "=nonsense=x")
    await talker.say(*RENAME)
    await talker.say("/interface/bridge/add")
    assert seen == [
        (1, "/system/identity/set", "changed", ""),
        (2, "/interface/bridge/add", "changed", ""),
    ]


async def test_a_reboot_cuts_links_and_refuses_them_until_it_is_over(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router, "admin")
    await talker.say("/interface/bridge/add", "=name=kept")
    await lab.clock.advance(100)
    await talker.say("/system/reboot")
    await lab.clock.advance(2)
    with pytest.raises(EOFError):
        await talker.hear()
    early = await Talker.connect(router)
    with pytest.raises(EOFError):
        await early.say("/login")
    await early.close()
    await lab.clock.advance(60)
    again = await login(router)
    assert (await again.say("/interface/bridge/print", "=.proplist=name")).rows == [{"name": "kept"}]
    assert (await again.say("/system/resource/print", "=.proplist=uptime")).rows == [{"uptime": "31s"}]


async def test_a_power_cut_ends_a_pull_with_nothing(ground: MakeGround) -> None:
    on = await ground(link_bytes_per_s=10_000)
    await on.lay()
    await on.add("mtts/a", "=start-on-boot=yes")
    await on.lab.clock.advance(5)
    on.router.faults.power_cut()
    await on.lab.clock.advance(300)
    row = on.router.rows("/container")[0]
    assert row["download/extract failed"] == "true"
    assert "image-id" not in row
    assert any("without proper shutdown" in line["message"] for line in on.router.device.log_rows)


async def test_a_removal_that_a_power_cut_interrupts_is_finished_after_boot(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    await on.add()
    await on.lab.clock.advance(5)
    await on.do("remove")
    on.router.faults.power_cut()
    assert len(on.router.rows("/container")) == 1
    await on.lab.clock.advance(60)
    assert on.router.rows("/container") == []
    assert "mtts/a" not in on.router.directories()


async def test_the_journal_tells_reads_from_writes_and_sessions_apart(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    first, second = await login(router), await login(router, "admin")
    await first.say("/container/print")
    await second.say("/interface/bridge/add", "=name=x")
    await second.say("/interface/bridge/add", "=name=x")
    assert [(entry.session, entry.user, entry.path) for entry in router.journal[2:]] == [
        (1, "mtts", "/container/print"),
        (2, "admin", "/interface/bridge/add"),
        (2, "admin", "/interface/bridge/add"),
    ]
    assert [entry.reply for entry in router.writes()] == [
        "done",
        "trap: failure: already have interface with such name",
    ]
    assert PASSWORD not in str(router.journal)
