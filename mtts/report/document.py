"""The one JSON document that `--json` prints, for every command."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from mtts.core.errors import Problem
from mtts.core.flash import FlashDelta
from mtts.core.image import Release
from mtts.core.ledger import PastResult
from mtts.core.outcome import NodeResult
from mtts.core.preflight import Check
from mtts.core.status import NodeStatus

SCHEMA: Final = "mtts/run/1"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one command."""

    run_id: str
    command: str
    started_s: float
    finished_s: float
    results: Sequence[NodeResult]
    exit_code: int


def document(run: Run, *, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The run as JSON values; `details` are the command's own keys (`plans`, `checks`, `status`)."""
    return {
        "schema": SCHEMA,
        "run_id": run.run_id,
        "command": run.command,
        "started": moment(run.started_s),
        "finished": moment(run.finished_s),
        "routers": [_result(result) for result in run.results],
        "summary": dict(sorted(Counter(str(result.outcome) for result in run.results).items())),
        **(details or {}),
        "exit_code": run.exit_code,
    }


def check_json(router: str, node: str, checks: Sequence[Check]) -> dict[str, Any]:
    """`mtts check`'s own part of the document, one node."""
    return {
        "router": router,
        "node": node,
        "checks": [
            {
                "name": check.name,
                "level": str(check.level),
                "detail": check.detail,
                "problem": problem_json(check.problem) if check.problem else None,
            }
            for check in checks
        ],
    }


def swap_json(result: NodeResult) -> dict[str, Any] | None:
    """`mtts update --check`'s own part of the document, one node that is to be swapped; None for any other."""
    choice = result.expected
    if choice is None:
        return None
    return {
        "router": result.router,
        "node": result.node,
        "strategy": str(choice.strategy),
        "from_digest": str(result.from_digest) if result.from_digest else None,
        "to_digest": str(result.to_digest) if result.to_digest else None,
        "flash_bytes": choice.flash_bytes,
        "memory_bytes": choice.memory_bytes,
        "gap": choice.gap,
    }


def status_json(status: NodeStatus) -> dict[str, Any]:
    """`mtts status`' own part of the document, one node."""
    latest = status.latest if isinstance(status.latest, Release) else None
    return {
        "router": status.router,
        "node": status.node,
        "routeros": status.routeros,
        "container": status.state,
        "release": {
            "version": status.version,
            "platform_digest": str(status.platform_digest) if status.platform_digest else None,
        },
        "latest": latest
        and {"version": latest.version, "platform_digest": str(latest.manifest_digest), "image": str(latest.image)},
        "is_current": status.is_current,
        "tailnet": status.health
        and {
            "state": status.health.backend_state,
            "online": status.health.is_healthy,
            "node_id": status.health.node_id,
            "evidence": str(status.health.evidence),
        },
        "flash": {"free": status.free_flash_bytes, "total": status.total_flash_bytes},
    }


def failure(problem: Problem, exit_code: int) -> dict[str, Any]:
    """The document of a run that ended before any router was contacted."""
    return {"schema": SCHEMA, "routers": [], "summary": {}, "error": problem_json(problem), "exit_code": exit_code}


def to_text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False)


def problem_json(problem: Problem) -> dict[str, str]:
    return {"code": problem.code, "message": problem.message, "hint": problem.hint}


def change_json(past: PastResult) -> dict[str, Any]:
    """What became of a node in an earlier run, and from which release to which."""
    return {
        "node": past.node,
        "outcome": past.outcome,
        "strategy": past.strategy,
        "from": past.from_version,
        "to": past.to_version,
        "from_digest": str(past.from_digest) if past.from_digest else None,
        "to_digest": str(past.to_digest) if past.to_digest else None,
    }


def delta_json(found: FlashDelta | None) -> dict[str, int | None] | None:
    """Bytes that were free before and after."""
    if found is None:
        return None
    return {"before": found.before_bytes, "after": found.after_bytes, "delta": found.delta_bytes}


def _result(result: NodeResult) -> dict[str, Any]:
    return {
        "router": result.router,
        "node": result.node,
        "outcome": str(result.outcome),
        "strategy": result.strategy,
        "from": result.from_version,
        "to": result.to_version,
        "downtime_s": result.downtime_s,
        "flash": delta_json(result.flash),
        "evidence": result.evidence,
        "error": problem_json(result.problem) if result.problem else None,
        "warnings": [problem_json(warning) for warning in result.warnings],
        "next": result.next_step,
    }


def moment(seconds: float) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
