"""`/file`: the router's files by path, their contents within the size that the API carries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mtts.lab.call import Call, Menu, list_rows
from mtts.lab.filetree import FileEntry
from mtts.lab.reply import DONE, Category, Reply, Row, Trap, failure, no_match, no_such_item
from mtts.lab.storage import NoSpaceError
from mtts.lab.table import value_of
from mtts.lab.values import path_key, stamp, whole

if TYPE_CHECKING:
    from mtts.lab.device import Device

CONTENTS_LIMIT = 60 * 1024
CHUNK_LIMIT = 32_768


class FileMenu(Menu):
    """Files and directories; items go by path or `.id`."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/file")
        self.verbs = {
            "print": lambda call: list_rows(self._rows(), call.command),
            "find": lambda call: Reply(ret=";".join(row[".id"] for row in list_rows(self._rows(), call.command).rows)),
            "get": lambda call: value_of(self._row(*self._selected(call)[0]), call),
            "add": self._add,
            "set": self._set,
            "remove": self._remove,
            "read": self._read,
        }

    def _rows(self) -> Iterator[Row]:
        for path, entry in list(self.device.files.entries.items()):
            yield self._row(path, entry)

    def _row(self, path: str, entry: FileEntry) -> dict[str, str]:
        row = {".id": f"*{entry.id:X}", "name": path, "type": entry.kind}
        if entry.kind == "file":
            extension = path.rpartition("/")[2].partition(".")[2].rpartition(".")[2]
            row["type"] = f".{extension} file" if extension else "file"
            row["size"] = str(len(entry.contents) or entry.room_bytes)
            if len(entry.contents) <= CONTENTS_LIMIT:
                row["contents"] = entry.contents.decode("utf-8", "surrogateescape")
        row["last-modified"] = stamp(entry.modified)
        return row

    def _selected(self, call: Call) -> list[tuple[str, FileEntry]]:
        wanted = call.command.selector() or ()
        entries = self.device.files.entries
        found = []
        for selector in wanted:
            key = path_key(selector)
            path = next((path for path, entry in entries.items() if f"*{entry.id:X}" == selector or path == key), None)
            if path is None:
                raise no_such_item()
            found.append((path, entries[path]))
        if not found:
            raise Trap("missing value(s) of argument(s) numbers", Category.ARGUMENT)
        return found

    def _add(self, call: Call) -> Reply:
        path = path_key(call.command.args.get("name", ""))
        if not path:
            raise Trap("missing value(s) of argument(s) name", Category.ARGUMENT)
        if path in self.device.files:
            raise failure("file already exists")
        parent = path.rpartition("/")[0]
        if parent and parent not in self.device.files and not self.device.quirks.file_add_makes_parents:
            raise failure(f"no such directory: {parent}")
        kind = call.command.args.get("type", "file")
        if kind not in {"directory", "file"}:
            raise no_match("type")
        if kind == "directory":
            self.device.files.make_directory(path)
        else:
            self._write(path, call.command.args.get("contents", ""))
        return Reply(ret=f"*{self.device.files.entries[path].id:X}")

    def _set(self, call: Call) -> Reply:
        for path, entry in self._selected(call):
            if self._is_going(path):
                continue
            if "contents" in call.command.args:
                if entry.kind != "file":
                    raise failure("not a file")
                self._write(path, call.command.args["contents"])
            if "name" in call.command.args:
                new = path_key(call.command.args["name"])
                if new in self.device.files:
                    raise failure("file already exists")
                self.device.files.rename(path, new)
        return DONE

    def _write(self, path: str, text: str) -> None:
        contents = text.encode("utf-8", "surrogateescape")
        if len(contents) > CONTENTS_LIMIT:
            raise failure("contents too long")
        try:
            self.device.files.write(path, contents)
        except NoSpaceError:
            raise failure("no space left on device") from None

    def _remove(self, call: Call) -> Reply:
        for path, entry in self._selected(call):
            if entry.kind == "disk":
                raise failure("cannot remove disk")
            if not self._is_going(path):
                self.device.files.remove(path)
        return DONE

    def _is_going(self, path: str) -> bool:
        """Whether a container that is being removed takes a path with it: file commands do nothing there meanwhile."""
        return any(f"{path}/".startswith(f"{one.root}/") for one in self.device.engine.leaving())

    def _read(self, call: Call) -> Reply:
        contents = self.device.files.read(path_key(call.command.args.get("file", "")))
        if contents is None:
            raise no_such_item()
        args = call.command.args
        offset = whole("offset", args.get("offset", "0"), 0, len(contents))
        size = whole("chunk-size", args.get("chunk-size", str(CHUNK_LIMIT)), 1, CHUNK_LIMIT)
        chunk = contents[offset : offset + size]
        return Reply(rows=[{"data": chunk.decode("utf-8", "surrogateescape")}])
