"""Whether a node serves the tailnet: what proves it, and the verdict.

Best evidence first: the router was reached through the tailnet; `tailscale status` from inside the container;
RouterOS' own health check; the container's log. Which one was used is carried along and shown.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Evidence(StrEnum):
    """What a judgement of a node's health rests on, best first."""

    TAILNET = "reached through the tailnet"
    STATUS = "tailscale status"
    PROBE = "RouterOS health check"
    LOG = "container log"
    RECORD = "running, verified before"


@dataclass(frozen=True, slots=True)
class Health:
    """What one look at a node showed."""

    evidence: Evidence
    backend_state: str
    """tailscaled's own word: `Running`, `Starting`, `NeedsLogin`, `NeedsMachineAuth`, `Stopped`, `NoState`."""
    is_online: bool | None = None
    """Whether the control server sees it; None where the evidence does not tell."""
    node_id: str | None = None
    version: str | None = None

    @property
    def is_healthy(self) -> bool:
        return self.backend_state == "Running" and self.is_online is not False

    @property
    def needs_login(self) -> bool:
        return self.backend_state in ("NeedsLogin", "NeedsMachineAuth")


_SWITCHING: Final = re.compile(r"Switching ipn state (\w+) -> (\w+)")


def health_from_status(text: str) -> Health | None:
    """The output of `tailscale status --json`, with whatever a console prints round it; None if it holds none."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        document = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None
    state = document.get("BackendState") if isinstance(document, dict) else None
    if not isinstance(state, str):
        return None
    me = document.get("Self")
    me = me if isinstance(me, dict) else {}
    online, node_id, version = me.get("Online"), me.get("ID"), document.get("Version")
    return Health(
        evidence=Evidence.STATUS,
        backend_state=state,
        is_online=online if isinstance(online, bool) else None,
        node_id=node_id if isinstance(node_id, str) and node_id else None,
        version=version if isinstance(version, str) else None,
    )


def health_from_log(messages: Iterable[str]) -> Health | None:
    """The last `Switching ipn state … -> …` among log messages, oldest first; None if there is none."""
    state = None
    for message in messages:
        match = _SWITCHING.search(message)
        if match:
            state = match.group(2)
    return Health(evidence=Evidence.LOG, backend_state=state) if state else None
