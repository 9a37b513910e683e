"""Go programs without their tables of lines: they run as before, and their stack traces name functions alone."""

import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.image.trees import IMAGE

GO = shutil.which("go") or ""
EMULATORS = {"amd64": [], "arm64": ["qemu-aarch64-static"], "arm": ["qemu-arm-static"]}

# Moves stacks, collects garbage while they are deep, recovers and unwinds: all that reads tables of the runtime.
PROGRAM = """\
package main

import (
	"fmt"
	"runtime"
	"strings"
)

func deep(left int, kept []byte) int {
	if left == 0 {
		runtime.GC()
		return len(kept)
	}
	return deep(left-1, append(kept, byte(left))) + 1
}

func recovered() (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	var nowhere *struct{ field [10]int }
	return fmt.Sprint(nowhere.field[3])
}

func whoAmI() string {
	counter, _, _, _ := runtime.Caller(0)
	return runtime.FuncForPC(counter).Name()
}

func main() {
	done := make(chan int)
	for range 4 {
		go func() { done <- deep(20000, nil) }()
	}
	for range 4 {
		fmt.Println(<-done)
	}
	fmt.Println(whoAmI(), strings.Contains(recovered(), "nil pointer"))
	panic("on purpose")
}
"""


def built(directory: Path, architecture: str, *, inlining: bool) -> Path:
    """The program, as Tailscale is built but for the inlining, which has tables of its own."""
    (directory / "main.go").write_text(PROGRAM)
    program = directory / "program"
    flags = [] if inlining else ["-gcflags=all=-l"]
    environ = os.environ | {"GOARCH": architecture, "GOARM": "7", "CGO_ENABLED": "0", "GO111MODULE": "off"}
    arguments = ["build", "-trimpath", *flags, "-ldflags=-s -w", "-o", str(program), str(directory / "main.go")]
    subprocess.run([GO, *arguments], check=True, env=environ, cwd=directory)
    return program


def ran(program: Path, architecture: str) -> subprocess.CompletedProcess[str]:
    emulator = EMULATORS[architecture]
    if emulator and not shutil.which(emulator[0]):
        pytest.skip(f"{emulator[0]} is not installed (qemu-user-static)")
    return subprocess.run([*emulator, str(program)], check=False, text=True, capture_output=True)


def drop_lines(program: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, IMAGE / "drop_lines.py", program], check=False, text=True, capture_output=True
    )


@pytest.mark.image
@pytest.mark.skipif(not GO, reason="no go command here")
@pytest.mark.parametrize("inlining", [False, True])
@pytest.mark.parametrize("architecture", EMULATORS)
def test_a_program_runs_as_before_and_says_functions_without_lines(
    tmp_path: Path, architecture: str, *, inlining: bool
) -> None:
    program = built(tmp_path, architecture, inlining=inlining)
    before, size_bytes = ran(program, architecture), program.stat().st_size
    assert re.search(r"main\.main\(\)\n\t\S*main\.go:\d+ \+0x", before.stderr)

    assert drop_lines(program).returncode == 0
    after = ran(program, architecture)
    assert (after.returncode, after.stdout) == (before.returncode, before.stdout)
    assert "main.whoAmI true" in after.stdout
    assert program.stat().st_size == size_bytes
    assert b"main.go" not in program.read_bytes()
    assert "panic: on purpose" in after.stderr
    assert re.search(r"main\.main\(\)\n\t\?:0 \+0x", after.stderr)
    # The offset in the function is what leads to the line, in the build that has the tables.
    offsets = [re.search(r"main\.main\(\)\n\t\S+ (\+0x\w+)", said.stderr) for said in (before, after)]
    assert offsets[0]
    assert offsets[1]
    assert offsets[0][1] == offsets[1][1]


def elf(table: bytes, name: bytes = b".gopclntab") -> bytes:
    """A file of 64 bits with one section beside that of names."""
    names = b"\0" + name + b"\0"
    sections = [(0, 0, 0, 0, 64, len(table)), (len(name) + 1, 0, 0, 0, 64 + len(table), len(names))]
    sections[0] = (1, *sections[0][1:])
    header = bytearray(64)
    header[:5] = b"\x7fELF\x02"
    struct.pack_into("<Q", header, 0x28, 64 + len(table) + len(names))
    struct.pack_into("<HHH", header, 0x3A, 64, len(sections), 1)
    return bytes(header) + table + names + b"".join(struct.pack("<IIQQQQ24x", *section) for section in sections)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (elf(struct.pack("<IHBB", 0xFFFFFFF0, 0, 4, 8)), "the table of functions is of another Go: 0xfffffff0"),
        (elf(b"", name=b".text"), "no section .gopclntab"),
    ],
)
def test_what_it_does_not_know_it_leaves_alone(tmp_path: Path, content: bytes, why: str) -> None:
    program = tmp_path / "program"
    program.write_bytes(content)
    done = drop_lines(program)
    assert done.returncode == 1
    assert why in done.stderr
    assert program.read_bytes() == content


def test_only_what_tells_lines_is_gone(tmp_path: Path) -> None:
    """Two functions that share a table, one of whose own tables begins with a value that is zero."""
    tables = {1: b"\x02\x05\x00", 4: b"\x02\x03\x04\x80\x01\x00", 10: b"\x00\x09\x00"}
    lines = {13: b"\x07\x01\x00", 16: b"\x09\x01\x00"}
    pctab = bytearray(20)
    for at, content in (tables | lines).items():
        pctab[at : at + len(content)] = content
    functions = [
        struct.pack("<11I", 0, 0, 0, 0, 1, 13, 16, 2, 3, 77, 0) + struct.pack("<2I", 0, 4),
        struct.pack("<11I", 8, 0, 0, 0, 10, 13, 16, 1, 3, 78, 0) + struct.pack("<I", 4),
    ]
    index = struct.pack("<5I", 0, 20, 8, 20 + len(functions[0]), 16)
    files = b"a.go\0b.go\0\0\0"
    places = [72, 76, 80, 80 + len(files), 80 + len(files) + len(pctab)]
    header = struct.pack("<IHBB8Q", 0xFFFFFFF1, 0, 4, 8, 2, 2, 0, *places)
    program = tmp_path / "program"
    program.write_bytes(elf(header + b"f\0g\0" + b"\1\0\0\0" + files + pctab + index + b"".join(functions)))

    assert drop_lines(program).returncode == 0
    left = program.read_bytes()[64:]
    for at in lines:
        pctab[at : at + 3] = bytes(3)
    assert left[places[0] : places[3]] == b"f\0g\0" + bytes(4) + bytes(len(files))
    assert left[places[3] : places[4]] == pctab
    kept = left[places[4] :]
    assert kept.startswith(index)
    assert struct.unpack_from("<13I", kept, 20) == (0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 4)
    assert struct.unpack_from("<12I", kept, 20 + 52) == (8, 0, 0, 0, 10, 0, 0, 1, 0, 0, 0, 4)
