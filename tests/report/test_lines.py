"""What people read of a run."""

import io
from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType

from mtts.core.errors import Problem
from mtts.core.outcome import NodeResult, Outcome
from mtts.report import lines


def _text(shown: Iterable[RenderableType]) -> list[str]:
    console = Console(file=io.StringIO(), width=240, no_color=True, highlight=False, emoji=False, markup=False)
    with console.capture() as captured:
        for renderable in shown:
            console.print(renderable, soft_wrap=True)
    return [line.rstrip() for line in captured.get().splitlines()]


def _cells(found: Sequence[NodeResult]) -> list[list[str]]:
    heading, _, *rows = _text(lines.results(found))
    return [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in (heading, *rows)]


UPDATED = NodeResult(
    "edge1",
    "tailscale",
    Outcome.UPDATED,
    strategy="ab",
    from_version="1.98.9",
    to_version="1.98.10",
    downtime_s=4.25,
    evidence="tailscale status",
)
UNCHANGED = NodeResult("edge2", "tailscale", Outcome.NO_OP, to_version="1.98.10")


def test_an_update_shows_how_and_how_long_the_node_was_away() -> None:
    assert _cells([UPDATED, UNCHANGED]) == [
        ["ROUTER", "NODE", "OUTCOME", "RELEASE", "STRATEGY", "DOWNTIME", "VERIFIED BY"],
        ["edge1", "tailscale", "updated", "1.98.9 → 1.98.10", "ab", "4.2 s", "tailscale status"],
        ["edge2", "tailscale", "no-op", "1.98.10", "-", "-", "-"],
    ]


def test_a_column_that_nobody_has_anything_in_is_not_shown() -> None:
    assert _cells([UNCHANGED]) == [["ROUTER", "NODE", "OUTCOME", "RELEASE"], ["edge2", "tailscale", "no-op", "1.98.10"]]


def test_a_downtime_of_nothing_is_something() -> None:
    held = NodeResult("edge1", "tailscale", Outcome.UPDATED, downtime_s=0.0)
    assert _cells([held])[1] == ["edge1", "tailscale", "updated", "0.0 s"]


def test_no_results_are_a_table_without_rows() -> None:
    assert _cells([]) == [["ROUTER", "NODE", "OUTCOME"]]


def test_what_is_wrong_with_many_nodes_alike_is_said_once() -> None:
    refused = [
        NodeResult(f"edge{number}", "tailscale", Outcome.REFUSED, problem=Problem("rollout-stopped", "left", "look"))
        for number in range(5)
    ]
    broken = NodeResult("edge9", "tailscale", Outcome.BROKEN, problem=Problem("crash-loop", "it restarts"))

    assert _text(lines.problems([broken, *refused])) == [
        "edge9/tailscale: it restarts [crash-loop]",
        "edge0/tailscale, edge1/tailscale, edge2/tailscale and 2 more: left [rollout-stopped]",
        "  hint: look",
    ]


def test_two_nodes_with_the_same_problem_are_both_named() -> None:
    both = [
        NodeResult(name, "tailscale", Outcome.NO_OP, warnings=(Problem("version-untested", "RouterOS 7.99"),))
        for name in ("edge1", "edge2")
    ]

    assert _text(lines.problems(both)) == ["edge1/tailscale, edge2/tailscale: RouterOS 7.99 [version-untested]"]
