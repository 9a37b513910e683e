"""Whether and when a container whose process ended by itself is started again, in the words of each version."""

from __future__ import annotations

from mtts.lab.container import Container
from mtts.lab.values import duration_s

DEFAULT_INTERVAL = "10s"


def restart_pause_s(container: Container, status: int) -> float | None:
    """Seconds until the next start, None when there is none: by interval (7.20 to 7.22) or by policy (from 7.23)."""
    values = container.item.values
    if interval := values.get("auto-restart-interval"):
        return duration_s("auto-restart-interval", interval)
    policy = values.get("restart-policy") or "no"
    if policy == "no" or (policy == "on-failure" and status == 0):
        return None
    limit = int(values.get("restart-max-count") or "0")
    if limit and container.restart_count >= limit:
        return None
    return duration_s("restart-interval", values.get("restart-interval") or DEFAULT_INTERVAL)
