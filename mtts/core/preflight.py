"""Every precondition of a deploy as ok, warning or problem: what `mtts check` shows and a deploy refuses by."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mtts.core.desired import TMPFS_SLOT, command_settings, unsupported_settings
from mtts.core.dialect import LOSES_CONTAINERS, Dialect
from mtts.core.errors import Problem
from mtts.core.facts import Facts, Preconditions
from mtts.core.flash import staging_peak_bytes
from mtts.core.image import Release
from mtts.core.inventory import MIB, NodeSpec, Router, TlsMode
from mtts.core.platforms import ARMV5, is_armv5, router_platform
from mtts.core.self_updates import foreign_updater
from mtts.core.storage import Place, choose_storage, standing_place
from mtts.core.units import mib
from mtts.core.values import is_true
from mtts.core.version import NEWEST_KNOWN, OLDEST

MAX_CLOCK_SKEW_S: Final = 3600.0
MIN_FREE_MEMORY_BYTES: Final = 32 * MIB
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_MIN_SCRATCH_BYTES: Final = 8 * MIB


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One precondition and how it stands."""

    name: str
    level: Level
    detail: str
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class NodeChecks:
    """All preconditions of one node."""

    router: str
    node: str
    checks: tuple[Check, ...]


def peak_flash_bytes(release: Release) -> int:
    """What a pull may take at most."""
    return staging_peak_bytes(release.extracted_bytes)


def place_of(router: Router, node: NodeSpec, facts: Facts, release: Release | None) -> Place | Problem:
    """Where the node stands already, else where the inventory wants it."""
    disks = facts.table("/disk")
    flash_disk = facts.preconditions is not None and facts.preconditions.flash_disk
    for container in facts.containers_of(node.name):
        prefix, found, _ = f"/{container.root_dir}".rpartition("/mtts/root/")
        if found:
            return standing_place(prefix.strip("/"), resource=facts.resource, disks=disks, flash_disk=flash_disk)
    return choose_storage(
        router.storage,
        resource=facts.resource,
        disks=disks,
        flash_disk=flash_disk,
        state_home=facts.preconditions.state_home if facts.preconditions is not None else None,
        needed_bytes=0 if release is None else peak_flash_bytes(release) + router.flash.reserve_bytes,
    )


