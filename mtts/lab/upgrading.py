"""Another RouterOS version on a router: what it holds is carried over, under the words of the new version.

Only forwards. What a router makes of a setting that the new version has no word for is a guess: it is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from mtts.lab.menus.container_settings import stored_path
from mtts.lab.table import Singleton, Table
from mtts.lab.version import Version, parse_version

if TYPE_CHECKING:
    from mtts.lab.device import Device

RENAMED: Final[Mapping[str, tuple[tuple[str, str, Version], ...]]] = {
    "/container": (("envlist", "envlists", (7, 20, 0)), ("mounts", "mountlists", (7, 21, 0))),
    "/container/config": (("ram-high", "memory-high", (7, 20, 0)),),
    "/container/envs": (("name", "list", (7, 20, 0)),),
    "/container/mounts": (("name", "list", (7, 21, 0)),),
}
"""Menu -> a word, and the one in its place from a version on."""
PATHS: Final[Mapping[str, tuple[str, ...]]] = {"/container": ("root-dir",), "/container/mounts": ("src",)}
"""What is stored with a slash in front or without one, as the version has it."""
OF_THE_VERSION: Final = ("version", "installed-version", "current-firmware", "upgrade-firmware")


def upgrade(device: Device, version: str) -> None:
    """Have a router that is down be of a newer version at its next boot; ValueError for an older one."""
    before, after, known = device.version, parse_version(version), device.schema
    if after < before:
        raise ValueError(f"{device.build.name} has {device.build.version} and does not go back to {version}")
    for path, old in device.become(version).items():
        new = device.menu(path)
        gone = (known.arguments(path, "set") or frozenset()) - (device.schema.arguments(path, "set") or frozenset())
        if isinstance(old, Table) and isinstance(new, Table):
            new.take_over(old)
            for item in new.items.values():
                held = _reworded(path, item.values, before, after)
                held |= {name: stored_path(device, held[name]) for name in PATHS.get(path, ())}
                held |= {name: version for name in OF_THE_VERSION if name in held}
                item.values = {**new.defaults} | {name: value for name, value in held.items() if name not in gone}
        elif isinstance(old, Singleton) and isinstance(new, Singleton):
            held = _reworded(path, old.values, before, after)
            new.values |= {
                name: value for name, value in held.items() if name not in gone and name not in OF_THE_VERSION
            }


def _reworded(path: str, held: Mapping[str, str], before: Version, after: Version) -> dict[str, str]:
    words = {old: new for old, new, since in RENAMED.get(path, ()) if before < since <= after}
    values = {words.get(name, name): value for name, value in held.items()}
    if after < (7, 23, 0):
        return values
    if path == "/container" and "auto-restart-interval" in values:
        values |= {"restart-policy": "on-failure", "restart-interval": values.pop("auto-restart-interval")}
    if path == "/container/mounts" and "read-only" in values:
        values["mode"] = "ro" if values.pop("read-only") == "true" else "rw"
    return values
