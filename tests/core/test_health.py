"""What a node shows, and whether that is health."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.health import Evidence, Health, health_from_log, health_from_status


def status(**fields: Any) -> str:
    return json.dumps({"Version": "1.90.1", "BackendState": "Running", "Self": {"ID": "n1", "Online": True}} | fields)


def test_a_running_node_is_read_with_its_identity() -> None:
    assert health_from_status(status()) == Health(Evidence.STATUS, "Running", True, "n1", "1.90.1")


def test_what_a_console_prints_round_it_is_passed_over() -> None:
    found = health_from_status(f"entering shell\r\n{status()}\r\n[admin@MikroTik] >")
    assert found is not None
    assert found.is_healthy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "}{",
        "{not json}",
        "[]",
        "{}",
        '{"BackendState": 5}',
        "exec format error",
        '{"a":' * 100_000 + "}" * 100_000,
    ],
    ids=range(9),
)
def test_what_is_no_status_is_none(text: str) -> None:
    assert health_from_status(text) is None


@pytest.mark.parametrize(
    "me", [None, [], {"ID": "", "Online": "yes"}, {"ID": 7}], ids=["null", "list", "wrong types", "number"]
)
def test_fields_of_other_types_are_unknown(me: Any) -> None:
    assert health_from_status(status(Self=me, Version=1)) == Health(Evidence.STATUS, "Running")


@given(st.text())
def test_no_output_of_a_container_can_fail_the_reader(text: str) -> None:
    health_from_status(text)
    health_from_log([text])


@pytest.mark.parametrize(
    ("health", "is_healthy", "needs_login"),
    [
        (Health(Evidence.STATUS, "Running", is_online=True), True, False),
        (Health(Evidence.LOG, "Running"), True, False),
        (Health(Evidence.STATUS, "Running", is_online=False), False, False),
        (Health(Evidence.STATUS, "Starting"), False, False),
        (Health(Evidence.LOG, "NeedsLogin"), False, True),
        (Health(Evidence.LOG, "NeedsMachineAuth"), False, True),
        (Health(Evidence.STATUS, "Stopped"), False, False),
    ],
)
def test_running_and_not_known_to_be_offline_is_healthy(health: Health, *, is_healthy: bool, needs_login: bool) -> None:
    assert (health.is_healthy, health.needs_login) == (is_healthy, needs_login)


def test_the_last_switch_in_the_log_counts() -> None:
    log = [
        "Program starting: v1.90.1",
        "Switching ipn state NoState -> NeedsLogin (WantRunning=false)",
        "Switching ipn state NeedsLogin -> Starting (WantRunning=true)",
        "tailscale-a: Switching ipn state Starting -> Running (WantRunning=true, nm=true)",
        "magicsock: derp-1 connected",
    ]
    assert health_from_log(log) == Health(Evidence.LOG, "Running")
    assert health_from_log(log[:2]) == Health(Evidence.LOG, "NeedsLogin")
    assert health_from_log(log[:1]) is None
