"""Whether a node has something to do: what is recorded × what the registry says × how the container stands.

Pure. A decision asks for more knowledge as long as the cheaper one does not settle it, so that an unchanged fleet
costs one question per image: first what the tag points to, then the digest of the platform's manifest, then the
whole release. An index that moved while the platform's manifest stayed is no update (I8).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from mtts.core.errors import Problem
from mtts.core.facts import ContainerRow, ContainerState
from mtts.core.health import Evidence
from mtts.core.image import Digest, Release, ReleaseDigests
from mtts.core.ledger import KnownRelease, Quarantined
from mtts.core.slots import not_deployed, state_unknown
from mtts.core.tag import Tag
from mtts.core.version_order import downgrade_problem


class Ask(Enum):
    """What must be known next."""

    DIGESTS = auto()
    RELEASE = auto()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing to do: zero writes."""


@dataclass(frozen=True, slots=True)
class Repair:
    """The right release is there and does not run."""

    why: str
    is_blind: bool = False
    """Nobody could say what the image is now, so that nothing speaks against what is staged."""


@dataclass(frozen=True, slots=True)
class Swap:
    """Another release is to take the node's place."""

    release: Release
    why: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing is written, for this reason."""

    problem: Problem
    is_blind: bool = False
    """As of a repair."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing can be done, for this reason, and nothing serves: no start would help."""

    problem: Problem


Decision = Unchanged | Repair | Swap | Leave | Lost


@dataclass(frozen=True, slots=True)
class Latest:
    """What is known of the image so far."""

    tag_digest: Digest | None = None
    """A hint: it can say that nothing changed, not that something did."""
    digests: ReleaseDigests | None = None
    release: Release | None = None
    problem: Problem | None = None
    """Why nothing more will be known."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator allows, and what earlier runs learnt."""

    force: bool = False
    """Install what is in quarantine."""
    allow_downgrade: bool = False
    quarantined: Sequence[Quarantined] = ()
    known: Sequence[KnownRelease] = ()
    """Oldest first."""


def decide(
    live: ContainerRow | None,
    latest: Latest,
    policy: Policy,
    *,
    router: str,
    node: str,
    start_failed: bool = False,
) -> Decision | Ask:
    """What is to be done about one node; `start_failed` says that this run tried to start its container in vain."""
    verified = recorded(live, router=router, node=node)
    if isinstance(verified, Problem):
        return Leave(verified)
    live, tag = verified
    if tag.is_unproven:
        return _instead(live, tag, latest, policy, router=router)
    ailment = _ailment(live)
    is_lost = (
        live.state is ContainerState.FAILED
        or (start_failed and live.state is not ContainerState.RUNNING)
        or (tag.in_ram and not live.is_up)
    )
    if latest.problem is not None:
        return _without(latest.problem, ailment, is_lost=is_lost, is_blind=True)
    current = _is_current(live, tag, latest, policy.known)
    if isinstance(current, Ask):
        return current
    if current and not is_lost and not tag.in_ram:
        return Unchanged() if ailment is None else Repair(ailment)
    if latest.release is None:
        return Ask.RELEASE
    against = _against(latest.release, tag, policy, router=router)
    if against is None:
        why = "it runs from memory" if tag.in_ram else "its image is gone"
        return Swap(latest.release, why if current else "the image changed")
    return _without(against, ailment, is_lost=is_lost, is_blind=False)


def _instead(live: ContainerRow, tag: Tag, latest: Latest, policy: Policy, *, router: str) -> Decision | Ask:
    """What takes the room of a release that nothing was proven of: it does not serve, and there is no other one.

    The same one again only where its pull failed, where a restart loses it, or by force; whether it starts, the open
    swap tries each time.
    """
    if latest.problem is not None:
        return Leave(latest.problem)
    if latest.release is None:
        return Ask.RELEASE
    is_there = latest.release.manifest_digest == tag.platform and live.state is not ContainerState.FAILED
    if is_there and not (tag.in_ram or policy.force):
        name = latest.release.version or latest.release.manifest_digest.short
        return Leave(
            Problem(
                "release-unproven",
                f"{name} is all that there is of the node, and did not come online",
                f"publish a corrected image, or: mtts rollback {router} --to VERSION; --force pulls this one again",
            )
        )
    against = _held_back(latest.release, policy, router=router)
    return Leave(against) if against else Swap(latest.release, "nothing was proven of what is there")


