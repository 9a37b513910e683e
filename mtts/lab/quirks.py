"""What public material leaves open about RouterOS, as named switches, so that tests can try both ways.

Every default is the likelier behaviour, or the less forgiving one where neither is likelier. Nothing here
is known for sure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ShellAnswer = Literal["ret", "rows", "tty-trap", "unavailable"]


@dataclass(frozen=True, slots=True)
class Quirks:
    """Behaviours that a real router may or may not show."""

    status_beside_flags: bool = False
    """7.20 to 7.22 still send the text `status` next to the flags."""
    false_flags: Literal["by-version", "sent", "omitted"] = "by-version"
    """Flags that are false: left out from 7.23, or in every version from 7.20 sent, or left out."""
    image_reference: Literal["by-version", "tag", "repo"] = "by-version"
    """The property that tells an image's whole reference: `repo` in 7.18 and 7.19, else `tag`; or always one."""
    shell_answer: ShellAnswer = "ret"
    """`/container/shell cmd=` over the API: output in `!done =ret=`, in `!re` rows, refused so that only `/execute
    as-string` works, or refused by both."""
    shell_takes_id: bool = True
    """`/container/shell` accepts `.id` besides its own word `number`."""
    digest_references: bool = True
    """`remote-image=repository@sha256:…` is accepted."""
    start_while_extracting: Literal["by-version", "trap", "queue"] = "by-version"
    """A start before the image is there: refused before 7.24 and queued from then on, or always one of the two."""
    starts_after_pull: bool = False
    """A container with start-on-boot starts by itself when its first pull is done, and is never seen stopped."""
    stopped_while_extracting: bool = False
    """The `stopped` flag shows up although the extraction still runs; `image-id` and `arch` are still empty."""
    start_when_up_text: str = "failure: already running"
    stop_when_down_text: str = "failure: not running"
    start_failure: Literal["about", "trap"] = "about"
    """A start that cannot work: accepted and shown in `.about`, or refused at once."""
    busy_veth: Literal["refused", "shared"] = "refused"
    """A start on a veth that another container's process has: cannot acquire it, or both run on it."""
    shared_mount_lists: bool = True
    """A container may name a mount list that another container names too."""
    comments_survive_reboot: bool = True
    """A container's comment is still there after a reboot."""
    stop_counts_as_failure: bool = False
    """A process that a `stop` ended has failed for its restart policy; the manual speaks of failures only."""
    kill_in_good_order: bool = False
    """`/container/kill` delivers its signal to a program that may handle or ignore it; else it ends it at once."""
    health_check_interval_s: float = 30.0
    """How often a health check runs whose settings do not say so; 30 s is Docker's default."""
    cut_through_node: Literal["fin", "silence"] = "fin"
    """Sessions through a node that stops: cut, or half-open, so that their clients wait for ever."""
    deleting_holds_veth: bool = False
    """An add on the veth of a container that is being removed is refused as if the veth did not exist."""
    root_dir_slash: Literal["by-version", "always", "never"] = "by-version"
    """Mount sources and root-dir read back with a leading slash: from 7.22, always, never."""
    root_dir_exists: Literal["trap", "failed"] = "trap"
    """From 7.23, an add over an existing directory: refused at once, or a failed extraction."""
    old_root_dir: Literal["backup", "stale"] = "backup"
    """Before 7.23, an add over an existing directory: renamed to `.backup`, or not extracted and old files kept."""
    tmpfs_syntax: Literal["both", "colon", "at"] = "both"
    """`tmpfs=/dir:64M:1777`, `tmpfs=64M@/dir`, or either."""
    default_policy_beyond_giver: Literal["refused", "trimmed"] = "refused"
    """A script or scheduler entry without `policy=`, added by a user who lacks some of the default ones: refused, or
    given only those that the user has."""
    cut_ends_foreground_script: bool = False
    """`/system/script/run` and `/execute as-string` end with the session that waits for them."""
    flash_flush_s: float = 20.0
    """How late free-hdd-space and the wear counters follow a write."""
    dead_repull: Literal["stopped", "failed"] = "stopped"
    """A pull again that dies: the container is stopped without an image, or shown as failed."""
    mounts_filled_from_image: bool = True
    """A mount's missing source is filled with what the image has at its destination."""
    image_health_check: bool = True
    """The health check that an image brings counts where the container has none of its own (from 7.22)."""
    running_beside_health: bool = False
    """A container with a health check shows `running` besides `healthy`, `unhealthy`, `starting-with-healthcheck`."""
    reboot_loses_containers: bool = False
    """7.22 and 7.22.1 lose every container over a reboot; the changelog says that they could."""
    extraction_ram_bytes: int = 16 * 1024 * 1024
    """What an import takes of the RAM while it runs."""
    clock_after_power_cut: Literal["last-known", "1970", "kept"] = "last-known"
    """A board without a battery, until it has asked for the time: as late as when the power went, 1970, or right."""
    repull_same_empties_root: bool = True
    """A repull of the image that is already there leaves an empty root directory behind."""
    file_add_makes_parents: bool = False
    """`/file/add name=a/b` makes `a` when it is missing."""
    lists_must_exist: bool = True
    """A container's mount and environment lists must exist when it refers to them."""
    no_space_text: str = "download/extract error: write failed: no space left on device"
    extracting_text: str = "failure: container is not ready, extraction in progress"
    root_dir_exists_text: str = "failure: root-dir already exists"
    duplicate_name_text: str = "failure: container with the same name already exists"
    safe_mode_menu: bool = True
    """`/safe-mode` can be used over the API, from 7.18; no published command tree lists it."""
    safe_mode_taken_text: str = "failure: safe mode is already taken"
    no_dns_text: str = "no DNS servers configured"
