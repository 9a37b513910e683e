"""The updater that runs on a router by itself: its text for one node, in the words of one RouterOS version.

What it copies to the next container it reads from the running one, so that no name of the router's is in its text.
What is in it, the image and where its registry is asked, goes through the one escaper. It holds no secret: an image
that wants credentials, or a node that wants a key at every start, is left to mtts.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mtts.core.changes import quote
from mtts.core.dialect import Dialect, Term
from mtts.core.errors import Problem
from mtts.core.flash import staging_peak_bytes
from mtts.core.image import Platform, Release
from mtts.core.inventory import NodeSpec, Timing
from mtts.core.tag import Tag
from mtts.core.values import UNLIMITED

TAG: Final = "mtts:updater"
"""The first word in the comment of the script and of its scheduler's entry."""

_NAME: Final = "mtts-updater-"
POLICY: Final = "read,write,test"
INTERVAL: Final = "1d"
START_DATE: Final = "2026-01-01"
"""In the past, and named: RouterOS 7.24 to 7.24.4 never run an entry whose start was left to the default."""

_SETTINGS: Final = (
    Term.CONTAINER_TMPFS,
    Term.CONTAINER_MEMORY_HIGH,
    Term.CONTAINER_IGNORE_IMAGE_CHANGE,
    Term.CONTAINER_HEALTH_COMMAND,
)
_VERIFIED: Final = (Term.CONTAINER_RESTART_POLICY, Term.CONTAINER_RESTART_INTERVAL)
_VARIANTS: Final = (None, "v1", "v5", "v6", "v7", "v8")
_TICKS_PER_S: Final = 5
_PAUSES_S: Final = 600.0
"""What a run waits besides, at most: for removals, starts and the registry."""
_SLOT = re.compile(r"\{\{([a-z]+)\}\}")


@dataclass(frozen=True, slots=True)
class UpdaterOrder:
    """What an updater looks after, and where it asks."""

    node: NodeSpec
    dialect: Dialect
    release: Release
    """The image today: how large it is unpacked says how much room the next one needs."""
    registry: str
    """Scheme and host of the registry's API."""
    tokens: str | None
    """Where a token for the image is had, all of the address; None where the registry wants none."""
    disk: str | None
    """The slot of the disk that the node lies on; None for internal storage."""
    reserve_bytes: int
    timing: Timing


def script_name(node: NodeSpec) -> str:
    """Of the script, and of its entry in the scheduler."""
    return f"{_NAME}{node.name}"


def node_of(props: Mapping[str, str]) -> str | None:
    """The node that an updater of ours looks after, by its script or its entry; None for what is none of ours."""
    name, is_ours = props.get("name", ""), props.get("comment", "").split()[:1] == [TAG]
    return name.removeprefix(_NAME) if is_ours and name.startswith(_NAME) else None


def start_time(router: str, node: NodeSpec) -> str:
    """When of the day it runs: another time on each router, the same one each time it is made."""
    minute = int.from_bytes(hashlib.sha256(f"{router}/{node.name}".encode()).digest()[:4]) % (24 * 60)
    return f"{minute // 60:02}:{minute % 60:02}:00"


def unsuited(node: NodeSpec) -> Problem | None:
    """Why a node cannot be left to an updater."""
    if node.image.digest is not None:
        return Problem("updater-unsuited", f"node {node.name} is pinned to a digest, which never moves", "name a tag")
    if node.ephemeral:
        return Problem(
            "updater-unsuited",
            f"node {node.name} is ephemeral and needs its auth key at every start, which a script must not hold",
            "update it with mtts",
        )
    return None


def render_updater(template: str, order: UpdaterOrder) -> str:
    """The text of `update-tailscale.rsc` for one node."""
    image, dialect = order.release.image, order.dialect
    api = f"{order.registry}/v2/{image.repository}"
    compressed = max(1, order.release.compressed_bytes)
    name = dialect.word(Term.CONTAINER_NAME)
    values = {
        "me": _text(script_name(order.node)),
        "node": _text(str(Tag(order.node.name))),
        "image": _text(f"{image.name}:{image.tag}"),
        "platforms": "{" + "; ".join(_text(spelling) for spelling in spellings(order.release.platform)) + "}",
        "check": "check-certificate=yes-without-crl " if order.registry.startswith("https:") else "",
        "tokens": _text(order.tokens or ""),
        "index": _text(f"{api}/manifests/{image.tag}"),
        "manifests": _text(f"{api}/manifests/"),
        "blobs": _text(f"{api}/blobs/"),
        "log": "/log" if dialect.word(Term.CONTAINER_LOG) is None else "/container/log",
        "mine": 'topics~"container" and ' if dialect.word(Term.CONTAINER_LOG) is None else "container=$1 and ",
        "free": _free(order.disk),
        "percent": str(-(-100 * staging_peak_bytes(order.release.extracted_bytes) // compressed)),
        "reserve": str(order.reserve_bytes),
        "name": f"{name}=({_text(f'{order.node.name}-')} . [:pick $other ([:len $other] - 1) [:len $other]]) "
        if name
        else "",
        "envs": dialect.require(Term.CONTAINER_ENVS),
        "mounts": dialect.require(Term.CONTAINER_MOUNTS),
        "settings": "\n        ".join(_copies(_settings(dialect))),
        "verified": "\n        ".join(_copies(_words(dialect, _VERIFIED))),
        "stop": str(max(1, round(order.timing.stop_s * _TICKS_PER_S))),
        "pull": str(max(1, round(order.timing.pull_s))),
        "healthy": str(max(1, round(order.timing.healthy_s))),
        "longest": str(round(_longest_s(order.timing))),
        "observe": str(max(1, round(order.timing.observe_s))),
    }
    return _SLOT.sub(lambda slot: values[slot[1]], template)


def _longest_s(timing: Timing) -> float:
    """How long a run may take: what was left is settled, then a release is pulled, swapped in and, in vain, out."""
    return timing.pull_s + 6 * timing.stop_s + timing.healthy_s + timing.observe_s + _PAUSES_S


def spellings(platform: Platform) -> tuple[str, ...]:
    """The ways in which an index may name what a machine of `platform` runs, best first."""
    return tuple(
        str(spelt)
        for best in platform.runnable()
        for variant in _VARIANTS
        if (spelt := Platform(best.os, best.architecture, variant)).normalised() == best
    )


def _settings(dialect: Dialect) -> Iterator[str]:
    yield from _words(dialect, _SETTINGS)
    if dialect.wants_explicit_command:
        yield from ("entrypoint", "cmd")


def _words(dialect: Dialect, terms: tuple[Term, ...]) -> Iterator[str]:
    yield from (word for term in terms if (word := dialect.word(term)) is not None)


def _copies(words: Iterator[str]) -> Iterator[str]:
    """Has the new container take each setting that the old one shows."""
    for word in words:
        shown = f'[:tostr ($old->"{word}")]'
        yield (f':if ({shown} != "" && {shown} != "{UNLIMITED}") do={{/container/set $new {word}=($old->"{word}")}}')


def _free(disk: str | None) -> str:
    if disk is None:
        return "[/system/resource/get free-hdd-space]"
    return f"[/disk/get [find where slot={_text(disk)}] free]"


def _text(value: str) -> str:
    quoted = quote(value)
    return quoted if quoted.startswith('"') else f'"{quoted}"'