def _without(problem: Problem, ailment: str | None, *, is_lost: bool, is_blind: bool) -> Decision:
    """What is left where no other release can be had."""
    if is_lost:
        return Lost(problem)
    return Leave(problem, is_blind) if ailment is None else Repair(ailment, is_blind)


def recorded(live: ContainerRow | None, *, router: str, node: str) -> tuple[ContainerRow, Tag] | Problem:
    """The node's container with its record, or why none is swapped: nothing is provisioned here, nor guessed at.

    One that an update put in the node's place has a record of what it is, too, and gives way like any.
    """
    if live is None or live.tag is None:
        return not_deployed(router, node)
    if not (live.tag.is_recorded or live.tag.is_unproven):
        return Problem(
            "not-deployed", f"node {node} was never verified on {router}", f"mtts deploy {router} finishes its deploy"
        )
    if live.state in (ContainerState.UNKNOWN, ContainerState.EXTRACTING, ContainerState.DELETING):
        return state_unknown(live)
    return live, live.tag


def evidence_of(live: ContainerRow | None, *, via_tailnet: bool) -> Evidence:
    """What the health of an unchanged node rests on, without another question to its router."""
    if via_tailnet:
        return Evidence.TAILNET
    return Evidence.PROBE if live is not None and live.probe == "healthy" else Evidence.RECORD


def is_damage(code: str) -> bool:
    """Whether a container that failed to start so may have lost its image; a pull costs flash and is tried once."""
    return code in ("start-failed", "crash-loop")


def _ailment(live: ContainerRow) -> str | None:
    """What keeps the container from serving, as far as its row shows."""
    if live.state is not ContainerState.RUNNING:
        return f"it is {live.state}"
    return "RouterOS' health check says unhealthy" if live.probe == "unhealthy" else None


def _is_current(live: ContainerRow, tag: Tag, latest: Latest, known: Sequence[KnownRelease]) -> bool | Ask:
    """Whether the container is the image's release for its platform."""
    recorded = tag.platform
    if recorded is None:  # adopted, or recorded without proof: only the router's own `image-id` can tell
        if latest.release is None:
            return Ask.RELEASE
        return live.image_id is not None and latest.release.is_shown_as(live.image_id)
    if _was_replaced(live, recorded, known):
        return Ask.RELEASE if latest.release is None else latest.release.is_shown_as(live.image_id or "")
    if latest.tag_digest is not None and latest.tag_digest in (tag.index, recorded):
        return True
    if latest.digests is None:
        return Ask.DIGESTS
    return latest.digests.manifest == recorded


def _was_replaced(live: ContainerRow, recorded: Digest, known: Sequence[KnownRelease]) -> bool:
    """Whether the router shows another image than the recorded one: somebody pulled by hand (7.21 and newer)."""
    if live.image_id is None:
        return False
    expected = next((release.config_digest for release in known if release.manifest_digest == recorded), None)
    return expected is not None and live.image_id not in (str(expected), str(recorded))


def _against(release: Release, tag: Tag, policy: Policy, *, router: str) -> Problem | None:
    """Why the release must not be installed unasked."""
    held_back = _held_back(release, policy, router=router)
    if held_back is not None or policy.allow_downgrade:
        return held_back
    return downgrade_problem(tag.version, tag.platform, release, policy.known)


def _held_back(release: Release, policy: Policy, *, router: str) -> Problem | None:
    if policy.force:
        return None
    for entry in policy.quarantined:
        if entry.digest == release.manifest_digest and entry.router in (None, router):
            return Problem(
                "release-quarantined",
                f"{release.version or release.manifest_digest.short} is in quarantine: {entry.reason}",
                "publish a corrected image; mtts update --force installs this one all the same",
            )
    return None
