"""Health checks of containers (RouterOS 7.22 and newer): when a probe runs, and what a row of results means.

Settings come from the container, else from its image; what neither says is as in Docker, whose words RouterOS took.
A probe here asks the process itself: no command runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtts.lab.clock import Timer
from mtts.lab.values import duration_s

if TYPE_CHECKING:
    from mtts.lab.pull import PulledImage

DEFAULTS = {"start-period": "0s", "start-interval": "5s", "retries": "3"}
SETTINGS = ("cmd", "interval", *DEFAULTS)
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """How often to probe, and how many failures in a row make a container unhealthy."""

    interval_s: float
    start_period_s: float
    start_interval_s: float
    retries: int


def plan_of(values: Mapping[str, str], image: PulledImage | None, *, interval_s: float) -> CheckPlan | None:
    """The check that a container is to have, each `interval_s` where nothing else is said; None without one."""
    given = _image_check(image)
    given |= {name: values[f"healthcheck-{name}"] for name in SETTINGS if values.get(f"healthcheck-{name}")}
    if not given.get("cmd"):
        return None
    settings = DEFAULTS | {"interval": f"{interval_s:.0f}s"} | given
    return CheckPlan(
        interval_s=duration_s("healthcheck-interval", settings["interval"]),
        start_period_s=duration_s("healthcheck-start-period", settings["start-period"]),
        start_interval_s=duration_s("healthcheck-start-interval", settings["start-interval"]),
        retries=int(settings["retries"]) or int(DEFAULTS["retries"]),
    )


def _image_check(image: PulledImage | None) -> dict[str, str]:
    """An image's own check in the words of `plan_of`; `["NONE"]` is none."""
    check: Mapping[str, Any] = (image.config.get("config", {}).get("Healthcheck") or {}) if image is not None else {}
    kind, *words = check.get("Test") or ["NONE"]
    if kind == "NONE":
        return {}
    keys = {"Interval": "interval", "StartPeriod": "start-period", "StartInterval": "start-interval"}
    times = {name: f"{check[key] // NANOSECONDS}s" for key, name in keys.items() if check.get(key)}
    retries = {"retries": str(check["Retries"])} if check.get("Retries") else {}
    return {"cmd": " ".join(words), **times, **retries}


class HealthCheck:
    """The probes of one process, from its start to its end; `tell(good)` is called at every verdict."""

    def __init__(
        self,
        plan: CheckPlan,
        *,
        probe: Callable[[], bool],
        tell: Callable[[bool], None],
        later: Callable[[float, Callable[[], None]], Timer],
    ) -> None:
        self._plan = plan
        self._probe = probe
        self._tell = tell
        self._later = later
        self._age_s = 0.0
        self._failures = 0
        self._was_good = False
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Probe for the first time after one interval."""
        pause_s = self._pause_s()
        self._timer = self._later(pause_s, lambda: self._look(pause_s))

    def end(self) -> None:
        """Probe no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, waited_s: float) -> None:
        self._age_s += waited_s
        self.begin()  # before the verdict, which may end the check
        if self._probe():
            self._failures = 0
            self._was_good = True
            self._tell(True)
        elif self._was_good or self._age_s > self._plan.start_period_s:
            self._failures += 1
            if self._failures >= self._plan.retries:
                self._tell(False)

    def _pause_s(self) -> float:
        starting = not self._was_good and self._age_s < self._plan.start_period_s
        return max(1.0, self._plan.start_interval_s if starting else self._plan.interval_s)
