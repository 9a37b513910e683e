"""What the console makes of a menu's answer: values with types, items found by conditions, a printed table.

The API says everything in text. A script gets numbers, booleans and times where a property plainly is one; names,
comments and contents stay text whatever they look like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtts.lab.command import Command
from mtts.lab.reply import Row, no_match, no_such_item
from mtts.lab.script.nodes import MenuCommand
from mtts.lab.script.operators import binary
from mtts.lab.script.values import (
    BOOLEANS,
    Array,
    Empty,
    Id,
    Time,
    Value,
    array_of,
    map_of,
    read_number,
    read_time,
    read_word,
    show,
)
from mtts.lab.script.vocabulary import Words
from mtts.lab.values import path_key

READS = frozenset({"find", "get", "print"})
TEXTS = frozenset(
    {
        *("name", "comment", "contents", "source", "on-event", "message", "data", "key", "value", "list", "script"),
        *("tag", "repo", "remote-image", "root-dir", "cmd", "entrypoint", "hostname", "domain-name", "workdir", "user"),
        *("version", "serial-number", "http-headers"),
    }
)
"""Properties that are text even where it spells a number or a boolean."""
TIMES = frozenset(
    {"uptime", "interval", "stop-time", "restart-interval", "auto-restart-interval", "start-time", "time"}
)
READ_ONLY: Mapping[str, frozenset[str]] = {
    "/container": frozenset({"os", "arch", "image-id", "tag", "repo", "restart-count", ".about", "config-json"}),
    "/file": frozenset({"size", "last-modified", "contents", "type"}),
    "/interface/bridge/port": frozenset({"inactive", "dynamic", "status"}),
    "/interface/veth": frozenset({"running"}),
    "/ip/address": frozenset({"actual-interface", "dynamic", "invalid", "slave"}),
    "/ip/route": frozenset({"active", "dynamic", "immediate-gw", "inactive", "static"}),
    "/system/scheduler": frozenset({"next-run", "owner", "run-count"}),
    "/system/script": frozenset({"invalid", "last-started", "run-count"}),
    "/system/script/job": frozenset({"owner", "policy", "script", "started", "type"}),
}
"""Properties that can be read, never set, and are not always there."""
CONTAINER_FLAGS = frozenset(
    {
        *("stopped", "starting", "running", "stopping", "deleting", "downloading/extracting"),
        *("download/extract failed", "healthy", "unhealthy", "starting-with-healthcheck"),
    }
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command is worth to a script, and what it prints on a line of its own."""

    value: Value | None = None
    printed: str = ""


def api_command(command: MenuCommand, args: Mapping[str, str]) -> Command:
    """The command as a menu takes it: reading asks for all rows, which the console then narrows down."""
    if command.verb in READS:
        return Command(command.menu, "print", {})
    return Command(command.menu, command.verb, dict(args))


def refine(
    words: Words, command: MenuCommand, args: Mapping[str, str], rows: Sequence[Row], ret: str | None
) -> Outcome:
    """What comes of an answer; Trap where a `get` or a `print from=` names what is not there."""
    is_single = words.arguments(command.menu, "find") is None
    match command.verb:
        case "find":
            return Outcome(array_of(Id(row[".id"]) for row in rows))
        case "get":
            return _got(words, command.menu, args, rows[0] if is_single else _row(rows, args.get("number", "")))
        case "print":
            return _print(args, rows, is_single=is_single)
        case "add":
            return Outcome(None if ret is None else Id(ret))
        case "ping":
            received = int(rows[-1]["received"]) if rows else 0
            return Outcome(received, _table(rows))
        case _ if "as-value" in args:
            return Outcome(_map(rows[-1]) if rows else Array())
        case _:
            value = ret if ret is None or "*" not in ret[:1] else Id(ret)
            return Outcome(value, (ret or _table(rows)) if not isinstance(value, Id) else "")


def readable(name: str, row: Row) -> Value:
    """A property as a script reads it; nil where the row has none."""
    if name not in row:
        return Empty.NIL
    text = row[name]
    if name in TEXTS:
        return text
    if name in TIMES:
        return read_time(text) or text
    if name == ".id":
        return Id(text)
    if text in {"true", "false"}:
        return BOOLEANS[text]
    number = read_number(text)
    return number if number is not None and str(number) == text else text


def compare_property(operator: str, text: str | None, wanted: Value) -> bool:
    """A condition on a property: `where` knows its type and reads the other side accordingly."""
    if operator == "!=":
        return not compare_property("=", text, wanted)
    shown = show(wanted)
    if text is None:
        return operator == "=" and (shown == "" or BOOLEANS.get(shown) is False)
    if operator == "=":
        if text == shown or (text in {"true", "false"} and BOOLEANS.get(shown) is BOOLEANS[text]):
            return True
        span = read_time(text)
        return span is not None and span == (wanted if isinstance(wanted, Time) else read_time(shown))
    if operator == "~":
        return binary("~", text, shown) is True
    return binary(operator, read_word(text), read_word(wanted) if isinstance(wanted, str) else wanted) is True


def _row(rows: Sequence[Row], selector: str) -> Row:
    for row in rows:
        if selector and (row.get(".id") == selector or row.get("name") in {selector, path_key(selector)}):
            return row
    raise no_such_item()


def _got(words: Words, menu: str, args: Mapping[str, str], row: Row) -> Outcome:
    name = args.get("value-name")
    if name is None:
        return Outcome(_map(row))
    if name in row:
        return Outcome(readable(name, row), row[name])
    if menu == "/container" and name in CONTAINER_FLAGS and words.has_flags():
        return Outcome(value=False, printed="false")
    settable = (words.arguments(menu, "add") or frozenset()) | (words.arguments(menu, "set") or frozenset())
    if name not in settable | READ_ONLY.get(menu, frozenset()):
        raise no_match("value-name")
    return Outcome("" if name in TEXTS else Empty.NIL)


def _print(args: Mapping[str, str], rows: Sequence[Row], *, is_single: bool) -> Outcome:
    if "from" in args:
        rows = [_row(rows, part) for part in args["from"].split(",") if part]
    if "count-only" in args:
        return Outcome(len(rows), str(len(rows)))
    if "proplist" in args:
        wanted = args["proplist"].split(",")
        rows = [{name: row[name] for name in wanted if name in row} for row in rows]
    if "as-value" in args:
        return Outcome(_map(rows[0]) if is_single else array_of(_map(row) for row in rows))
    return Outcome(None, _table(rows))


def _map(row: Row) -> Array:
    return map_of((name, readable(name, row)) for name in row)


def _table(rows: Sequence[Row]) -> str:
    return "\n".join(
        f"{number} " + " ".join(f'{name}="{value}"' for name, value in row.items() if name != ".id")
        for number, row in enumerate(rows)
    )
