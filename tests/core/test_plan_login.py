"""`mtts login`: the key is placed, read at a start or by a command inside, proven, and gone afterwards."""

from dataclasses import replace
from typing import Any

import pytest

from mtts.core.changes import AwaitHealthy, Change, PlaceKey, RetireKey, RunInside, Start, Stop
from mtts.core.facts import Facts
from mtts.core.plan import Plan
from mtts.core.plan_login import plan_login
from tests.core.examples import READY, a_container, a_node, a_resource, a_router, digest, facts_of

UP = a_container()
DOWN = a_container(running="false", stopped="true")
RECORDED = a_container(comment=f"mtts:tailscale v=1.90.1 platform={digest('2')}")
LEFT = a_container(**{".id": "*9"}, running="false", stopped="true", root_dir="mtts/root/tailscale/b")
STAGED = a_container(**{".id": "*9"}, running="false", stopped="true", comment="mtts:tailscale next=t1 v=1.92.0")
IN_MEMORY = a_container(running="false", stopped="true", comment="mtts:tailscale v=1.92.0 tx=t1 ram")
WITH_IDENTITY = replace(READY, state_bytes=2048)


def login(facts: Facts, *, reauth: bool = False, router: dict[str, Any] | None = None, **node: Any) -> Plan:
    spec = a_node(**node)
    return plan_login(router=a_router(spec, **router or {}), node=spec, facts=facts, reauth=reauth)


def kinds(plan: Plan) -> list[type[Change]]:
    assert not plan.refusals
    return [type(change) for change in plan.changes]


def test_a_running_node_reads_the_key_at_a_start() -> None:
    plan = login(facts_of(containers=(UP,)))
    assert kinds(plan) == [PlaceKey, Stop, Start, AwaitHealthy, RetireKey]
    assert isinstance(plan.changes[0], PlaceKey)
    assert plan.changes[0].file == "mtts/state/by-hostname/router1/authkey"
    assert plan.disrupts


def test_a_stopped_node_is_only_started() -> None:
    assert kinds(login(facts_of(containers=(DOWN,)))) == [PlaceKey, Start, AwaitHealthy, RetireKey]


def test_a_node_with_an_identity_is_told_to_log_in_anew() -> None:
    plan = login(facts_of(containers=(UP,), preconditions=WITH_IDENTITY), reauth=True)
    assert kinds(plan) == [PlaceKey, RunInside, AwaitHealthy, RetireKey]
    command = plan.changes[1]
    assert isinstance(command, RunInside)
    assert "--force-reauth" in command.command
    assert "--auth-key=file:/var/lib/tailscale/authkey" in command.command


@pytest.mark.parametrize("given", ["--reset", "-reset", "--force-reauth=false"])
def test_no_option_of_the_login_anew_is_given_twice(given: str) -> None:
    plan = login(
        facts_of(containers=(UP,), preconditions=WITH_IDENTITY), reauth=True, extra_args=(given, "--operator", "reset")
    )
    command = plan.changes[1]
    assert isinstance(command, RunInside)
    words = command.command.split()
    assert words[:4] == ["tailscale", "up", "--force-reauth", "--reset"]
    assert words[-2:] == ["--operator", "reset"]
    names = [word.partition("=")[0].lstrip("-") for word in words if word.startswith("-")]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("container", "known"), [(DOWN, WITH_IDENTITY), (UP, READY)], ids=["stopped", "without an identity"]
)
def test_where_nothing_can_be_told_the_key_is_read_at_a_start(container: Any, known: Any) -> None:
    assert RunInside not in kinds(login(facts_of(containers=(container,), preconditions=known), reauth=True))


@pytest.mark.parametrize("node", [{"keep_key": True}, {"ephemeral": True}])
def test_a_key_that_is_needed_again_stays(node: dict[str, Any]) -> None:
    assert RetireKey not in kinds(login(facts_of(containers=(UP,)), **node))


@pytest.mark.parametrize(
    ("facts", "options", "code"),
    [
        (facts_of(), {}, "not-deployed"),
        (facts_of(containers=(UP, DOWN)), {}, "duplicate-node"),
        (facts_of(containers=(RECORDED, LEFT)), {}, "not-deployed"),
        (facts_of(containers=(RECORDED, STAGED)), {}, "transaction-open"),
        (facts_of(containers=(IN_MEMORY,)), {}, "transaction-open"),
        (facts_of(containers=(a_container(comment="mtts:tailscale adopted"),)), {}, "not-deployed"),
        (facts_of(containers=(UP,)), {"auth_key": None}, "auth-key-missing"),
        (facts_of(containers=(UP,), resource=a_resource(version="7.19.6")), {"reauth": True}, "setting-unsupported"),
        (facts_of(containers=(UP,)), {"router": {"via": "tailnet"}}, "path-through-node"),
        (facts_of(containers=(UP,), preconditions=replace(READY, tailnet_session=True)), {}, "path-through-node"),
        (facts_of(containers=(a_container(root_dir="x"),)), {"router": {"storage": "usb1"}}, "storage-not-found"),
    ],
)
def test_a_login_that_cannot_be_is_refused_with_its_reason(facts: Facts, options: dict[str, Any], code: str) -> None:
    plan = login(facts, **options)
    assert [problem.code for problem in plan.refusals] == [code]
    assert all(problem.hint for problem in plan.refusals)
    assert not plan.changes
