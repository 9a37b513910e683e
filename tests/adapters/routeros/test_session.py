"""The session over a real socket: what it sends, what it returns, and how it dies."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtts.adapters.routeros import stream as stream_module
from mtts.adapters.routeros.session import LibrouterosSession
from mtts.adapters.routeros.stream import Stream
from mtts.core.errors import CommandTrappedError, MttsError, SessionLostError
from tests.adapters.routeros.scripted import Peer, Play, ScriptedRouter, frame, scripted

SHORT_S = 0.05


@contextlib.asynccontextmanager
async def talking_to(play: Play, *, command_s: float = 30) -> AsyncIterator[tuple[LibrouterosSession, ScriptedRouter]]:
    async with scripted(play) as router:
        session = LibrouterosSession(await Stream.open("127.0.0.1", router.port), label="router1", command_s=command_s)
        try:
            yield session, router
        finally:
            await session.close()


def answering(*sentences: tuple[bytes, ...]) -> Play:
    """Answer the first command with these sentences, then stay silent."""

    async def play(peer: Peer) -> None:
        await peer.hear()
        await peer.emit(b"".join(frame(*words) for words in sentences))
        await peer.stall()

    return play


def emitting(octets: bytes) -> Play:
    """Answer the first command with these bytes, then hang up."""

    async def play(peer: Peer) -> None:
        await peer.hear()
        await peer.emit(octets)

    return play


async def test_print_sends_properties_and_queries_and_returns_text() -> None:
    play = answering((b"!re", b"=.id=*1", b"=name=123", b"=up=yes", "=comment=café".encode()), (b"!re",), (b"!done",))
    async with talking_to(play) as (session, router):
        rows = await session.print("/container", where=[{"name": "123"}], props=(".id", "name"))
    assert rows == [{".id": "*1", "name": "123", "up": "yes", "comment": "café"}, {}]
    assert router.received == [[b"/container/print", b"=.proplist=.id,name", b"?name=123"]]


async def test_empty_means_no_rows() -> None:
    async with talking_to(answering((b"!empty",), (b"!done",))) as (session, _):
        assert await session.print("/container") == []


async def test_add_returns_the_new_id() -> None:
    async with talking_to(answering((b"!done", b"=ret=*1A"))) as (session, router):
        assert await session.add("/interface/veth", {"name": "veth1", "comment": ""}) == "*1A"
    assert router.received == [[b"/interface/veth/add", b"=name=veth1", b"=comment="]]


async def test_add_returns_nothing_where_the_router_names_no_id() -> None:
    async with talking_to(answering((b"!done",))) as (session, _):
        assert await session.add("/file", {"name": "a"}) == ""


@pytest.mark.parametrize(
    ("id_", "sent"),
    [
        (None, [b"/ip/dns/set", b"=servers=1.1.1.1"]),
        ("*7", [b"/ip/dns/set", b"=.id=*7", b"=servers=1.1.1.1"]),
        ("a name", [b"/ip/dns/set", b"=numbers=a name", b"=servers=1.1.1.1"]),
    ],
)
async def test_set_names_an_entry_or_the_menu_itself(id_: str | None, sent: list[bytes]) -> None:
    async with talking_to(answering((b"!done",))) as (session, router):
        await session.set("/ip/dns", {"servers": "1.1.1.1"}, id_=id_)
    assert router.received == [sent]


async def test_remove_finds_a_file_by_its_name() -> None:
    async with talking_to(answering((b"!done",))) as (session, router):
        await session.remove("/file", "disk1/café")
    assert router.received == [[b"/file/remove", "=numbers=disk1/café".encode()]]


async def test_a_command_returns_what_done_carries_as_its_last_row() -> None:
    async with talking_to(answering((b"!re", b"=status=finished"), (b"!done", b"=ret=3"))) as (session, _):
        assert await session.command("/tool/fetch", {"url": "x"}) == [{"status": "finished"}, {"ret": "3"}]


async def test_bytes_that_are_no_utf_8_go_back_as_they_came() -> None:
    async def play(peer: Peer) -> None:
        await peer.hear()
        await peer.say(b"!re", b"=comment=a\xff\xfe")
        await peer.say(b"!done")
        await peer.hear()
        await peer.say(b"!done")

    async with talking_to(play) as (session, router):
        [row] = await session.print("/container")
        await session.set("/container", {"comment": row["comment"]}, id_="*1")
    assert router.received[1] == [b"/container/set", b"=.id=*1", b"=comment=a\xff\xfe"]


async def test_a_trap_is_told_in_the_routers_words_and_the_session_lives_on() -> None:
    async def play(peer: Peer) -> None:
        await peer.hear()
        await peer.say(b"!trap", b"=category=1", b"=message=unknown parameter tmpfs")
        await peer.say(b"!done")
        await peer.hear()
        await peer.say(b"!done")

    async with talking_to(play) as (session, _):
        with pytest.raises(CommandTrappedError) as caught:
            await session.add("/container", {"tmpfs": "x"})
        assert (caught.value.command, caught.value.text) == ("/container/add", "unknown parameter tmpfs")
        assert caught.value.category == 1
        assert await session.print("/container") == []


async def test_several_traps_are_joined() -> None:
    play = answering((b"!trap", b"=message=one"), (b"!trap",), (b"!trap", b"=message=one", b"=category=4"), (b"!done",))
    async with talking_to(play) as (session, _):
        with pytest.raises(CommandTrappedError) as caught:
            await session.command("/container/start")
    assert caught.value.text == "one; the router gave no reason"
    assert caught.value.category == 4


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "the router closed the connection"),
        (frame(b"!re", b"=a=b") + b"\x03!do", "the router closed the connection"),
        (b"\xff", "the reply cannot be read"),
        (b"\xf0\x00\x00\x00\x01x", "the reply cannot be read"),
        (b"\x00", "the reply cannot be read"),
        (b"\xef\xff\xff\xff", "the router announced a word of 268435455 bytes"),
        (frame(b"!re", b"=a=b") + frame(b"!fatal", b"too many sessions"), "ended the session: too many sessions"),
        (frame(b"!fatal"), "the reply cannot be read"),
    ],
    ids=[
        "eof",
        "eof-in-a-word",
        "control-byte",
        "five-byte-length",
        "empty-sentence",
        "oversized",
        "fatal",
        "mute-fatal",
    ],
)
async def test_a_stream_in_doubt_is_a_dead_session_for_ever(octets: bytes, reason: str) -> None:
    async with talking_to(emitting(octets)) as (session, router):
        for _ in range(2):
            with pytest.raises(SessionLostError, match=reason):
                await session.print("/container")
    assert len(router.received) == 1


async def test_a_reply_above_the_cap_is_a_dead_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_REPLY_BYTES", 100)
    async with talking_to(answering(*[(b"!re", b"=a=0123456789")] * 10, (b"!done",))) as (session, _):
        with pytest.raises(SessionLostError, match="longer than 100 bytes"):
            await session.print("/log")


async def test_the_cap_counts_each_reply_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_REPLY_BYTES", 40)

    async def play(peer: Peer) -> None:
        for _ in range(5):
            await peer.hear()
            await peer.say(b"!re", b"=a=0123456789")
            await peer.say(b"!done")

    async with talking_to(play) as (session, _):
        assert [len(await session.print("/log")) for _ in range(5)] == [1] * 5


@pytest.mark.parametrize("said", [b"", frame(b"!re", b"=a=b"), b"\x03!r"], ids=["nothing", "a-row", "half-a-word"])
async def test_a_late_answer_kills_the_session_which_then_stays_dead(said: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.hear()
        await peer.emit(said)
        await peer.stall()

    async with talking_to(play, command_s=SHORT_S) as (session, router):
        with pytest.raises(SessionLostError, match=r"router1: no full answer to /container/print within 0\.05 s"):
            await session.print("/container")
        with pytest.raises(SessionLostError, match="no full answer to /container/print"):
            await session.remove("/container", "*1")
    assert router.received == [[b"/container/print"]]


async def test_a_lost_session_hangs_up_before_anybody_closes_it() -> None:
    left = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.hear()
        await peer.stall()
        left.set()

    async with talking_to(play, command_s=SHORT_S) as (session, _):
        with pytest.raises(SessionLostError):
            await session.print("/container")
        async with asyncio.timeout(10):
            await left.wait()


async def test_a_trickle_of_sentences_does_not_prolong_the_deadline() -> None:
    async def play(peer: Peer) -> None:
        await peer.hear()
        while True:
            await peer.say(b"!re", b"=status=downloading")
            await asyncio.sleep(0)

    async with talking_to(play, command_s=SHORT_S) as (session, _):
        with pytest.raises(SessionLostError, match="no full answer"):
            await session.print("/container")


async def test_a_command_may_have_a_deadline_of_its_own() -> None:
    async with talking_to(answering()) as (session, _):
        with pytest.raises(SessionLostError, match=r"within 0\.05 s"):
            await session.command("/container/shell", timeout_s=SHORT_S)


async def test_cancellation_in_mid_command_kills_the_session() -> None:
    heard = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.hear()
        heard.set()
        await peer.stall()

    async with talking_to(play) as (session, router):
        task = asyncio.create_task(session.add("/container", {}))
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(SessionLostError, match="/container/add was interrupted"):
            await session.print("/container")
    assert router.received == [[b"/container/add"]]


async def test_a_second_command_waits_for_the_first_to_end() -> None:
    async def play(peer: Peer) -> None:
        for number in range(2):
            await peer.hear()
            await peer.say(b"!done", b"=ret=%d" % number)

    async with talking_to(play) as (session, _):
        assert list(await asyncio.gather(session.add("/a", {}), session.add("/b", {}))) == ["0", "1"]


async def test_a_closed_session_says_so() -> None:
    async with talking_to(answering((b"!done",))) as (session, _):
        await session.close()
        with pytest.raises(SessionLostError, match="the session was closed"):
            await session.print("/container")


async def _feed(octets: bytes) -> None:
    """Play random bytes to a session through a pair of connected sockets."""
    ours, theirs = socket.socketpair()
    with theirs:
        session = LibrouterosSession(Stream(*await asyncio.open_connection(sock=ours)), label="router1", command_s=30)
        theirs.sendall(octets)
        theirs.shutdown(socket.SHUT_WR)
        try:
            rows = await session.print("/container")
            assert all(isinstance(value, str) for row in rows for value in row.values())
        except MttsError as exc:
            assert isinstance(exc, CommandTrappedError | SessionLostError)  # noqa: PT017  # either end is right
        finally:
            await session.close()


_WORDS = st.one_of(
    st.sampled_from([b"!re", b"!done", b"!trap", b"!fatal", b"!empty", b"=message=x", b"=ret=*1", b"="]),
    st.binary(min_size=1, max_size=200),
)
_SENTENCES = st.lists(_WORDS, max_size=5).map(lambda words: frame(*words))


@given(st.one_of(st.binary(max_size=300), st.lists(st.one_of(_SENTENCES, st.binary(max_size=3))).map(b"".join)))
@example(frame(b"!trap") + frame(b"!done"))
@example(frame(b"!re", b"=a=\xff") + frame(b"!done"))
def test_whatever_bytes_come_back_the_session_answers_rows_or_errors_of_ours(octets: bytes) -> None:
    asyncio.run(_feed(octets))
