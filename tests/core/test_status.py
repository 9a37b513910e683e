"""What `mtts status` makes of a node."""

from typing import Any

import pytest

from mtts.core.errors import Problem
from mtts.core.health import Evidence, Health
from mtts.core.status import NodeStatus
from tests.core.examples import a_release, digest


def a_status(**other: Any) -> NodeStatus:
    values: dict[str, Any] = {
        "router": "router1",
        "node": "tailscale",
        "routeros": "7.23.3",
        "state": "running",
        "version": "1.90.1",
        "platform_digest": digest("2"),
        "latest": a_release(),
        "health": None,
        "free_flash_bytes": None,
        "total_flash_bytes": None,
    }
    return NodeStatus(**values | other)


@pytest.mark.parametrize(
    ("other", "is_current"),
    [
        ({}, True),
        ({"platform_digest": digest("9")}, False),
        ({"platform_digest": None}, None),
        ({"latest": None}, None),
        ({"latest": Problem("registry-unavailable", "m")}, None),
    ],
)
def test_a_node_is_current_by_its_platform_s_digest(other: dict[str, Any], *, is_current: bool | None) -> None:
    assert a_status(**other).is_current is is_current


@pytest.mark.parametrize(
    ("other", "serves"),
    [
        ({}, True),
        ({"state": "stopped"}, False),
        ({"platform_digest": None}, False),
        ({"health": Health(Evidence.LOG, "Running"), "platform_digest": None}, True),
        ({"health": Health(Evidence.LOG, "NeedsLogin")}, False),
    ],
)
def test_a_node_serves_by_its_health_or_else_by_its_record(other: dict[str, Any], *, serves: bool) -> None:
    assert a_status(**other).serves is serves
