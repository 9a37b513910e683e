"""Values to keep."""

from mtts.core.errors import Problem
from mtts.core.flash import FlashSample, Moment
from mtts.core.image import Digest, ImageRef, Platform, Release
from mtts.core.ledger import PastRun
from mtts.core.outcome import NodeResult, Outcome

OLD, NEW = (Digest.parse("sha256:" + letter * 64) for letter in "ab")
PROBLEM = Problem("not-healthy", "the node did not come online", "mtts logs router1")


def run(run_id: str = "run1", *, started_s: float = 1000.0, command: str = "update") -> PastRun:
    return PastRun(run_id, command, started_s, "0.1.0")


def sample(
    router: str = "router1",
    moment: Moment = Moment.BEFORE,
    *,
    taken_s: float = 1001.5,
    free_bytes: int | None = 9 << 20,
) -> FlashSample:
    return FlashSample(
        router=router,
        moment=moment,
        taken_s=taken_s,
        free_bytes=free_bytes,
        total_bytes=16 << 20,
        write_sectors_since_reboot=123,
        write_sectors_total=2**40,
        bad_blocks_percent=None,
        uptime_s=86400.25,
        routeros="7.23.3",
    )


def result(router: str = "router1", node: str = "tailscale", outcome: Outcome = Outcome.UPDATED) -> NodeResult:
    return NodeResult(
        router,
        node,
        outcome,
        strategy="a/b",
        from_version="1.0",
        to_version="1.1",
        from_digest=OLD,
        to_digest=NEW,
        downtime_s=2.5,
        samples=(sample(router), sample(router, Moment.COMMITTED, taken_s=1002.5, free_bytes=8 << 20)),
        evidence="tailscale status",
        problem=PROBLEM if outcome is Outcome.BROKEN else None,
    )


def release(manifest: Digest = NEW, *, tag: str = "stable", version: str | None = "1.1") -> Release:
    return Release(
        image=ImageRef.parse(f"registry.example.net/team/mikrotik-tailscale:{tag}"),
        platform=Platform.parse("linux/arm/v7"),
        index_digest=None,
        manifest_digest=manifest,
        config_digest=OLD,
        version=version,
        compressed_bytes=5 << 20,
        extracted_bytes=2**33,
    )
