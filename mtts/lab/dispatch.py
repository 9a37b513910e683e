"""The gate that every command passes: is it known here, may this caller use it, with these arguments?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtts.lab.call import Answer, Call
from mtts.lab.journal import is_write
from mtts.lab.reply import Category, Trap, no_such_command

if TYPE_CHECKING:
    from mtts.lab.device import Device

ALIASES = {"getall": "print"}
POLICY_OF_PATH = {
    "/tool/fetch": "test",
    "/tool/ping": "test",
    "/system/reboot": "reboot",
    "/system/shutdown": "reboot",
    "/system/device-mode/update": "policy",
    "/container/shell": "write",
    "/execute": "write",
}
POLICY_OF_MENU = {"/user": "policy", "/user/active": "policy", "/user/group": "policy"}
"""Menus whose changes take more than `write`."""


def perform(device: Device, call: Call) -> Answer:
    """Answer a command; Trap when it is refused at the gate or by its menu."""
    command = call.command
    verb = ALIASES.get(command.verb, command.verb)
    known = device.schema.arguments(command.menu, verb)
    if known is None or device.lacks_menu(command.menu):
        raise no_such_command()
    policy = needed_policy(command.menu, f"{command.menu.rstrip('/')}/{verb}")
    if policy not in call.caller.policies:
        raise Trap("not enough permissions (9)")
    for name in command.args:
        if name not in known and not (name == ".id" and _takes_id(device, command.path, known)):
            raise Trap(f"unknown parameter {name}", Category.ARGUMENT)
    return device.menu(command.menu).run(call, verb)


def needed_policy(menu: str, path: str) -> str:
    """The policy that a command takes."""
    if path in POLICY_OF_PATH:
        return POLICY_OF_PATH[path]
    return POLICY_OF_MENU.get(menu, "write") if is_write(path) else "read"


def _takes_id(device: Device, path: str, known: frozenset[str]) -> bool:
    if path == "/container/shell" and not device.quirks.shell_takes_id:
        return False
    return not known.isdisjoint({"numbers", "number"})
