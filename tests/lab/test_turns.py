"""Nobody has a router, or the process, for themselves: those who send much or read little wait, others do not."""

import asyncio

from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.session import TURN_COMMANDS, Session
from mtts.lab.wire import encode_sentence
from tests.lab.conftest import Login
from tests.lab.test_streams import FakeTransport

LOGIN = ("/login", "=name=mtts", f"=password={PASSWORD}")
MANY = 200 * TURN_COMMANDS


def flood(count: int) -> bytes:
    """So many commands in one piece, each with its number as tag."""
    return b"".join(encode_sentence(("/system/identity/print", f".tag={number}")) for number in range(count))


async def test_others_are_answered_while_a_client_floods_a_router(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    loud, quiet = await login(router), await login(router)
    loud.send(flood(MANY))
    await quiet.say("/system/identity/print")
    assert len(router.journal) < MANY
    for number in range(MANY):
        heard = await loud.listen()
        assert heard.sentences[-1] == ("!done", f".tag={number}")


async def test_a_client_that_reads_nothing_has_nothing_answered_until_it_does(lab: Lab) -> None:
    session = Session(await lab.add_router("r", tls=False), "api")
    transport = FakeTransport(session)
    transport.say(*LOGIN)
    transport.heard.clear()
    session.pause_writing()
    session.data_received(flood(3))  # less than a turn's worth
    await asyncio.sleep(0)
    assert (transport.heard, transport.is_paused) == ([], True)
    session.resume_writing()
    assert [words[1] for words in transport.heard if words[0] == "!done"] == [".tag=0", ".tag=1", ".tag=2"]
    assert transport.is_paused is False
    transport.close()
    await asyncio.sleep(0)


async def test_what_a_client_sent_and_nobody_looked_at_goes_with_its_link(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r", tls=False)
    session = Session(router, "api")
    transport = FakeTransport(session)
    transport.say(*LOGIN)
    session.data_received(flood(MANY))
    transport.close()
    quiet = await login(router)
    await quiet.say("/system/identity/print")
    assert len(router.journal) <= 3 + 2 * TURN_COMMANDS


async def test_a_storm_of_cancels_interrupts_each_command_once(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    count = 16 * TURN_COMMANDS
    follow = [encode_sentence(("/log/print", "=follow-only=", f".tag=f{number}")) for number in range(count)]
    cancel = [encode_sentence(("/cancel", f".tag=c{number}")) for number in range(count)]
    talker.send(b"".join(follow + cancel))
    heard = [await talker.hear() for _ in range(3 * count)]
    traps = [words[1] for words in heard if words[0] == "!trap"]
    ends = [words[1] for words in heard if words[0] == "!done"]
    assert sorted(traps) == sorted(f".tag=f{number}" for number in range(count))
    assert sorted(ends) == sorted([*traps, *(f".tag=c{number}" for number in range(count))])


async def test_commands_in_front_of_garbage_are_answered_before_the_end(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    talker.send(flood(2) + b"\xff")
    heard = [await talker.hear() for _ in range(5)]
    assert [words[0] for words in heard] == ["!re", "!done", "!re", "!done", "!fatal"]
