"""Whatever bytes a client sends, the router lives on, answers in whole sentences and keeps its sessions apart.

Sessions are fed directly, without sockets, in chunks that fall anywhere; what hypothesis finds it can shrink.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.router import LabRouter
from mtts.lab.schema import load_schema
from mtts.lab.session import Session
from mtts.lab.wire import Sentence, SentenceReader, encode_length, encode_sentence

VERSIONS = ((7, 18, 2), (7, 24, 0))
COMMANDS = sorted(
    {
        (menu, verb, tuple(sorted(names)))
        for version in VERSIONS
        for menu, commands in load_schema(version).menus.items()
        for verb, names in commands.items()
    }
)
LOGIN = ("/login", "=name=mtts", f"=password={PASSWORD}")
REPLIES = {"!re", "!done", "!trap", "!empty", "!fatal"}

values = st.one_of(
    st.sampled_from(["", "yes", "*1", "*ZZ", "ether1", "10.0.0.1/24", "1m", "64M", "x,y", "a=b", "=", "\udcff", "0"]),
    st.text(max_size=12),
)
tags = st.sampled_from(["", "1", "2", "log", "ü", "=x"])
queries = st.lists(
    st.sampled_from(["?name=x", "?-name", "?>mtu=5", "?#|", "?#&!", "?#1.", "?#9", "?", "?#x", "?.id=*1"]), max_size=4
)


@st.composite
def commands(draw: st.DrawFn) -> Sentence:
    """A command of some version, with arguments that it may or may not have."""
    menu, verb, names = draw(st.sampled_from(COMMANDS))
    chosen = draw(st.lists(st.sampled_from([*names, ".id", "numbers", ".proplist", "nonsense"]), max_size=4))
    words = [f"={name}={draw(values)}" for name in chosen]
    tag = draw(st.none() | tags)
    return (f"{menu.rstrip('/')}/{verb}", *words, *draw(queries), *([] if tag is None else [f".tag={tag}"]))


def framed(words: Sequence[str], form: int) -> bytes:
    """A sentence whose lengths are written in one of the five forms, longer than they need be."""
    prefixes = (0x00, 0x8000, 0xC00000, 0xE0000000, 0xF000000000)
    limits = (0x80, 0x4000, 0x200000, 0x10000000, 0x100000000)
    parts = []
    for word in (*words, ""):
        raw = word.encode("utf-8", "surrogateescape")
        length = len(raw)
        fits = length < limits[form] and length  # an empty word ends the sentence, in whichever form
        parts.append(((length | prefixes[form]).to_bytes(form + 1, "big") if fits else encode_length(length)) + raw)
    return b"".join(parts)


sentences = st.one_of(
    commands(),
    st.just(LOGIN),
    st.builds(lambda tag: ("/log/print", "=follow-only=", f".tag={tag}"), tags),
    st.builds(lambda tag: ("/tool/ping", "=address=192.0.2.1", f".tag={tag}"), tags),
    st.builds(lambda tag: ("/cancel", f"=tag={tag}"), tags),
    st.just(("/cancel",)),
    st.lists(st.text(max_size=8), max_size=4).map(tuple),
)
well_formed = st.builds(framed, sentences, st.integers(0, 4))
malformed = st.one_of(
    st.binary(max_size=20),
    st.builds(lambda whole, cut: whole[: len(whole) * cut // 10], well_formed, st.integers(0, 9)),
    st.just(encode_length(300_000)),
)
chunk_sizes = st.integers(1, 60)


class FakeTransport(asyncio.Transport):
    """The network's side of a session: keeps what was written, loses the connection when asked."""

    def __init__(self, session: Session) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000)})
        self._session = session
        self._is_closing = False
        self.is_paused = False
        self._reader = SentenceReader()
        self.heard: list[Sentence] = []
        session.connection_made(self)

    def write(self, data: Any) -> None:
        self.heard += self._reader.feed(bytes(data))

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            asyncio.get_running_loop().call_soon(self._session.connection_lost, None)

    abort = close

    def say(self, *words: str) -> list[Sentence]:
        """What comes back at once."""
        self.heard.clear()
        self._session.data_received(encode_sentence(words))
        return list(self.heard)


