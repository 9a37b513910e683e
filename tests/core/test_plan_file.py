"""A plan as a file: what mtts wrote it reads again, and anything else it refuses in one way."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.errors import Problem, UsageError
from mtts.core.plan import Plan, fingerprint
from mtts.core.plan_file import SCHEMA, document, dumps, loads
from mtts.core.plan_node import plan_node
from tests.core.examples import a_node, a_release, a_resource, a_router, facts_of

PLAN = Plan(
    router="router1",
    node="tailscale",
    routeros="7.23.3 (stable)",
    fingerprint="f" * 64,
    refusals=(Problem("dns-missing", "m", "h"),),
    warnings=(Problem("usage", "w"),),
    to_version="1",
)


def a_plan() -> Plan:
    node = a_node()
    return plan_node(router=a_router(node), node=node, facts=facts_of(), release=a_release())


def test_plans_are_read_as_they_were_written() -> None:
    plans = (a_plan(), PLAN)
    assert plans[0].changes
    assert loads(dumps(plans)) == plans
    with pytest.raises(UsageError, match="holds no plan"):
        loads(dumps([]))


def test_a_plan_file_names_its_schema() -> None:
    assert json.loads(dumps([PLAN]))["schema"] == SCHEMA == "mtts/plan/1"


def broken(**fields: Any) -> str:
    entry = {**document(PLAN), **fields}
    return json.dumps({"schema": SCHEMA, "plans": [{key: value for key, value in entry.items() if value != "gone"}]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "null",
        "{}",
        '{"schema": "mtts/plan/2", "plans": []}',
        '{"schema": "mtts/plan/1"}',
        '{"schema": "mtts/plan/1", "plans": 5}',
        '{"schema": "mtts/plan/1", "plans": ["x"]}',
        "[" * 100_000,
        broken(fingerprint="gone"),
        broken(changes=[{"kind": "Explode"}]),
        broken(changes=[{"path": "/file"}]),
        broken(changes=[{"kind": "Start", "root_dir": "a", "label": "b"}]),
        broken(changes=[{"kind": "Start", "root_dir": "a", "label": "b", "why": "c", "more": "d"}]),
        broken(changes=[{"kind": ["Start"]}]),
        broken(changes=["Start"]),
        broken(changes=None),
        broken(refusals=[{"code": "no-such-code", "message": "m"}]),
        broken(refusals=[{"code": "usage"}]),
    ],
    ids=range(20),
)
def test_what_mtts_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        loads(text)
    assert refused.value.problem.code == "plan-file-invalid"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_json_is_refused_in_that_one_way(value: Any) -> None:
    with pytest.raises(UsageError):
        loads(json.dumps({"schema": SCHEMA, "plans": [value]}))


ROW = {".id": "*1", "name": "mtts", "comment": "mtts:shared"}


def test_the_same_router_has_the_same_fingerprint_whatever_moves_by_itself() -> None:
    facts = facts_of(tables={"/interface/bridge": [ROW]})
    later = facts_of(
        tables={"/interface/bridge": [dict(reversed(ROW.items())) | {"running": "true", "free": "5"}]},
        resource=a_resource(uptime="5s", free_hdd_space="1"),
    )
    assert fingerprint(facts) == fingerprint(later)


@pytest.mark.parametrize(
    "other",
    [
        facts_of(tables={"/interface/bridge": [ROW | {"comment": "mine"}]}),
        facts_of(tables={"/interface/bridge": [ROW, ROW]}),
        facts_of(tables={"/interface/veth": [ROW]}),
        facts_of(tables={"/interface/bridge": [ROW]}, resource=a_resource(version="7.24")),
        facts_of({"name": "x", "stopped": "true"}, tables={"/interface/bridge": [ROW]}),
    ],
    ids=["value", "row", "menu", "version", "container"],
)
def test_a_router_that_changed_has_another_fingerprint(other: Any) -> None:
    assert fingerprint(facts_of(tables={"/interface/bridge": [ROW]})) != fingerprint(other)