def scratch_bytes(node: NodeSpec, release: Release | None) -> int:
    """Size of the tmpfs disk: the layers packed and unpacked, in whole MiB, unless the inventory says otherwise."""
    if node.tmpfs_size_bytes is not None:
        return node.tmpfs_size_bytes
    if release is None:
        return _MIN_SCRATCH_BYTES
    needed = release.compressed_bytes + release.extracted_bytes
    return max(_MIN_SCRATCH_BYTES, -(-needed // MIB) * MIB)


def check_version(facts: Facts) -> Check:
    """Whether the router's RouterOS is one that mtts handles."""
    version, text = facts.version, facts.resource.version_text
    if version < OLDEST:
        return _problem(
            "routeros",
            "version-unsupported",
            f"RouterOS {text} is older than {OLDEST}",
            "/system/package/update/set channel=long-term; /system/package/update/install",
        )
    if version in LOSES_CONTAINERS:
        return _problem(
            "routeros",
            "version-loses-containers",
            f"RouterOS {text} can lose containers over a reboot",
            "/system/package/update/install (7.22.2 or newer)",
        )
    if Dialect(version).is_untested:
        problem = Problem(
            "version-untested", f"RouterOS {text} is newer than {NEWEST_KNOWN}, the newest that mtts knows the words of"
        )
        return Check("routeros", Level.WARNING, problem.message, problem)
    return Check("routeros", Level.OK, text)


def check_node(
    *,
    facts: Facts,
    router: Router,
    node: NodeSpec,
    release: Release | Problem | None,
    pulls: bool = True,
    freed_bytes: int = 0,
) -> tuple[Check, ...]:
    """All preconditions of one node. `release` is what the image is for this router, or why it is nothing.

    `pulls` says whether an image is going to be pulled; without a pull its room and reachability do not matter.
    `freed_bytes` become free before that.
    """
    checks = [check_version(facts)]
    if checks[0].level is Level.PROBLEM:
        return tuple(checks)
    checks.append(_check_connection(router))
    checks.extend(_check_settings(node, facts))
    checks.extend(_check_package(facts))
    if facts.preconditions is not None:
        checks.extend(_check_router(facts, facts.preconditions))
        checks.extend(_check_updaters(facts.preconditions))
    if pulls:
        checks.extend(_check_image(facts, router, release))
        known = release if isinstance(release, Release) else None
        checks.extend(_check_room(facts, router, node, known, freed_bytes=freed_bytes))
    return tuple(checks)


def _check_connection(router: Router) -> Check:
    """Whether secrets are safe on their way: plain API only over loopback or the tailnet, and never anonymous TLS."""
    is_private_path = router.via == "tailnet" or router.host in _LOOPBACK
    if router.tls in (TlsMode.PINNED, TlsMode.CA) or (router.tls is TlsMode.OFF and is_private_path):
        return Check("connection", Level.OK, f"tls {router.tls}")
    said = "is not encrypted" if router.tls is TlsMode.OFF else "does not prove who answers"
    problem = Problem(
        "connection-unprotected",
        f"`tls: {router.tls}` {said}",
        f"give api-ssl a certificate, set `tls: pinned`, then: mtts trust {router.name}",
    )
    return Check("connection", Level.WARNING, problem.message, problem)


def _check_settings(node: NodeSpec, facts: Facts) -> Iterator[Check]:
    for key in unsupported_settings(node, Dialect(facts.version)):
        yield _problem(
            "settings",
            "setting-unsupported",
            f"RouterOS {facts.version} has no word for `{key}` of node {node.name}",
            f"remove `{key}` from the inventory or upgrade the router",
        )


def _check_package(facts: Facts) -> Iterator[Check]:
    """Without the package the menu is missing, which shows before any precondition is read."""
    known = facts.preconditions
    if "/container" in facts.missing_menus or (known is not None and known.container_package is False):
        yield _problem(
            "package",
            "container-package-missing",
            "the container package is not active",
            "upload container-<version>-<arch>.npk to the router, or /system/package/enable container;"
            " then /system/reboot",
        )
    elif known is not None:
        yield Check("package", Level.OK, "container package active")


def _check_router(facts: Facts, known: Preconditions) -> Iterator[Check]:
    if known.device_mode_container is False:
        yield _problem(
            "device-mode",
            "device-mode-forbids-container",
            "device-mode does not allow containers",
            "/system/device-mode/update container=yes; somebody must then press the router's button"
            " or cut its power within five minutes",
        )
    elif known.device_mode_container is None:
        yield Check("device-mode", Level.WARNING, "the router does not say whether device-mode allows containers")
    else:
        yield Check("device-mode", Level.OK, "containers allowed")
    if known.clock_skew_s is None:
        yield Check("clock", Level.WARNING, "the router's clock could not be read")
    elif abs(known.clock_skew_s) > MAX_CLOCK_SKEW_S:
        direction = "ahead" if known.clock_skew_s > 0 else "behind"
        yield _problem(
            "clock",
            "clock-wrong",
            f"the router's clock is {abs(known.clock_skew_s) / 3600:.1f} h {direction}",
            "/system/ntp/client/set enabled=yes servers=pool.ntp.org",
        )
    else:
        yield Check("clock", Level.OK, f"off by {abs(known.clock_skew_s):.0f} s")
    if known.dns_servers:
        yield Check("dns", Level.OK, ", ".join(known.dns_servers))
    else:
        yield _problem(
            "dns", "dns-missing", "the router has no DNS server", "/ip/dns/set servers=9.9.9.9,149.112.112.112"
        )
    bad_blocks = facts.resource.bad_blocks_percent
    if bad_blocks:
        problem = Problem("flash-bad-blocks", f"{bad_blocks} % of the flash's blocks are bad", "plan to replace it")
        yield Check("flash-health", Level.WARNING, problem.message, problem)


def _check_updaters(known: Preconditions) -> Iterator[Check]:
    """Whether something else renews the node's container; its own updater is in an update's way only."""
    foreign = [found for found in known.self_updates if not found.is_own]
    for found in foreign:
        problem = foreign_updater(found)
        yield Check("updaters", Level.PROBLEM if found.is_in_the_way else Level.WARNING, problem.message, problem)
    if foreign:
        return
    own = next((found for found in known.self_updates if found.is_own), None)
    if own is None:
        yield Check("updaters", Level.OK, "none on the router")
    elif own.started_by is None:
        yield Check("updaters", Level.WARNING, f"{own.name} is there, and nothing starts it")
    else:
        yield Check("updaters", Level.OK, f"{own.name}: the router updates the node by itself")


def _check_image(facts: Facts, router: Router, release: Release | Problem | None) -> Iterator[Check]:
    platform = router_platform(facts.resource, router.platform)
    if isinstance(platform, Problem):
        yield Check("platform", Level.PROBLEM, platform.message, platform)
        return
    match release:
        case Problem(code="platform-missing") if platform == ARMV5 and is_armv5(facts.resource):
            yield _problem(
                "platform",
                "cpu-unsupported",
                f"{facts.resource.board} ({facts.resource.cpu}) runs ARMv5 code only, and the image has none",
                "use an image with a linux/arm/v5 build",
            )
        case Problem():
            yield Check("image", Level.PROBLEM, release.message, release)
        case Release():
            command = command_settings(release) if Dialect(facts.version).wants_explicit_command else None
            if isinstance(command, Problem):
                yield Check("image", Level.PROBLEM, command.message, command)
                return
            version = release.version or release.manifest_digest.short
            yield Check("image", Level.OK, f"{release.image} is {version} for {platform}")
        case None:
            yield Check("platform", Level.OK, str(platform))


def _check_room(
    facts: Facts, router: Router, node: NodeSpec, release: Release | None, *, freed_bytes: int
) -> Iterator[Check]:
    needed = 0 if release is None else peak_flash_bytes(release) + router.flash.reserve_bytes
    place = place_of(router, node, facts, release)
    if isinstance(place, Problem):
        yield Check("storage", Level.PROBLEM, place.message, place)
        return
    name = place.prefix or "internal storage"
    if place.free_bytes is None:
        yield Check("storage", Level.WARNING, f"{name}: the router does not say how much is free")
    elif place.free_bytes + freed_bytes < needed:
        yield _problem(
            "storage",
            "flash-too-small",
            f"{name} has {mib(place.free_bytes)} free; the image takes up to"
            f" {mib(needed - router.flash.reserve_bytes)} and {mib(router.flash.reserve_bytes)} stay in reserve",
            "free space on the router, or name another disk with `storage:`",
        )
    else:
        yield Check("storage", Level.OK, f"{name}: {mib(place.free_bytes)} free, {mib(needed)} needed")
    yield from _check_scratch(facts)
    free = facts.resource.free_memory_bytes
    scratch = scratch_bytes(node, release)
    if free is None:
        yield Check("memory", Level.WARNING, "the router does not say how much memory is free")
    elif free - scratch < MIN_FREE_MEMORY_BYTES or scratch > free // 4:
        yield _problem(
            "memory",
            "memory-too-small",
            f"{mib(free)} of memory are free; unpacking takes up to {mib(scratch)}, which must be at most a quarter"
            f" and leave {mib(MIN_FREE_MEMORY_BYTES)}",
            "free memory on the router, or set `tmpfs_size:` of the node",
        )
    else:
        yield Check("memory", Level.OK, f"{mib(free)} free, {mib(scratch)} for unpacking")


def _check_scratch(facts: Facts) -> Iterator[Check]:
    """Our tmpfs where it is there and not mounted: then its name is a directory on the flash (F15)."""
    for disk in facts.table("/disk"):
        is_ours = disk.get("slot") == TMPFS_SLOT and disk.tag is not None
        is_enabled = not is_true(disk.get("disabled"))  # one that is not is enabled by the plan
        if is_ours and is_enabled and not is_true(disk.props.get("mounted", "true")):
            yield _problem(
                "scratch",
                "tmpdir-on-flash",
                f"the tmpfs {TMPFS_SLOT} is not mounted, so that pulls would unpack on the flash",
                f"/disk/remove [find slot={TMPFS_SLOT}]; the next run makes it anew",
            )


def _problem(name: str, code: str, message: str, hint: str) -> Check:
    return Check(name, Level.PROBLEM, message, Problem(code, message, hint))
