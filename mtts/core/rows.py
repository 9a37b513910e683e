"""Replies → facts, pure: the one place that knows in which shapes RouterOS shows things.

Until 7.19 a container's state is the text `status`; from 7.20 it is one flag per state, sent as
`false` when off on some versions and left out on others. A shape that is not known here is `unknown`, and nothing
destructive follows from it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from mtts.core.facts import ContainerRow, ContainerState, Item, Resource
from mtts.core.tag import Tag
from mtts.core.values import is_true, normalise_path, parse_duration, parse_int, parse_size
from mtts.core.version import Version

_STATUS_TEXTS: Final[Mapping[str, ContainerState]] = {
    "stopped": ContainerState.STOPPED,
    "running": ContainerState.RUNNING,
    "starting": ContainerState.STARTING,
    "stopping": ContainerState.STOPPING,
    "extracting": ContainerState.EXTRACTING,
    "pulling": ContainerState.EXTRACTING,
    "downloading": ContainerState.EXTRACTING,
    "error": ContainerState.FAILED,
    "deleting": ContainerState.DELETING,
}

# In this order: a container can carry several, and the first true one decides.
_STATE_FLAGS: Final[Sequence[tuple[str, ContainerState]]] = (
    ("download/extract failed", ContainerState.FAILED),
    ("deleting", ContainerState.DELETING),
    ("downloading/extracting", ContainerState.EXTRACTING),
    ("stopping", ContainerState.STOPPING),
    ("starting", ContainerState.STARTING),
    ("starting-with-healthcheck", ContainerState.RUNNING),
    ("running", ContainerState.RUNNING),
    ("healthy", ContainerState.RUNNING),
    ("unhealthy", ContainerState.RUNNING),
    ("stopped", ContainerState.STOPPED),
)

_PROBE_FLAGS: Final[Mapping[str, str]] = {
    "healthy": "healthy",
    "unhealthy": "unhealthy",
    "starting-with-healthcheck": "starting",
}

_IMAGE_PROPS: Final = ("tag", "repo", "remote-image")


def decode_state(row: Mapping[str, str]) -> ContainerState:
    """The state that a /container row shows, by `status` when there is one, else by its flags."""
    status = row.get("status", "")
    if status:
        return _STATUS_TEXTS.get(status, ContainerState.UNKNOWN)
    for flag, state in _STATE_FLAGS:
        if is_true(row.get(flag)):
            return state
    return ContainerState.UNKNOWN


def container_row(row: Mapping[str, str]) -> ContainerRow:
    """One reply of /container/print."""
    return ContainerRow(
        id=row.get(".id", ""),
        state=decode_state(row),
        tag=Tag.parse(row.get("comment")),
        name=row.get("name", ""),
        root_dir=normalise_path(row.get("root-dir", "")),
        interface=row.get("interface", ""),
        image=next((row[prop] for prop in _IMAGE_PROPS if row.get(prop)), ""),
        image_id=row.get("image-id") or None,
        architecture=row.get("arch", ""),
        about=row.get(".about", ""),
        probe=next((verdict for flag, verdict in _PROBE_FLAGS.items() if is_true(row.get(flag))), None),
        restart_count=parse_int(row.get("restart-count")),
        props=dict(row),
    )


def resource(row: Mapping[str, str]) -> Resource:
    """The reply of /system/resource/print; ValueError when it names no version."""
    text = row.get("version", "")
    return Resource(
        version=Version.parse(text),
        version_text=text,
        architecture=row.get("architecture-name", ""),
        board=row.get("board-name", ""),
        cpu=row.get("cpu", ""),
        uptime_s=uptime_s(row),
        free_memory_bytes=parse_size(row.get("free-memory", "")),
        total_memory_bytes=parse_size(row.get("total-memory", "")),
        free_flash_bytes=parse_size(row.get("free-hdd-space", "")),
        total_flash_bytes=parse_size(row.get("total-hdd-space", "")),
        write_sectors_since_reboot=parse_int(row.get("write-sect-since-reboot")),
        write_sectors_total=parse_int(row.get("write-sect-total")),
        bad_blocks_percent=parse_int(row.get("bad-blocks")),
    )


def uptime_s(row: Mapping[str, str]) -> float | None:
    """How long the router has been up, by its /system/resource; None where it does not say."""
    return parse_duration(row.get("uptime", ""))


def items(rows: Sequence[Mapping[str, str]]) -> tuple[Item, ...]:
    """Replies of any menu, kept as text."""
    return tuple(Item(id=row.get(".id", ""), props=dict(row)) for row in rows)


def container_package(rows: Sequence[Mapping[str, str]]) -> bool:
    """Whether /system/package shows the container package installed and active.

    From 7.17 on packages that could be installed are listed too, marked `available`.
    """
    return any(
        row.get("name") == "container" and not is_true(row.get("disabled")) and not is_true(row.get("available"))
        for row in rows
    )


_DATE_FORMS: Final = ("%Y-%m-%d %H:%M:%S", "%b/%d/%Y %H:%M:%S")


def clock_skew_s(row: Mapping[str, str], now_s: float) -> float | None:
    """Seconds that /system/clock is ahead of `now_s` (UTC since 1970), or None if it cannot be read.

    `gmt-offset` is `+02:00` or seconds, by version.
    """
    offset_s = _gmt_offset_s(row.get("gmt-offset", ""))
    if offset_s is None:
        return None
    for form in _DATE_FORMS:
        try:
            local = datetime.strptime(f"{row.get('date', '')} {row.get('time', '')}", form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return local.timestamp() - offset_s - now_s
    return None


def _gmt_offset_s(text: str) -> float | None:
    number = parse_int(text)
    if number is not None:
        # Negative offsets have been shown as unsigned 32-bit numbers.
        return float(number - 2**32 if number >= 2**31 else number)
    sign = -1.0 if text.startswith("-") else 1.0
    hours, colon, minutes = text.lstrip("+-").partition(":")
    if not (colon and hours.isdigit() and minutes.isdigit()):
        return 0.0 if not text else None
    return sign * (int(hours) * 3600 + int(minutes) * 60)


def dns_servers(row: Mapping[str, str]) -> tuple[str, ...]:
    """Every resolver that /ip/dns shows, static and learned, DNS over HTTPS included."""
    texts = (row.get("servers", ""), row.get("dynamic-servers", ""), row.get("use-doh-server", ""))
    return tuple(server for text in texts for server in text.split(",") if server)
