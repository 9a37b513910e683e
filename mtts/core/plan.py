"""A plan as a value: what one node needs, what speaks against it, and whether it is still true.

How it comes about is in plan_node.py (deploy), plan_login.py and removal.py.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mtts.core.changes import (
    Add,
    Change,
    is_disruptive,
)
from mtts.core.errors import Problem
from mtts.core.facts import Facts
from mtts.core.inventory import Router

_VOLATILE: Final = frozenset(
    {"memory-current", "cpu-usage", "container-size", "data-size", "free", "use", "bytes", "packets", "running"}
)
"""Properties that move by themselves and so say nothing about whether somebody changed the router."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one node needs; empty changes and no refusals mean converged."""

    router: str
    node: str
    routeros: str
    fingerprint: str
    """Of the facts that it was made from."""
    changes: tuple[Change, ...] = ()
    refusals: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    to_version: str | None = None
    """The release that a pull brings."""

    @property
    def is_converged(self) -> bool:
        return not self.changes and not self.refusals

    @property
    def pulls(self) -> bool:
        return any(isinstance(change, Add) and change.path == "/container" for change in self.changes)

    @property
    def disrupts(self) -> bool:
        return any(is_disruptive(change) for change in self.changes)


def is_stale(plan: Plan, approved: Sequence[Plan] | None, *, underway: bool) -> Problem | None:
    """Why `plan` is not what was approved; nothing where nobody was asked (None).

    `underway` says that another node of the router was written for meanwhile: what nodes share is there by now, so that
    less may be left to do than was approved, but never more.
    """
    if approved is None:
        return None
    wanted = next((one for one in approved if (one.router, one.node) == (plan.router, plan.node)), None)
    if wanted is None:
        return Problem("plan-stale", f"nothing was approved for node {plan.node} on {plan.router}", "plan again")
    if underway:
        has_changed = any(change not in wanted.changes for change in plan.changes)
    else:
        has_changed = wanted.fingerprint != plan.fingerprint or wanted.changes != plan.changes
    if has_changed:
        return Problem("plan-stale", f"{plan.router} changed since the plan was made", "plan again, and look at it")
    return None


def fingerprint(facts: Facts) -> str:
    """A hash of everything in the facts that a plan rests on; the same router unchanged gives the same one."""
    stable = {
        "version": facts.resource.version_text,
        "containers": [_stable(row.props) for row in facts.containers],
        "tables": {path: [_stable(item.props) for item in rows] for path, rows in sorted(facts.tables.items())},
    }
    return hashlib.sha256(json.dumps(stable, sort_keys=True).encode()).hexdigest()


def path_through_node(router: Router, facts: Facts) -> Problem | None:
    """Why the node must not be stopped from here: it carries the very session that would stop it."""
    known = facts.preconditions
    if router.via != "tailnet" and not (known is not None and known.tailnet_session):
        return None
    return Problem(
        "path-through-node",
        f"{router.name} is reached through its own node, which this would stop",
        "run mtts from a place that reaches the router without the tailnet",
    )


def _stable(props: Mapping[str, str]) -> dict[str, Any]:
    return {prop: value for prop, value in sorted(props.items()) if prop not in _VOLATILE}
