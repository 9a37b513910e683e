#!/usr/bin/env python3
"""Takes the tables of file names and line numbers out of Go executables, in place: image/drop_lines.py FILE...

They serve stack traces alone, and are a ninth of Tailscale once it is packed. For a function without such a table Go's
runtime prints `?:0`; names of functions and offsets in them stay. Nothing moves: `go tool addr2line` finds the lines in
the same build with its tables, which flavour `plain` is.
The format is that of runtime/symtab.go and of `_func` in runtime/runtime2.go, from Go 1.20 on; the magic number tells.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

MAGIC = 0xFFFFFFF1
CLASS_64 = 2  # in the fifth byte of an ELF file
# Words of `_func`, four bytes each, by their place in it; its tables by number follow from PCDATA on.
PCSP, PCFILE, PCLN, NPCDATA, CU_OFFSET, START_LINE, PCDATA = 4, 5, 6, 7, 8, 9, 11


def section(program: bytearray, wanted: bytes) -> int:
    """Where a section of an ELF file begins; raises ValueError where there is none of that name."""
    is_64_bits = program[4] == CLASS_64
    word, header = ("Q", "<IIQQQQ") if is_64_bits else ("I", "<IIIIII")
    (table,) = struct.unpack_from(f"<{word}", program, 0x28 if is_64_bits else 0x20)
    size, count, names_at = struct.unpack_from("<HHH", program, 0x3A if is_64_bits else 0x2E)
    sections = [struct.unpack_from(header, program, table + number * size) for number in range(count)]
    names = sections[names_at][4]
    for name, _, _, _, offset, _ in sections:
        if program[names + name : names + name + len(wanted) + 1] == wanted + b"\0":
            return int(offset)
    raise ValueError(f"no section {wanted.decode()}")


def end_of_table(program: bytearray, at: int) -> int:
    """Where a table of values by program counter ends: pairs of variable-length numbers, then a zero."""
    first = at
    while program[at] or at == first:
        for _ in "value", "counter":
            while program[at] & 0x80:
                at += 1
            at += 1
    return at + 1


def drop_lines(program: bytearray) -> None:
    """Write zeros over all that only tells lines."""
    begin = section(program, b".gopclntab")
    magic, pads, _, pointer = struct.unpack_from("<IHBB", program, begin)
    if (magic, pads) != (MAGIC, 0):
        raise ValueError(f"the table of functions is of another Go: {magic:#x}")
    # Behind the magic number: how many functions, then where what is (`units` tell the files of each package).
    fields = struct.unpack_from({4: "<8I", 8: "<8Q"}[pointer], program, begin + 8)
    functions, (units, _, tables, entries) = fields[0], (begin + offset for offset in fields[4:])
    kept = bytearray(entries - tables)
    seen = {0}  # which says that there is no table

    for number in range(functions):
        (offset,) = struct.unpack_from("<I", program, entries + 8 * number + 4)
        function = entries + offset
        words = struct.unpack_from("<11I", program, function)
        used = (words[PCSP], *struct.unpack_from(f"<{words[NPCDATA]}I", program, function + 4 * PCDATA))
        for table in set(used) - seen:  # one may serve several functions
            length = end_of_table(program, tables + table) - tables - table
            kept[table : table + length] = b"\xff" * length
        seen.update(used)
        for word in (PCFILE, PCLN, CU_OFFSET, START_LINE):
            struct.pack_into("<I", program, function + 4 * word, 0)

    program[units:tables] = bytes(tables - units)  # the names of all files, too
    program[tables:entries] = bytes(a & b for a, b in zip(program[tables:entries], kept, strict=True))


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        program = bytearray(path.read_bytes())
        drop_lines(program)
        path.write_bytes(program)


if __name__ == "__main__":
    main()
