"""The planner's stories: what is in the file is what the plan says, in that order, and nothing else.

A change is written `Kind [path] label`, alone or as the key of what it must hold (`props`, `after`, `before`, …).
`changes` is all of them in order, `includes` only those that the story is about.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from mtts.core import plan_file
from mtts.core.changes import Change, Remove, Set
from mtts.core.facts import Facts, Item
from mtts.core.plan import Plan
from mtts.core.plan_node import plan_node
from mtts.core.values import is_true, same
from tests.core.plan_cases import case_names, load_case


@pytest.mark.parametrize("name", case_names())
def test_the_plan_says_what_its_story_says(name: str) -> None:
    case = load_case(name)
    plan = plan_node(router=case.router, node=case.node, facts=case.facts, release=case.release, adopt=case.adopt)
    expected = case.expected
    known = {"changes", "includes", "pulls", "refusals", "warnings", "to_version", "disrupts", "converged", "messages"}
    assert expected.keys() <= known, "a word that no check looks at"
    if "changes" in expected:
        assert [_line(change) for change in plan.changes] == [_title(entry) for entry in expected["changes"]]
        for change, entry in zip(plan.changes, expected["changes"], strict=True):
            _assert_holds(change, entry)
    for entry in expected.get("includes", []):
        (change,) = (change for change in plan.changes if _line(change) == _title(entry))
        _assert_holds(change, entry)
    if "pulls" in expected:
        assert plan.pulls == is_true(expected["pulls"])
    assert [problem.code for problem in plan.refusals] == expected.get("refusals", [])
    assert [problem.code for problem in plan.warnings] == expected.get("warnings", [])
    assert plan.disrupts == is_true(expected.get("disrupts"))
    assert plan.is_converged == is_true(expected.get("converged"))
    if "to_version" in expected:
        assert plan.to_version == expected["to_version"]
    for fragment in expected.get("messages", []):
        assert any(fragment in f"{problem.message} {problem.hint}" for problem in (*plan.refusals, *plan.warnings))
    _assert_sound(plan, case.facts)


def _title(entry: str | Mapping[str, Any]) -> str:
    return entry if isinstance(entry, str) else next(iter(entry))


def _line(change: Change) -> str:
    path = getattr(change, "path", "")
    return " ".join(part for part in (type(change).__name__, path, change.label) if part)


def _assert_holds(change: Change, entry: str | Mapping[str, Any]) -> None:
    if isinstance(entry, str):
        return
    ((_, wanted),) = entry.items()
    for field, value in wanted.items():
        present = getattr(change, field)
        wants = is_true(value) if isinstance(present, bool) else value
        assert present == wants, f"{_line(change)}: {field}"


def _assert_sound(plan: Plan, facts: Facts) -> None:
    """What holds of every plan: it survives a file, helps where it refuses, and touches only what is ours (I9)."""
    assert plan_file.loads(plan_file.dumps([plan])) == (plan,)
    for problem in plan.refusals:
        assert problem.hint, f"{problem.code} leaves the reader alone"
    for change in plan.changes:
        if isinstance(change, Set | Remove):
            _assert_ours(change, facts)


def _assert_ours(change: Set | Remove, facts: Facts) -> None:
    if not change.identity or change.path == "/file":
        return
    if change.path == "/container":
        (row,) = (row for row in facts.containers if row.root_dir == change.identity["root-dir"])
        adopts = isinstance(change, Set) and change.after.get("comment", "").startswith("mtts:")
        assert row.tag is not None or adopts, f"{change.label} is not ours"
        return
    found = [item for item in facts.table(change.path) if _is(item, change.identity)]
    assert len(found) == 1, f"{change.label} does not name one object: {change.identity}"
    assert found[0].tag is not None, f"{change.label} is not ours"


def _is(item: Item, identity: Mapping[str, str]) -> bool:
    return all(same(prop, value, item.get(prop)) for prop, value in identity.items())
