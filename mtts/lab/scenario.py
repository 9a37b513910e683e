"""Scenario files: a list of steps, each a fault with the moment at which it happens, checked before the lab begins.

Takes values that somebody else has read from YAML, and complains by path into them. Faults and their options are
those of `fault_kinds`. Steps wait side by side, except for `after`, which waits for the step before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mtts.lab.control import Order
from mtts.lab.fault_kinds import REGISTRY, kind_of
from mtts.lab.fault_options import ANY, Option, OptionError, options_of
from mtts.lab.faults import Faults
from mtts.lab.inflict import ALL, inflict_in_time

if TYPE_CHECKING:
    from mtts.lab.fleet import Lab

KeyPath = tuple[str | int, ...]
STEP_KEYS = ("router", "fault", "with", "at", "after", "on")
MOMENTS = ("at", "after", "on")
ON_KEYS = ("command", "count", "when")
WHEN = ("before", "after")
LONGEST_S = 366 * 86_400
_COUNT, _COMMAND = (options_of(Faults.at_command)[name] for name in ("n", "path"))


class ScenarioError(Exception):
    """What is wrong with a scenario, and where: pairs of a path into its values and a sentence."""

    def __init__(self, complaints: list[tuple[KeyPath, str]]) -> None:
        super().__init__("; ".join(text for _, text in complaints))
        self.complaints = complaints


@dataclass(frozen=True, slots=True)
class Step:
    """An order and when it is given: so many simulated seconds after the start, or after the step before."""

    order: Order
    delay_s: float = 0.0
    follows: bool = False
    """Whether the delay counts from the step before."""


def read_scenario(value: object, routers: Collection[str]) -> list[Step]:
    """The steps of a scenario for a lab with these routers; ScenarioError lists all that is wrong."""
    reader = _Reader(routers)
    steps = reader.read(value)
    if reader.complaints:
        raise ScenarioError(reader.complaints)
    return steps


def run_scenario(lab: Lab, steps: list[Step]) -> None:
    """Let the lab's time bring the steps about; returns at once. The clock raises what went wrong."""
    chains: list[list[Step]] = []
    for step in steps:
        if step.follows:
            chains[-1].append(step)
        else:
            chains.append([step])
    for chain in chains:
        _wait_for(lab, chain)


def _wait_for(lab: Lab, chain: list[Step]) -> None:
    step, *rest = chain

    def happened() -> None:
        if rest:
            _wait_for(lab, rest)

    def due() -> None:
        inflict_in_time(lab, step.order, happened)

    lab.clock.call_later(step.delay_s, due)


class _Reader:
    """Reads one scenario and collects what is wrong with it."""

    def __init__(self, routers: Collection[str]) -> None:
        self._targets = (*routers, ALL, REGISTRY)
        self.complaints: list[tuple[KeyPath, str]] = []

    def read(self, value: object) -> list[Step]:
        document = self._mapping(value, (), ("steps",))
        listed = document.get("steps")
        if not isinstance(listed, list) or not listed:
            self._complain(("steps",) if "steps" in document else (), "expected steps: a list of faults")
            return []
        found = [self._step(one, ("steps", number)) for number, one in enumerate(listed)]
        return [step for step in found if step is not None]

    def _step(self, value: object, path: KeyPath) -> Step | None:
        before = len(self.complaints)
        given = self._mapping(value, path, STEP_KEYS)
        moments = [name for name in MOMENTS if name in given]
        if len(moments) > 1:
            self._complain((*path, moments[1]), f"a step has one of {', '.join(MOMENTS)}")
        if moments == ["after"] and path[-1] == 0:
            self._complain((*path, "after"), "there is no step before the first one")
        delay_s = self._number(given, path, moments[0]) if moments and moments[0] != "on" else 0.0
        target, kind = self._text(given, path, "router"), self._text(given, path, "fault")
        options = self._mapping(given.get("with", {}), (*path, "with"), None)
        n, of, is_before = self._trigger(given, path, target)
        if len(self.complaints) == before:
            self._check(target, kind, options, path)
        if len(self.complaints) > before:
            return None
        order = Order(target, kind, options, at_command=n, of=of, before=is_before)
        return Step(order, delay_s, follows=moments == ["after"])

    def _trigger(self, given: Mapping[str, object], path: KeyPath, target: str) -> tuple[int | None, str, bool]:
        if "on" not in given:
            return None, ANY, False
        here = (*path, "on")
        on = self._mapping(given["on"], here, ON_KEYS)
        if target in {ALL, REGISTRY}:
            self._complain(here, "only one router's commands can be counted")
        count = self._option(_COUNT, on, here, "count") if "count" in on else 1
        if on.get("when", "after") not in WHEN:
            self._complain((*here, "when"), f"expected one of {', '.join(WHEN)}")
        of = self._option(_COMMAND, on, here, "command")
        return count, of, on.get("when") == "before"

    def _option(self, option: Option, given: Mapping[str, object], path: KeyPath, name: str) -> Any:
        """The value of what `at_command` calls otherwise; None, and a complaint, where it makes no sense."""
        try:
            return replace(option, name=name).read(given.get(name))
        except OptionError as error:
            self._complain((*path, name) if name in given else path, str(error))
            return None

    def _check(self, target: str, kind: str, options: Mapping[str, object], path: KeyPath) -> None:
        if target not in self._targets:
            self._complain((*path, "router"), f"no router {target!r}: {', '.join(self._targets)}")
            return
        try:
            known = kind_of(target, kind)
        except ValueError as error:
            self._complain((*path, "fault"), str(error))
            return
        try:
            known.read(options)
        except OptionError as error:
            self._complain((*path, "with", error.option), str(error))

    def _mapping(self, value: object, path: KeyPath, keys: tuple[str, ...] | None) -> Mapping[str, object]:
        if not isinstance(value, dict):
            self._complain(path, "expected a mapping")
            return {}
        for key in value:
            if keys is not None and key not in keys:
                self._complain((*path, key), f"unknown key: one of {', '.join(keys)}")
        return value

    def _text(self, given: Mapping[str, object], path: KeyPath, name: str) -> str:
        value = given.get(name)
        if not isinstance(value, str) or not value:
            self._complain((*path, name) if name in given else path, f"{name}: expected text")
            return ""
        return value

    def _number(self, given: Mapping[str, object], path: KeyPath, name: str) -> float:
        value = given[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_S:
            self._complain((*path, name), f"{name}: expected simulated seconds from 0 to {LONGEST_S}, not {value!r}")
            return 0.0
        return float(value)

    def _complain(self, path: KeyPath, text: str) -> None:
        self.complaints.append((path, text))
