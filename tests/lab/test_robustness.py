"""Nonsense, well-formed or not, crashes no router, leaks into no other session, and leaves the books in order."""

import inspect
import random
from collections import Counter

import pytest

from mtts.lab.call import Call, Caller
from mtts.lab.command import Command
from mtts.lab.container import UP
from mtts.lab.device import Device
from mtts.lab.fleet import Lab
from mtts.lab.menus.users import POLICIES
from mtts.lab.reply import Trap
from mtts.lab.wire import encode_sentence
from tests.lab.conftest import Login
from tests.lab.ground import publish

ROOT = Caller("admin", frozenset(POLICIES))
COMMANDS = 1500
VALUES = (
    *("", "*1", "*2", "*1,*2", "*zz", "abc", "-1", "9" * 30, "yes", "no", "1,2", "x=y", "\n", "ü\udcff", "..", "/"),
    *("veth1", "bridge1", "ether1", "ts", "tmpfs", "64M", "1m30s", "a/b/c", "10.0.0.1/24", "10.0.0.2", "fe80::1/64"),
)
TELLING = frozenset(
    {"name", "interface", "address", "list", "bridge", "chain", "type", "key", "src", "dst", "root-dir", "numbers"}
)
"""Arguments that most commands are nothing without."""


def books_are_in_order(device: Device) -> None:
    """Every volume holds exactly its files, and no veth has two processes."""
    board = device.build.board
    for volume in device.storage.volumes.values():
        here = [
            entry.room_bytes for path, entry in device.files.entries.items() if device.storage.volume_of(path) is volume
        ]
        base = board.flash_total_bytes - board.flash_free_bytes if volume is device.storage.flash else 0
        assert volume.used_bytes == sum(here) + base, volume
    up = [one for one in device.engine.containers.values() if one.phase in UP and one.process is not None]
    held = Counter(one.item.values.get("interface") or one.item.ref for one in up)
    assert max(held.values(), default=0) <= 1, held


def random_command(device: Device, chance: random.Random, image: str) -> Command:
    """A command of this version's tree with values that may fit."""
    menu = chance.choice(sorted(device.schema.menus))
    verb = chance.choice(sorted(device.schema.menus[menu]))
    names = sorted(device.schema.menus[menu][verb])
    chosen = set(chance.sample(names, min(len(names), 2))) | {name for name in names if name in TELLING}
    args = {name: chance.choice(VALUES) for name in sorted(chosen) if chance.random() < 0.8}
    if (menu, verb) == ("/container", "add"):
        args = {name: value for name, value in args.items() if name not in {"file", "env", "mount"}}
        args["remote-image"] = image
    return Command(menu, verb, args, tuple(chance.choice([(), ("name=abc",), ("-x", "#!"), ("#|",)])))


@pytest.mark.parametrize("version", ["7.18.2", "7.21.5", "7.24"])
@pytest.mark.parametrize("board", ["RB5009", "hAP ac2"])
async def test_random_commands_leave_the_books_in_order(version: str, board: str, lab: Lab) -> None:
    publish(lab)
    image = f"{lab.registry.address}/team/mikrotik-tailscale:stable"
    router = await lab.add_router("r", version=version, board=board, tls=False)
    chance = random.Random(f"{version} {board}")  # noqa: S311 - the same noise every time
    accepted = 0
    for number in range(COMMANDS):
        command = random_command(router.device, chance, image)
        if command.path == "/system/reboot" and number % 500:
            continue
        try:
            answer = router.device.perform(Call(command, ROOT))
        except Trap:
            continue
        if inspect.iscoroutine(answer):
            answer.close()
        accepted += 1
        if number % 20 == 0:
            await lab.clock.advance(chance.choice([0.3, 2, 30]))
            books_are_in_order(router.device)
    await lab.clock.advance(120)
    books_are_in_order(router.device)
    assert accepted > COMMANDS // 20


@pytest.mark.parametrize("seed", range(8))
async def test_random_bytes_hurt_nobody_else(seed: int, lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    quiet = await login(router)
    chance = random.Random(seed)  # noqa: S311 - the same noise every time
    for _ in range(20):
        noisy = await login(router)
        good = encode_sentence(("/system/identity/print", f".tag={seed}"))
        noise = [good, chance.randbytes(chance.randint(1, 40)), good[: chance.randint(1, len(good))], b"\x00" * 3]
        noisy.send(b"".join(chance.choices(noise, k=6)))
        assert (await quiet.say("/system/identity/print")).sentences == [("!re", "=name=r"), ("!done",)]
        await noisy.close()
