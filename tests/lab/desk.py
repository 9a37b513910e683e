"""A simulated router without a network, and somebody at its console who gives it scripts."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from mtts.lab.boards import find_board
from mtts.lab.call import Call, Caller
from mtts.lab.clock import SimClock
from mtts.lab.command import Command
from mtts.lab.device import Build, Device
from mtts.lab.menus.users import POLICIES
from mtts.lab.pull import pull
from mtts.lab.quirks import Quirks
from mtts.lab.reply import Reply
from mtts.lab.tailnet import Tailnet

ROOT = Caller("admin", frozenset(POLICIES))
EPOCH = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


def make_device(
    version: str = "7.23.3", *, quirks: Quirks | None = None, speed: float | None = None, **build: Any
) -> Device:
    """A router that nobody is connected to; its clock says noon, and goes slower than the lab's time by `speed`."""
    clock = SimClock(epoch=EPOCH, speed=speed)
    users = build.pop("users", {"admin": ("", "full")})
    board = find_board("RB5009")
    return Device(
        Build(name="desk", version=version, board=board, users=users, **build),
        clock=clock,
        quirks=quirks or Quirks(),
        tailnet=Tailnet(clock),
        puller=pull,
    )


def ask(device: Device, path: str, caller: Caller = ROOT, **args: str) -> Reply:
    """The answer to a command that answers at once."""
    menu, _, verb = path.rpartition("/")
    named = {name.replace("_", "-"): value for name, value in args.items()}
    answer = device.perform(Call(Command(menu or "/", verb, named), caller))
    assert isinstance(answer, Reply), path
    return answer


def printed(device: Device, source: str, caller: Caller = ROOT) -> str:
    """What a script that never waits prints, its error last."""
    return ask(device, "/execute", caller, script=source, as_string="").ret or ""


async def printed_in_time(device: Device, source: str, seconds: float) -> str:
    """What a script prints within so much simulated time."""
    answer = device.perform(Call(Command("/", "execute", {"script": source, "as-string": ""}), ROOT))
    assert not isinstance(answer, Reply), "it did not wait"
    waiting = asyncio.ensure_future(_await(answer))
    await device.clock.advance(seconds)
    async with asyncio.timeout(10):
        return await waiting


async def _await(answer: Any) -> str:
    reply: Reply = await answer
    return reply.ret or ""


def logged(device: Device, topics: str = "script") -> list[str]:
    """The log's messages that scripts or their failures left."""
    return [row["message"] for row in device.log_rows if row["topics"].startswith(topics)]
