"""The least of RouterOS' command line: enough to reach a container's shell and to print.

Understood: `:put "text"`, `/container/shell <container> cmd="…"` and `/menu/print [count-only]`, where a
container is `[find name=x]`, `number=x`, an `.id` or a name. Anything else is answered as the console
answers: with an error text, never silently skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtts.lab.call import Call, Caller
from mtts.lab.command import Command
from mtts.lab.reply import Reply, Trap

if TYPE_CHECKING:
    from mtts.lab.device import Device

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<find>\[\s*/?(?:container[ /])?find\s+(?P<key>[a-z-]+)=(?P<wanted>"(?:\\.|[^"\\])*"|[^\s\]]+)\s*\])
      | (?P<name>[A-Za-z.-]+)=(?P<quoted>"(?:\\.|[^"\\])*"|[^\s"\[\]{};]+|(?=\[))
      | (?P<text>"(?:\\.|[^"\\])*")
      | (?P<word>[^\s"\[\]=;{}]+)
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class ConsoleError(Exception):
    """What the console prints instead of doing what was asked."""


@dataclass(frozen=True, slots=True)
class _Token:
    column: int
    kind: str
    name: str
    value: str


def run_line(device: Device, line: str, caller: Caller) -> str:
    """What one line prints; ConsoleError with the console's words."""
    tokens = _tokens(line)
    if not tokens:
        return ""
    words = [token.value for token in tokens if token.kind == "word"]
    if words[:1] == [":put"]:
        return "".join(token.value for token in tokens[1:])
    path = "/" + "/".join(words).strip("/").removesuffix("/count-only") if words else ""
    try:
        if path.startswith("/container/shell"):
            return _shell(device, tokens, words, caller)
        if path.endswith("/print") and len(tokens) == len(words):
            return _print(device, path, caller, counting="count-only" in words)
    except Trap as trap:
        raise ConsoleError(trap.message.removeprefix("failure: ")) from None
    raise ConsoleError(f"bad command name {tokens[0].value.strip('/:')} (line 1 column {tokens[0].column})")


def _shell(device: Device, tokens: list[_Token], words: list[str], caller: Caller) -> str:
    if "write" not in caller.policies:
        raise Trap("not enough permissions (9)")
    if device.quirks.shell_answer == "unavailable":
        raise Trap("no terminal")
    known = device.schema.arguments("/container", "shell") or frozenset()
    target, command = "", None
    for token in tokens:
        if token.kind == "find":
            target = _find(device, token)
        elif token.kind == "argument" and token.name not in known:
            raise ConsoleError(f"expected end of command (line 1 column {token.column})")
        elif token.name == "number":
            target = token.value or target
        elif token.name == "cmd":
            command = token.value
    trailing = " ".join(words).replace("/", " ").split()[2:]
    target = target or (trailing[0] if trailing else "")
    if command is None:
        raise Trap("no terminal")
    table = device.table("/container")
    return device.engine.shell(device.engine.containers[table.find_item(target).id], command)


def _find(device: Device, token: _Token) -> str:
    for item in device.table("/container").items.values():
        if item.values.get(token.name) == token.value:
            return item.ref
    raise Trap("no such item")


def _print(device: Device, path: str, caller: Caller, *, counting: bool) -> str:
    menu = path.removesuffix("/print")
    args = {"count-only": ""} if counting else {}
    answer = device.perform(Call(Command(menu, "print", args), caller))
    if not isinstance(answer, Reply):
        raise Trap("cannot wait here")
    return answer.ret if answer.ret is not None else _console_table(answer)


def _console_table(reply: Reply) -> str:
    return "\n".join(
        f"{number} " + " ".join(f'{name}="{value}"' for name, value in row.items() if name != ".id")
        for number, row in enumerate(reply.rows)
    )


def _tokens(line: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    line = line.rstrip()
    while position < len(line):
        match = _TOKEN.match(line, position)
        if match is None:
            raise ConsoleError(f"syntax error (line 1 column {position + 1})")
        column = match.end() - len(match[0].lstrip()) + 1
        if match["find"]:
            found.append(_Token(column, "find", match["key"], _unquoted(match["wanted"])))
        elif match["name"]:
            found.append(_Token(column, "argument", match["name"], _unquoted(match["quoted"])))
        elif match["text"] is not None:
            found.append(_Token(column, "text", "", _unquoted(match["text"])))
        else:
            found.append(_Token(column, "word", "", match["word"]))
        position = match.end()
    return found


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    return re.sub(r"\\([0-9A-F]{2}|.)", _unescape, text[1:-1])


def _unescape(match: re.Match[str]) -> str:
    escaped = match[1]
    if len(escaped) == 2:  # noqa: PLR2004 - two hexadecimal digits
        return chr(int(escaped, 16))
    return _ESCAPES.get(escaped, escaped)
