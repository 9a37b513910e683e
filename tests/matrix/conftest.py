"""The fixtures of the engine's tests, a second controller's store, and the count of what passed."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtts.adapters.store.place import find_place
from mtts.adapters.store.store import SqlStore
from mtts.ports import Store
from tests.engine.conftest import deployment, lab, store

__all__ = ["deployment", "lab", "store"]
GROUP = "group"


@pytest.fixture
def another_store(tmp_path: Path) -> Iterator[Store]:
    """Of a controller that knows nothing of the first one."""
    store = SqlStore(find_place(str(tmp_path / "another"), {}))
    yield store
    store.close()


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> None:
    """Has a test of the matrix counted with its like."""
    request.node.user_properties.append((GROUP, request.getfixturevalue("case").group))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print passed/total per version, strategy, path and kind."""
    passed, total = Counter[str](), Counter[str]()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            group = dict(report.user_properties).get(GROUP)
            if group is not None and report.when == "call":
                total[group] += 1
                passed[group] += outcome == "passed"
    for group in sorted(total):
        terminalreporter.write_line(f"{group:38}{passed[group]:4}/{total[group]}")
    if total:
        terminalreporter.write_line(f"{'':38}{passed.total():4}/{total.total()}")
