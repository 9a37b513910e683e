"""A plan as a file: what was approved is what is applied, or nothing is.

The file holds no secret; applying it asks for the facts' fingerprint again and refuses when the router changed.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from mtts.core import changes
from mtts.core.errors import Problem, UsageError
from mtts.core.plan import Plan

SCHEMA: Final = "mtts/plan/1"


def document(plan: Plan) -> dict[str, Any]:
    """One plan as JSON values."""
    return {
        "router": plan.router,
        "node": plan.node,
        "routeros": plan.routeros,
        "fingerprint": plan.fingerprint,
        "to_version": plan.to_version,
        "changes": changes.to_json(plan.changes),
        "refusals": [_problem(problem) for problem in plan.refusals],
        "warnings": [_problem(problem) for problem in plan.warnings],
    }


def dumps(plans: Sequence[Plan]) -> str:
    return json.dumps({"schema": SCHEMA, "plans": [document(plan) for plan in plans]}, indent=2) + "\n"


def loads(text: str) -> tuple[Plan, ...]:
    """The plans in a file; UsageError (`plan-file-invalid`) when it is not one that mtts wrote."""
    try:
        whole = json.loads(text)
        if whole["schema"] != SCHEMA:
            raise UsageError(f"a plan of schema {whole['schema']!r}, not {SCHEMA}", code="plan-file-invalid")
        plans = tuple(_plan(entry) for entry in whole["plans"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"not a plan file: {type(error).__name__}",
            code="plan-file-invalid",
            hint="make one with: mtts plan TARGET --out FILE",
        ) from error
    if not plans:
        raise UsageError("the plan file holds no plan", code="plan-file-invalid", hint="were the routers reached?")
    return plans


def _plan(entry: dict[str, Any]) -> Plan:
    return Plan(
        router=entry["router"],
        node=entry["node"],
        routeros=entry["routeros"],
        fingerprint=entry["fingerprint"],
        to_version=entry["to_version"],
        changes=changes.from_json(entry["changes"]),
        refusals=tuple(Problem(**problem) for problem in entry["refusals"]),
        warnings=tuple(Problem(**problem) for problem in entry["warnings"]),
    )


def _problem(problem: Problem) -> dict[str, str]:
    return {"code": problem.code, "message": problem.message, "hint": problem.hint}
