"""Programs of other architectures on this machine: the kernel hands them to qemu-user while a test runs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.image.world import sh

REGISTRY: Final = Path("/proc/sys/fs/binfmt_misc")
EMULATORS: Final = {
    # architecture: program, and how an executable of it begins: class (32 or 64 bits) and machine of its ELF header
    "arm64": ("qemu-aarch64-static", 2, 0xB7),
    "arm-v7": ("qemu-arm-static", 1, 0x28),
}


@contextmanager
def emulated(architecture: str) -> Iterator[None]:
    """Nothing for this machine's own; skips where the emulator is not installed."""
    if architecture not in EMULATORS:
        yield
        return
    name, bits, machine = EMULATORS[architecture]
    emulator = shutil.which(name)
    if emulator is None:
        pytest.skip(f"{name} is not installed (qemu-user-static)")
    if not (REGISTRY / "register").exists():
        sh("mount", "-t", "binfmt_misc", "binfmt_misc", str(REGISTRY))
    entry = f"mtts-{architecture}"
    magic = "".join(f"\\x{byte:02x}" for byte in [*b"\x7fELF", bits, 1, 1, *[0] * 9, 2, 0, machine, 0])
    mask = r"\xff\xff\xff\xff\xff\xff\xff" + r"\x00" * 9 + r"\xfe\xff\xff\xff"
    # P: it sees the name that a program is called by, which busybox goes by. F: it is found from inside a chroot.
    (REGISTRY / "register").write_text(f":{entry}:M::{magic}:{mask}:{emulator}:PF")
    try:
        yield
    finally:
        (REGISTRY / entry).write_text("-1")
