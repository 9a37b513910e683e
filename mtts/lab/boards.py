"""The boards that the lab knows: processor, memory, storage, and whether they are of the `flash` kind.

A board of the `flash` kind keeps everything outside `flash/` in RAM. Figures are the vendors' round ones;
free space is what a freshly installed router with the container package has about left.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Board:
    """What `/system/resource` says of a piece of hardware, and what it can hold."""

    name: str
    architecture: str
    cpu: str
    flash_total_bytes: int
    flash_free_bytes: int
    ram_bytes: int
    flash_trap: bool = False
    cpu_count: int = 4
    ethernet: int = 5

    @property
    def is_virtual(self) -> bool:
        """A CHR: its disk is the host's, so that it knows neither its wear nor its bad blocks."""
        return self.name == "CHR"


BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        Board("RB5009UG+S+IN", "arm64", "ARM64", 1024 * MIB, 900 * MIB, 1024 * MIB, ethernet=8),
        Board("hAP ax^2", "arm64", "ARM64", 128 * MIB, 80 * MIB, 1024 * MIB),
        Board("hAP ax^3", "arm64", "ARM64", 128 * MIB, 80 * MIB, 1024 * MIB),
        Board("hAP ac^2", "arm", "ARMv7", 16 * MIB, 3 * MIB, 128 * MIB, flash_trap=True),
        Board("hAP ax lite", "arm", "ARMv7", 128 * MIB, 80 * MIB, 256 * MIB, cpu_count=2),
        Board("RB4011iGS+", "arm", "ARMv7", 512 * MIB, 440 * MIB, 1024 * MIB, ethernet=10),
        Board("hEX refresh", "arm", "EN7562CT", 128 * MIB, 80 * MIB, 512 * MIB, cpu_count=2),
        Board("CHR", "x86_64", "Intel(R)", 1024 * MIB, 900 * MIB, 1024 * MIB, cpu_count=2, ethernet=2),
    )
}
SHORT_NAMES = {
    "RB5009": "RB5009UG+S+IN",
    "hAP ac2": "hAP ac^2",
    "hAP ax2": "hAP ax^2",
    "hAP ax3": "hAP ax^3",
    "RB4011": "RB4011iGS+",
    "hEX Refresh": "hEX refresh",
}
BOARD_BY_ARCHITECTURE = {"arm64": "RB5009", "arm": "RB4011", "x86_64": "CHR"}


def find_board(name: str) -> Board:
    """A board by its full or short name; ValueError names those that exist."""
    board = BOARDS.get(SHORT_NAMES.get(name, name))
    if board is None:
        raise ValueError(f"no board {name!r}; known: {', '.join(BOARDS)}")
    return board
