"""Secrets as a type that prints as stars, and the places where they may come from.

A source is opened only in adapters/secrets.py; the core carries sources, never values.
"""

from dataclasses import dataclass


class Secret:
    """A value that never shows itself: no repr, no equality, no pickling."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise TypeError("secrets are not compared")

    __hash__ = None  # type: ignore[assignment]  # equality is forbidden, so hashing is too

    def __reduce__(self) -> str:
        raise TypeError("secrets are not serialised")


@dataclass(frozen=True, slots=True)
class FromEnv:
    variable: str


@dataclass(frozen=True, slots=True)
class FromFile:
    path: str
    """As written; relative paths are relative to the inventory's directory, which the loader resolves."""


@dataclass(frozen=True, slots=True)
class FromCommand:
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FromKeyring:
    service: str
    username: str


@dataclass(frozen=True, slots=True)
class Literal:
    """Written into the inventory itself, which must then be 0600."""

    value: Secret


SecretSource = FromEnv | FromFile | FromCommand | FromKeyring | Literal
