"""One measured run in a process of its own, started by `rounds.contend`; prints its figures as JSON.

The clock runs from the moment where everything is loaded and the routers are known to the one where the last router was
read, so start-up is apart. For mtts that is its one `asyncio.run`: what it loads or prepares in there counts.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from bench.rig.fleet import STATE

# Contenders import what they need inside themselves: none pays for another's libraries.
# ruff: noqa: PLC0415

NORNIR: Final = "routerosapi"
"""The connection that nornir-routeros brings."""


class Stopwatch:
    """Wall time and this process' own CPU time of what runs inside `timed`, in seconds."""

    def __init__(self) -> None:
        self.run_s = 0.0
        self.cpu_s = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        began_s, cpu_s = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.run_s += time.perf_counter() - began_s
            self.cpu_s += time.process_time() - cpu_s


def bare_loop(watch: Stopwatch, inventory: Path, parallel: int, sentence: Sequence[str]) -> None:
    """Asyncio and librouteros, and nothing else: connect, log in, one print, close."""
    from librouteros import async_connect

    places = _places(inventory)

    async def one(turn: asyncio.Semaphore, host: str, port: int, user: str, password: str) -> None:
        async with turn:
            api = await async_connect(host, user, password, port=port)
            rows = [row async for row in api.rawCmd(*sentence)]
            await api.close()
        _require(rows)

    async def everything() -> None:
        turn = asyncio.Semaphore(parallel)
        async with asyncio.TaskGroup() as group:
            for place in places:
                group.create_task(one(turn, *place))

    with watch.timed():
        asyncio.run(everything())


def threads(watch: Stopwatch, inventory: Path, parallel: int, sentence: Sequence[str]) -> None:
    """A pool of threads and librouteros, doing the same."""
    from concurrent.futures import ThreadPoolExecutor

    from librouteros import connect

    places = _places(inventory)

    def one(place: tuple[str, int, str, str]) -> None:
        host, port, user, password = place
        api = connect(host, user, password, port=port)
        rows = list(api.rawCmd(*sentence))
        api.close()
        _require(rows)

    with watch.timed(), ThreadPoolExecutor(parallel) as pool:
        for _ in pool.map(one, places):
            pass


def nornir(watch: Stopwatch, inventory: Path, parallel: int, sentence: Sequence[str]) -> None:
    """Nornir's own pool of threads with nornir-routeros, doing the same; neither needs to be installed otherwise."""
    core, known = import_module("nornir.core"), import_module("nornir.core.inventory")
    plugins, runners = import_module("nornir.core.plugins.connections"), import_module("nornir.plugins.runners")
    plain = known.ConnectionOptions(extras={"use_ssl": False})
    hosts = {
        str(port): known.Host(
            str(port), hostname=host, port=port, username=user, password=password, connection_options={NORNIR: plain}
        )
        for host, port, user, password in _places(inventory)
    }
    menu = sentence[0].removesuffix("/print")
    arguments = dict(word[1:].split("=", 1) for word in sentence[1:])

    def one(task: Any) -> None:
        menus = task.host.get_connection(NORNIR, task.nornir.config)
        _require(menus.get_resource(menu).call("print", arguments))
        task.host.close_connections()

    plugins.ConnectionPluginRegister.auto_register()
    fleet = core.Nornir(
        known.Inventory(known.Hosts(hosts), known.Groups(), known.Defaults()), runner=runners.ThreadedRunner(parallel)
    )
    with watch.timed():
        fleet.run(one).raise_on_error()


def mtts(watch: Stopwatch, inventory: Path, parallel: int, _sentence: Sequence[str]) -> None:
    """The command as cron runs it; it must find nothing to do."""
    from mtts.cli.app import main

    run: Any = asyncio.run

    def timed(*given: Any, **named: Any) -> Any:
        with watch.timed():
            return run(*given, **named)

    asyncio.run = timed
    options = ("-i", str(inventory), "--state", str(inventory.parent / STATE), "--parallel", str(parallel))
    if code := main(["update", "--all", "-q", *options]):
        raise SystemExit(f"mtts ended with {code}")


def idle(_watch: Stopwatch, _inventory: Path, _parallel: int, _sentence: Sequence[str]) -> None:
    """Nothing: the interpreter with what this file imports."""


CONTENDERS: Final = {"bare-loop": bare_loop, "threads": threads, "nornir": nornir, "mtts": mtts, "idle": idle}


def _places(inventory: Path) -> list[tuple[str, int, str, str]]:
    """Host, port, user and password of every router."""
    from mtts.adapters.inventory.loader import load_inventory
    from mtts.lab.fleet import PASSWORD

    routers = load_inventory(inventory).routers
    return [(router.host, router.api_port, router.username, PASSWORD) for router in routers]


def _require(rows: Sequence[object]) -> None:
    if not rows:
        raise RuntimeError("a router showed no container")


def _main() -> None:
    given = json.loads(sys.argv[1])
    watch = Stopwatch()
    CONTENDERS[given["kind"]](watch, Path(given["inventory"]), given["parallel"], given["sentence"])
    print(json.dumps({"run_s": watch.run_s, "cpu_s": watch.cpu_s, "peak_bytes": _peak_bytes()}))


def _peak_bytes() -> int:
    """The most resident memory so far, as Linux tells it; getrusage would count in what the parent held."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    _main()
