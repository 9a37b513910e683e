"""A plain API client for the lab's own tests: words in, words out, no opinion on what they mean."""

import asyncio
import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from mtts.lab.fleet import PASSWORD
from mtts.lab.router import LabRouter
from mtts.lab.wire import Sentence, SentenceReader, encode_sentence

DEADLINE_S = 10


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything that came back for one command."""

    sentences: Sequence[Sentence]

    @property
    def rows(self) -> list[dict[str, str]]:
        """The `!re` sentences as rows."""
        return [_row(sentence) for sentence in self.sentences if sentence[0] == "!re"]

    @property
    def trap(self) -> str | None:
        """The first trap's message."""
        traps = (_row(sentence) for sentence in self.sentences if sentence[0] == "!trap")
        return next((row["message"] for row in traps), None)

    @property
    def category(self) -> str | None:
        """The first trap's category."""
        traps = (_row(sentence) for sentence in self.sentences if sentence[0] == "!trap")
        return next((row.get("category") for row in traps), None)

    @property
    def ret(self) -> str | None:
        """What `!done` returned."""
        return _row(self.sentences[-1]).get("ret")

    @property
    def kinds(self) -> list[str]:
        """The reply words in order."""
        return [sentence[0] for sentence in self.sentences]


class Talker:
    """One connection; `say` sends a command and waits for its end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = SentenceReader()
        self._pending: list[Sentence] = []

    @classmethod
    async def connect(cls, router: LabRouter, *, tls: ssl.SSLContext | None = None) -> Self:
        """A connection that is not logged in."""
        port = router.port if tls is None else router.tls_port
        return cls(*await asyncio.open_connection(router.host, port, ssl=tls))

    @classmethod
    async def login(cls, router: LabRouter, user: str = "mtts", password: str = PASSWORD) -> Self:
        """A connection that is logged in."""
        talker = await cls.connect(router)
        heard = await talker.say("/login", f"=name={user}", f"=password={password}")
        assert heard.kinds == ["!done"], heard
        return talker

    async def say(self, *words: str) -> Heard:
        """Send one sentence and read until `!done` or `!fatal`; EOFError when the link is cut."""
        self.send(encode_sentence(words))
        return await self.listen()

    def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self._writer.write(data)

    async def listen(self) -> Heard:
        """Read until `!done` or `!fatal`."""
        heard = []
        while True:
            sentence = await self.hear()
            heard.append(sentence)
            if sentence[0] in {"!done", "!fatal"}:
                return Heard(heard)

    async def hear(self) -> Sentence:
        """The next sentence; EOFError when the link is cut."""
        async with asyncio.timeout(DEADLINE_S):
            while not self._pending:
                try:
                    data = await self._reader.read(65536)
                except ConnectionError:
                    data = b""
                if not data:
                    raise EOFError
                self._pending += self._decoder.feed(data)
        return self._pending.pop(0)

    def fingerprint(self) -> str:
        """The SHA-256 fingerprint of the certificate that the router showed."""
        shown = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return f"sha256:{hashlib.sha256(shown).hexdigest()}"

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return


def _row(sentence: Sentence) -> dict[str, str]:
    parts = (word[1:].partition("=") for word in sentence[1:] if word.startswith("="))
    return {name: value for name, _, value in parts}
