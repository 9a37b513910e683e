"""Which image platform a router runs: by architecture-name, and the boards that it does not tell apart."""

from collections.abc import Mapping
from typing import Final

from mtts.core.errors import Problem
from mtts.core.facts import Resource
from mtts.core.image import Platform

PLATFORMS: Final[Mapping[str, Platform]] = {
    "arm": Platform("linux", "arm", "v7"),
    "arm64": Platform("linux", "arm64"),
    "x86_64": Platform("linux", "amd64"),
    "x86": Platform("linux", "amd64"),
}
"""MikroTik ships the container package for these only; MIPS, PPC, TILE and SMIPS have none."""

ARMV5: Final = Platform("linux", "arm", "v5")

_ARMV5_CPUS: Final = ("EN7562CT",)
_ARMV5_BOARDS: Final = ("E50UG", "E60iUGS", "hEX Refresh", "hEX refresh", "hEX S 2025", "hEX S (2025)")


def is_armv5(resource: Resource) -> bool:
    """Whether the board says `arm` but its CPU runs ARMv5 only: ARMv7 code there dies of an illegal instruction."""
    return any(name in resource.cpu for name in _ARMV5_CPUS) or any(name in resource.board for name in _ARMV5_BOARDS)


def router_platform(resource: Resource, override: Platform | None) -> Platform | Problem:
    """The platform to look for in an image, or why the router runs no containers at all."""
    if override is not None:
        return override
    if resource.architecture == "arm" and is_armv5(resource):
        return ARMV5
    platform = PLATFORMS.get(resource.architecture)
    if platform is None:
        return Problem(
            "architecture-unsupported",
            f"{resource.board or 'the router'} is {resource.architecture or 'of unknown architecture'},"
            " for which RouterOS has no containers",
            "containers need arm, arm64 or x86_64",
        )
    return platform
