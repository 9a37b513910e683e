"""Commands that somebody else gives on a router: noted and answered like a client's, without a session."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING

from mtts.lab.call import Call, Caller, Stream
from mtts.lab.command import Command
from mtts.lab.reply import Reply, Trap

if TYPE_CHECKING:
    from mtts.lab.device import Device


class RefusedError(ValueError):
    """The router did not do what another administrator told it; the text has its own words."""


def find_rows(device: Device, menu: str, where: Mapping[str, str], caller: Caller) -> list[str]:
    """The `.id` of every row with these values; RefusedError where the menu cannot be printed or has no such rows."""
    listing = Command(menu, "print", {})
    try:
        reply = device.perform(Call(listing, caller))
    except Trap as trap:
        raise RefusedError(f"{listing.path}: {trap.message}") from trap
    rows = reply.rows if isinstance(reply, Reply) else ()
    if any(".id" not in row for row in rows):
        raise RefusedError(f"{listing.path}: one row without an .id, so there is nothing to choose")
    return [row[".id"] for row in rows if where.items() <= row.items()]


def give_command(device: Device, command: Command, caller: Caller) -> str | None:
    """What the router says against a command, None when it is done."""
    words = (command.path, *(f"={name}={value}" for name, value in command.args.items()))
    entry = device.note(command.path, words, user=caller.user)
    try:
        answer = device.perform(Call(command, caller))
    except Trap as trap:
        entry.reply = f"trap: {trap.message}"
        return trap.message
    if not isinstance(answer, Reply):
        if isinstance(answer, Coroutine | Stream):
            answer.close()
        refusal = "a command that takes time is not modelled as somebody else's"
        entry.reply = f"trap: {refusal}"
        return refusal
    entry.took_effect, entry.reply = True, "done"
    return None
