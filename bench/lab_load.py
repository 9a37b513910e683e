"""What the lab costs: the memory of idle routers, and logins and prints next to a bare asyncio echo of the same bytes.

Both targets are ratios or sizes within one run, so a busy machine burdens both sides alike: echo and lab take turns.
It measures and judges nothing: the targets are printed beside the figures.
"""

import argparse
import asyncio
import resource
import statistics
import sys
import time
from pathlib import Path

from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.wire import encode_sentence

IDLE_TARGET_MB = 200
RATIO_TARGET = 0.6
LOGIN = encode_sentence(("/login", "=name=mtts", f"=password={PASSWORD}"))
PRINT = encode_sentence(("/system/resource/print",))
PAGE_BYTES = resource.getpagesize()
VERSIONS = ("7.18.2", "7.21.5", "7.24")


def resident_mb() -> float:
    """Resident memory of this process in MB, from /proc."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * PAGE_BYTES / 1e6


class Client(asyncio.Protocol):
    """Sends each message when the answer to the one before is complete; answers are known by their length."""

    def __init__(self, messages: list[tuple[bytes, int]]) -> None:
        self._messages = iter(messages)
        self._missing = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a client needs a stream")
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._missing -= len(data)
        if self._missing == 0:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or EOFError())

    def _next(self) -> None:
        message = next(self._messages, None)
        if message is None:
            self.done.set_result(None)
            self._transport.close()
            return
        sent, self._missing = message
        self._transport.write(sent)


class Echo(asyncio.Protocol):
    """Answers every message with as many bytes as the router would, and does nothing else."""

    def __init__(self, answers: dict[int, bytes]) -> None:
        self._answers = answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answers[len(data)])  # type: ignore[attr-defined]  # a Transport, by create_server


async def answer_bytes(host: str, port: int) -> dict[bytes, bytes]:
    """What a router says to each message."""
    reader, writer = await asyncio.open_connection(host, port)
    answers = {}
    for message in (LOGIN, PRINT):
        writer.write(message)
        answer = b""
        while not answer.endswith(b"\x05!done\x00"):
            answer += await reader.read(65536)
        answers[message] = answer
    writer.close()
    await writer.wait_closed()
    return answers


async def rate(addresses: list[tuple[str, int]], messages: list[tuple[bytes, int]]) -> float:
    """Exchanges a second, with one client per address, all at once."""
    loop = asyncio.get_running_loop()

    def client() -> Client:
        return Client(messages)

    start = time.perf_counter()
    clients = await asyncio.gather(*(loop.create_connection(client, *address) for address in addresses))
    await asyncio.gather(*(protocol.done for _, protocol in clients))
    return len(addresses) * len(messages) / (time.perf_counter() - start)


async def idle(routers: int) -> tuple[float, float]:
    """Megabytes that so many routers add, TLS and all, and what the process then has."""
    async with Lab() as lab:
        await lab.add_router("first")  # loads what they share
        before = resident_mb()
        for number in range(routers):
            await lab.add_router(f"r{number}", version=VERSIONS[number % len(VERSIONS)])
        return resident_mb() - before, resident_mb()


async def compare(routers: int, prints: int, rounds: int) -> list[tuple[float, float]]:
    """(echo, lab) in exchanges a second, by turns."""
    loop = asyncio.get_running_loop()
    async with Lab() as lab:
        addresses = []
        for number in range(routers):
            router = await lab.add_router(f"r{number}", tls=False)
            addresses.append((router.host, router.port))
        answers = await answer_bytes(*addresses[0])
        messages = [(LOGIN, len(answers[LOGIN]))] + [(PRINT, len(answers[PRINT]))] * prints
        by_length = {len(message): answer for message, answer in answers.items()}
        echoes = [await loop.create_server(lambda: Echo(by_length), "127.0.0.1", 0) for _ in range(routers)]
        echo_addresses = [server.sockets[0].getsockname()[:2] for server in echoes]
        pairs = []
        for _ in range(rounds):
            pairs.append((await rate(echo_addresses, messages), await rate(addresses, messages)))
            for router in lab.routers.values():
                router.journal.clear()
        for server in echoes:
            server.close()
        return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--idle", type=int, default=2000, help="how many routers do nothing")
    parser.add_argument("--routers", type=int, default=500, help="how many are logged in to")
    parser.add_argument("--prints", type=int, default=1, help="prints after each login")
    parser.add_argument("--rounds", type=int, default=5, help="how often echo and lab take turns (at least 2)")
    options = parser.parse_args()

    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # a router listens on two sockets
    idle_mb, total_mb = asyncio.run(idle(options.idle))
    pairs = asyncio.run(compare(options.routers, options.prints, max(2, options.rounds)))
    ratios = [lab / echo for echo, lab in pairs]
    print(f"lab, Python {sys.version.split()[0]}")
    print(f"  {options.idle} idle routers  {total_mb:.0f} MB in the process (target {IDLE_TARGET_MB})")
    print(f"  of these {idle_mb:.0f} MB for the routers, {1000 * idle_mb / options.idle:.0f} kB each")
    print(f"  {options.routers} routers at once, a login and {options.prints} print(s) each")
    print(f"    echo  median {statistics.median(echo for echo, _ in pairs):8.0f} exchanges/s")
    print(f"    lab   median {statistics.median(lab for _, lab in pairs):8.0f} exchanges/s")
    print(f"    ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}; target {RATIO_TARGET})")


if __name__ == "__main__":
    main()
