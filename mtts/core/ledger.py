"""What the store remembers of earlier runs: history for people and reports, never the truth about a router.

The truth about what a router runs is the record in its container's comment (tag.py).
"""

from dataclasses import dataclass

from mtts.core.flash import FlashSample
from mtts.core.image import Digest, Platform


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run of one command; `finished_s` and `exit_code` are None while it goes on, or when it was killed."""

    run_id: str
    command: str
    started_s: float
    mtts_version: str
    finished_s: float | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class PastResult:
    """How one node ended in one run."""

    run: PastRun
    router: str
    node: str
    outcome: str
    strategy: str | None
    from_version: str | None
    to_version: str | None
    from_digest: Digest | None
    """Of the platform manifest, as recorded on the router before."""
    to_digest: Digest | None
    downtime_s: float | None
    evidence: str | None
    code: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class RecordedSample:
    """A flash sample with the run it was taken in; `result` is None where it belongs to no node's work."""

    run: PastRun
    node: str
    sample: FlashSample
    result: PastResult | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A platform manifest that is not installed until it changes or somebody forces it (I19)."""

    digest: Digest
    router: str | None
    """None for the whole fleet: it was seen unhealthy somewhere."""
    reason: str
    since_s: float


@dataclass(frozen=True, slots=True)
class KnownRelease:
    """A release as a registry once served it."""

    image: str
    """Registry and repository, without tag."""
    platform: Platform
    manifest_digest: Digest
    index_digest: Digest | None
    config_digest: Digest
    version: str | None
    compressed_bytes: int
    extracted_bytes: int
    first_seen_s: float