@dataclass(frozen=True, slots=True)
class Story:
    """What one client did: the bytes, and how they were cut."""

    pieces: list[bytes]
    chunk: int
    logs_in: bool


stories = st.builds(Story, st.lists(well_formed, max_size=12), chunk_sizes, st.booleans()) | st.builds(
    Story, st.lists(well_formed | malformed, max_size=12), chunk_sizes, st.booleans()
)


async def live(router: LabRouter, story: Story) -> list[Sentence]:
    """One client's life from connection to hanging up; everything it was told."""
    session = Session(router, "api")
    transport = FakeTransport(session)
    stream = b"".join([encode_sentence(LOGIN)] * story.logs_in + story.pieces)
    for start in range(0, len(stream), story.chunk):
        if transport.is_closing():
            break
        session.data_received(stream[start : start + story.chunk])
        if start % (7 * story.chunk) == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    transport.close()
    waiting = list(session.waiting)
    await asyncio.sleep(0)
    if waiting:
        await asyncio.wait(waiting)
    return transport.heard


async def crowd(version: str, told: list[Story]) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with Lab() as lab:
        router = await lab.add_router("r", version=version, tls=False)
        quiet = FakeTransport(Session(router, "api"))
        assert quiet.say(*LOGIN) == [("!done",)]
        everything = await asyncio.gather(*(live(router, story) for story in told))
        assert quiet.heard == [("!done",)], "nobody else's answers arrive here"
        assert quiet.say("/system/resource/print", "=.proplist=platform", ".tag=q") == [
            ("!re", ".tag=q", "=platform=MikroTik"),
            ("!done", ".tag=q"),
        ]
        for story, heard in zip(told, everything, strict=True):
            assert {sentence[0] for sentence in heard} <= REPLIES
            assert story.logs_in or b"/login" in b"".join(story.pieces) or all(s[0] == "!fatal" for s in heard)
        assert list(router.device.sessions) == [1]
        assert router.device.log_watchers == set()
        quiet.close()
        await asyncio.sleep(0)
    assert complaints == []


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["7.18.2", "7.24"]), st.lists(stories, min_size=1, max_size=4))
def test_no_stream_hurts_the_router_or_another_session(version: str, told: list[Story]) -> None:
    asyncio.run(crowd(version, told))


@settings(max_examples=60, deadline=None)
@given(st.lists(commands(), min_size=1, max_size=12))
def test_every_well_formed_command_ends_with_done_under_its_own_tag(said: list[Sentence]) -> None:
    """Tags come back as they went, however many commands are in flight; what waits ends when it is cancelled."""

    async def story() -> list[Sentence]:
        async with Lab() as lab:
            router = await lab.add_router("r", tls=False)
            session = Session(router, "api")
            transport = FakeTransport(session)
            transport.say(*LOGIN)
            transport.heard.clear()
            for number, words in enumerate(said):
                tagless = [word for word in words if not word.startswith(".tag=")]
                session.data_received(encode_sentence((*tagless, f".tag={number}")))
            session.data_received(encode_sentence(("/cancel", ".tag=last")))
            if session.waiting:
                await asyncio.wait(list(session.waiting))
            await asyncio.sleep(0)
            transport.close()
            await asyncio.sleep(0)
            return transport.heard

    heard = asyncio.run(story())
    ended = [sentence[1] for sentence in heard if sentence[0] == "!done"]
    assert sorted(ended) == sorted([*(f".tag={number}" for number in range(len(said))), ".tag=last"])
    assert all(sentence[1].startswith(".tag=") for sentence in heard)
