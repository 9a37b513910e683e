"""Pinning a certificate: one value of the inventory changes, every other byte stays as it was written.

The text is edited where the parser says the value stands, read back, and refused unless exactly that one
value differs: a form that this edit does not understand is left to its author. The new file takes the
old one's place in one step, with its mode and owner.
"""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from mtts.adapters.inventory.complaints import Complaint, KeyPath, refuse, shown
from mtts.adapters.inventory.loader import read_inventory
from mtts.adapters.inventory.source_text import read_source, unreadable
from mtts.adapters.inventory.yaml_text import Document, parse_yaml
from mtts.adapters.whole_file import replace_whole
from mtts.core.errors import UsageError

_KEY: Final = "fingerprint"


def pin_fingerprint(path: Path, router: str, fingerprint: str) -> None:
    """Set the router's `fingerprint` in the inventory at `path`; UsageError and an untouched file where that fails."""
    source = read_source(path)
    if not source.is_regular:
        raise unreadable(f"{path}: is no regular file, so that a fingerprint cannot be written to it")
    if all(known.name != router for known in read_inventory(path, source).routers):
        raise UsageError(f"{path} has no router {shown(router)}", code="no-such-target")
    before = parse_yaml(source.text)
    after = _edited(source.text, before, router, fingerprint)
    if not _differs_only_there(before, parse_yaml(after), router, fingerprint):
        where: KeyPath = ("routers", router)
        complaint = Complaint(
            before.line_of(where), where, f'cannot be edited safely; add {_KEY}: "{fingerprint}" by hand'
        )
        raise refuse(path, [complaint])
    read_inventory(path, replace(source, text=after))
    if after != source.text:
        _replace(path.resolve(), after)


def _edited(text: str, document: Document, router: str, fingerprint: str) -> str:
    here = ("routers", router)
    written = f'"{fingerprint}"'
    present = document.scalars.get((*here, _KEY))
    if present is not None and present.start == present.end:
        after_colon = present.key_end + 1
        return f"{text[:after_colon]} {written}{text[after_colon:]}"
    if present is not None:
        return text[: present.start] + written + text[present.end :]
    host = document.scalars[*here, "host"]
    if host.is_in_flow:
        return f"{text[: host.end]}, {_KEY}: {written}{text[host.end :]}"
    line = f"{' ' * host.key_column}{_KEY}: {written}"
    newline = text.find("\n", host.end)
    if newline < 0:
        return f"{text}\n{line}\n"
    ending = "\r\n" if text[newline - 1] == "\r" else "\n"
    return f"{text[: newline + 1]}{line}{ending}{text[newline + 1 :]}"


def _differs_only_there(before: Document, after: Document, router: str, fingerprint: str) -> bool:
    wanted: Any = copy.deepcopy(before.value)
    wanted["routers"][router][_KEY] = fingerprint
    return not after.complaints and after.value == wanted


def _replace(target: Path, text: str) -> None:
    try:
        replace_whole(target, text)
    except OSError as error:
        raise unreadable(f"{target}: cannot be written: {error.strerror}") from error
