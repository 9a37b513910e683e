"""Merged layers to the core's values: keys become fields with their units, relative paths become whole ones.

Asks nothing and refuses nothing: consistency.py has found every required key before.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from mtts.adapters.inventory.layers import MergedRouter, merge
from mtts.adapters.inventory.schema import RegistrySection
from mtts.core.inventory import FlashPolicy, NodeSpec, RegistryAccess, Router, Timing
from mtts.core.secret import FromFile

_NOT_A_FIELD: Final = frozenset({"image", "node", "nodes", "timing", "flash"})
"""Keys of a router whose values have types of their own, or go to its nodes."""
_FIELDS: Final[Mapping[str, str]] = {
    "tmpfs_size": "tmpfs_size_bytes",
    "memory_high": "memory_high_bytes",
    "reserve": "reserve_bytes",
    "budget": "budget_per_month",
}
"""Keys whose field in the core carries the unit."""
_PATHS: Final = frozenset({"ca_file"})


def assemble_router(merged: MergedRouter, directory: Path) -> Router:
    """The router with its nodes; relative paths are relative to `directory`."""
    settings = merged.settings
    return Router(
        name=merged.name,
        timing=Timing(**{f"{key}_s": value for key, value in settings.get("timing", {}).items()}),
        flash=FlashPolicy(**_fields(settings.get("flash", {}), directory)),
        nodes=tuple(NodeSpec(name=name, **_fields(node, directory)) for name, node in merged.nodes.items()),
        **_fields({key: value for key, value in settings.items() if key not in _NOT_A_FIELD}, directory),
    )


def assemble_registry(host: str, section: RegistrySection | None, directory: Path) -> RegistryAccess:
    """How the registry at `host` is reached."""
    return RegistryAccess(host=host, **_fields(merge((section,)), directory))


def _fields(settings: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    return {_FIELDS.get(key, key): _resolved(key, value, directory) for key, value in settings.items()}


def _resolved(key: str, value: Any, directory: Path) -> Any:
    if isinstance(value, FromFile):
        return replace(value, path=_absolute(value.path, directory))
    return _absolute(value, directory) if key in _PATHS else value


def _absolute(path: str, directory: Path) -> str:
    return str(directory / os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises where there is no home
