"""Where variables live: a scope for every block, inside that of the block around it."""

from __future__ import annotations

from collections.abc import Mapping

from mtts.lab.script.values import Value


class Scope:
    """The variables of one block, inside those of the block around it."""

    __slots__ = ("around", "global_names", "values")

    def __init__(self, around: Scope | None = None, values: Mapping[str, Value] | None = None) -> None:
        self.around = around
        self.values = dict(values or {})
        self.global_names: set[str] = set()

    def owner(self, name: str) -> Scope | None:
        """The nearest scope that declares a variable."""
        scope: Scope | None = self
        while scope is not None and name not in scope.values and name not in scope.global_names:
            scope = scope.around
        return scope
