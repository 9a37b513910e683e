"""`/system/scheduler`: starts scripts by the router's own clock, at boot, by date and by interval.

An entry runs as its owner with its own policies. A start is a date of the router's clock; from there on everything
counts in simulated time, which is the same unless a running lab is faster than its clocks.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mtts.lab import values
from mtts.lab.call import Caller
from mtts.lab.clock import Timer, moved
from mtts.lab.menus.scripts import DEFAULT_POLICY, OwnedTable, ScriptTable, split_policies
from mtts.lab.menus.system import DeviceMode, require
from mtts.lab.reply import Category, Trap, invalid_value
from mtts.lab.script.errors import ScriptSyntaxError
from mtts.lab.table import Item, TableSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mtts.lab.device import Device

STARTUP_S = 3.0
"""How long after the boot `start-time=startup` is; MikroTik's documentation says so."""
FIRST_YEAR = 1970
ROUNDING_S = 0.0005
"""So much later a moment is shown, so that one that is a hair short of its second shows that second."""
ISO_DATE, CLOCK_TIME = "%Y-%m-%d", "%H:%M:%S"
DEFAULT_START = ".default-start"
DEFAULT_START_NEVER_RUNS = ((7, 24, 0), (7, 24, 5))
"""From, until: an entry left at the default start date and time did not run (changelog of 7.24.5)."""


class SchedulerTable(OwnedTable):
    """`/system/scheduler`"""

    def __init__(self, device: Device) -> None:
        spec = TableSpec(
            "/system/scheduler",
            defaults={
                "interval": "0s",
                "policy": DEFAULT_POLICY,
                "run-count": "0",
                "on-event": "",
                "disabled": "false",
                DEFAULT_START: "false",
            },
            unique=("name",),
            unique_text="item with such name already exists",
            hidden=frozenset({DEFAULT_START}),
        )
        super().__init__(device, spec)
        self._timers: dict[int, Timer] = {}
        self._due: dict[int, float] = {}
        """Simulated moments of the next runs."""

    # adding and changing

    def normal(self, name: str, value: str) -> str:
        """Dates and times are readable ones."""
        if name == "start-time" and value != "startup":
            return _stamp(name, value, CLOCK_TIME)
        if name == "start-date":
            return _stamp(name, value, ISO_DATE)
        if name == "days" and value:
            raise Trap("days is not modelled in the lab", Category.GENERAL)
        return super().normal(name, value)

    def before_add(self, new: dict[str, str]) -> None:
        """The default start is now; device mode may forbid it all."""
        require(self.device, "scheduler")
        wall = self.device.wall
        if "start-date" not in new and "start-time" not in new:
            new[DEFAULT_START] = "true"
        new.setdefault("name", f"schedule{len(self.items) + 1}")
        new.setdefault("start-date", wall.strftime(ISO_DATE))
        new.setdefault("start-time", wall.strftime(CLOCK_TIME))

    def after_add(self, item: Item) -> None:
        """From now on it is waited for."""
        self._arm(item)

    def before_set(self, item: Item, changes: dict[str, str]) -> None:
        """A start that is given is no default one; enabling is as good as adding."""
        if changes.get("disabled") == "false" and item.values["disabled"] == "true":
            require(self.device, "scheduler")
        if {"start-date", "start-time"} & set(changes):
            changes[DEFAULT_START] = "false"

    def after_set(self, item: Item, before: Mapping[str, str]) -> None:
        """The next run may be another now."""
        if item.values != before:
            self._arm(item)

    def after_remove(self, item: Item) -> None:
        """It will not run."""
        self._disarm(item)

    def view(self, item: Item) -> dict[str, str]:
        """With the next run, where there is one."""
        row = super().view(item)
        if item.id in self._due:
            clock = self.device.clock
            left_s = (self._due[item.id] - clock.now) / clock.per_wall_second
            row["next-run"] = values.stamp(moved(self.device.wall, left_s + ROUNDING_S))
        return row

    # running

    def boot(self) -> None:
        """The router is up: whatever starts with it starts a little later."""
        self._due.clear()
        self.device.menu_of(ScriptTable, "/system/script").forget_runs()
        for item in self.items.values():
            item.values["run-count"] = "0"
            self._arm(item)

    def rearm(self) -> None:
        """The router's clock was changed: work out every next run anew."""
        for item in self.items.values():
            self._arm(item)

    def _disarm(self, item: Item) -> None:
        self._due.pop(item.id, None)
        timer = self._timers.pop(item.id, None)
        if timer is not None:
            timer.cancel()

    def _arm(self, item: Item, *, after_s: float | None = None) -> None:
        self._disarm(item)
        interval_s = values.duration_s("interval", item.values["interval"])
        if item.values["disabled"] == "true" or not self._may_run(item):
            return
        now_s = self.device.clock.now
        due_s = now_s + self._until_start_s(item, interval_s) if after_s is None else after_s
        if due_s <= now_s or after_s is not None:
            if not interval_s:
                return
            due_s += ((now_s - due_s) // interval_s + 1) * interval_s
        self._due[item.id] = due_s
        self._timers[item.id] = self.device.later(due_s - now_s, lambda: self._fire(item, due_s))

    def _until_start_s(self, item: Item, interval_s: float) -> float:
        """Simulated seconds until an entry's start, below zero when it is past."""
        given = item.values
        if given["start-time"] == "startup":
            # documented: with an interval it does not run at startup
            return (interval_s or STARTUP_S) - self.device.uptime_s
        stamp = datetime.strptime(f"{given['start-date']} {given['start-time']}", f"{ISO_DATE} {CLOCK_TIME}")  # noqa: DTZ007 - the router's zone is given next
        wall = self.device.wall
        return (stamp.replace(tzinfo=wall.tzinfo) - wall).total_seconds() * self.device.clock.per_wall_second

    def _may_run(self, item: Item) -> bool:
        if not self.device.menu_of(DeviceMode, "/system/device-mode").allows("scheduler"):
            return False
        first, fixed = DEFAULT_START_NEVER_RUNS
        return item.values[DEFAULT_START] != "true" or not first <= self.device.version < fixed

    def _fire(self, item: Item, due_s: float) -> None:
        item.values["run-count"] = str(int(item.values["run-count"]) + 1)
        self._arm(item, after_s=due_s)
        event, name = item.values["on-event"], item.values["name"]
        scripts = self.device.menu_of(ScriptTable, "/system/script")
        named = scripts.by_name(event)

        def failed(problem: str) -> str:
            who = event if named is not None else name
            return f"executing script {who} from scheduler failed, please check it manually ({problem})"

        try:
            caller = self._owner(item)
            if named is not None:
                job = scripts.start(named, caller, origin="scheduler")
            else:
                job = self.device.scripts.start(event, caller, name=name, origin="scheduler")
        except (Trap, ScriptSyntaxError) as problem:
            self.device.scripts.log_error(failed(str(problem)))
        else:
            self.device.scripts.report(job, failed)

    def _owner(self, item: Item) -> Caller:
        owner = item.values.get("owner", "")
        users = self.device.table("/user").items.values()
        if all(user.values["name"] != owner for user in users):
            raise Trap("not enough permissions (9)")
        return Caller(owner, frozenset(split_policies(item.values["policy"])))


def _stamp(name: str, value: str, pattern: str) -> str:
    try:
        stamp = datetime.strptime(value, pattern)  # noqa: DTZ007 - only its form is looked at
    except ValueError:
        raise invalid_value(name) from None
    if pattern == ISO_DATE and stamp.year < FIRST_YEAR:
        raise invalid_value(name)
    return stamp.strftime(pattern)
