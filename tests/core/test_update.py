"""The decision of an update: recorded × registry × container, and what it asks for before it decides."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from mtts.core.errors import Problem
from mtts.core.facts import ContainerRow
from mtts.core.image import Digest, Platform, Release, ReleaseDigests
from mtts.core.ledger import KnownRelease, Quarantined
from mtts.core.update import Ask, Decision, Latest, Leave, Lost, Policy, Repair, Swap, Unchanged, decide
from tests.core.examples import a_container, a_release, digest

RECORDED = f"mtts:tailscale v=1.90.1 platform={digest('2')} index={digest('1')}"
ALONE = f"mtts:tailscale next=t1 v=1.92.0 platform={digest('b')} index={digest('a')}"
NEXT = a_release(version="1.92.0", index_digest=digest("a"), manifest_digest=digest("b"), config_digest=digest("c"))
SAME = a_release()
DOWN = Problem("registry-unavailable", "the registry does not answer")
MOVED = Latest(digest("a"), NEXT.digests, NEXT)


def _live(**other: str) -> ContainerRow:
    return a_container(**{"comment": RECORDED, **other})


def _in(state: str, **other: str) -> ContainerRow:
    """A recorded container that is not running."""
    return _live(**{"running": "false", state: "true", **other})


def _known(release: Release, *, first_seen_s: float = 1.0, **other: Any) -> KnownRelease:
    values: dict[str, Any] = {
        "image": release.image.name,
        "platform": release.platform,
        "manifest_digest": release.manifest_digest,
        "index_digest": release.index_digest,
        "config_digest": release.config_digest,
        "version": release.version,
        "compressed_bytes": 1,
        "extracted_bytes": 1,
        "first_seen_s": first_seen_s,
    }
    return KnownRelease(**values | other)


def _held_back(found: Digest, router: str | None) -> Policy:
    return Policy(quarantined=[Quarantined(found, router, "it crashed", 1.0)])


@dataclass(frozen=True, slots=True)
class Case:
    """What is known, and what follows."""

    expected: Decision | Ask | type[Swap] | str
    """`str`: left alone, with this code; `type`: swapped for the release that is known."""
    live: ContainerRow | None = field(default_factory=_live)
    latest: Latest = field(default_factory=Latest)
    policy: Policy = field(default_factory=Policy)


CASES = {
    # what the registry says, of a node that serves
    "nothing is known yet": Case(Ask.DIGESTS),
    "the tag is the recorded index": Case(Unchanged(), latest=Latest(tag_digest=digest("1"))),
    "the tag is the recorded manifest itself": Case(Unchanged(), latest=Latest(tag_digest=digest("2"))),
    "the tag is something else": Case(Ask.DIGESTS, latest=Latest(tag_digest=digest("a"))),
    "the index moved and the platform stayed": Case(
        Unchanged(), latest=Latest(digest("a"), digests=ReleaseDigests(digest("a"), digest("2")))
    ),
    "a single manifest that is the recorded one": Case(
        Unchanged(), latest=Latest(None, digests=ReleaseDigests(None, digest("2")))
    ),
    "the platform moved": Case(Ask.RELEASE, latest=Latest(digest("a"), digests=NEXT.digests)),
    "the platform moved, and to what": Case(Swap, latest=MOVED),
    "the registry is away": Case("registry-unavailable", latest=Latest(problem=DOWN)),
    "the registry limits rates": Case(
        "registry-rate-limited", latest=Latest(problem=Problem("registry-rate-limited", "too many"))
    ),
    # a node that does not serve
    "stopped and current": Case(Repair("it is stopped"), _in("stopped"), Latest(digest("1"))),
    "stopped and the registry is away": Case(
        Repair("it is stopped", is_blind=True), _in("stopped"), Latest(problem=DOWN)
    ),
    "stopped and the index moved alone": Case(
        Repair("it is stopped"), _in("stopped"), Latest(digest("a"), digests=ReleaseDigests(digest("a"), digest("2")))
    ),
    "stopped and outdated": Case(Swap, _in("stopped"), MOVED),
    "stuck stopping and current": Case(Repair("it is stopping"), _in("stopping"), Latest(digest("1"))),
    "unhealthy by RouterOS' own check": Case(
        Repair("RouterOS' health check says unhealthy"), _live(unhealthy="true"), Latest(digest("1"))
    ),
    "starting is looked at again": Case(Repair("it is starting"), _in("starting"), Latest(digest("1"))),
    "its image is gone": Case(Ask.RELEASE, _in("download/extract failed"), Latest(digest("1"))),
    "its image is gone, and comes again": Case(
        Swap, _in("download/extract failed"), Latest(digest("1"), SAME.digests, SAME)
    ),
    "its image is gone and the registry is away": Case(
        Lost(DOWN), _in("download/extract failed"), Latest(problem=DOWN)
    ),
    # what an update has no business with
    "no container": Case("not-deployed", None),
    "somebody else's container": Case("not-deployed", a_container(comment="made on a Sunday")),
    "a deploy that was never verified": Case("not-deployed", a_container(comment="mtts:tailscale")),
    "extracting, which nobody of us asked for": Case(
        "state-unknown", _in("downloading/extracting"), Latest(digest("1"))
    ),
    "deleting": Case("state-unknown", _in("deleting"), Latest(digest("1"))),
    "a state that nobody knows": Case("state-unknown", _live(running="false"), MOVED),
    # all that there is of the node is what an update put there
    "nobody proved it, and what is there now": Case(Ask.RELEASE, _in("stopped", comment=ALONE)),
    "nobody proved it, and the registry is away": Case(
        "registry-unavailable", _live(comment=ALONE), Latest(problem=DOWN)
    ),
    "nobody proved it, and nothing else is there": Case("release-unproven", _live(comment=ALONE), MOVED),
    "nobody proved it, and it is wanted again": Case(Swap, _live(comment=ALONE), MOVED, Policy(force=True)),
    "nobody proved it, and its pull failed": Case(Swap, _in("download/extract failed", comment=ALONE), MOVED),
    "nobody proved it, and a restart would lose it": Case(Swap, _in("stopped", comment=f"{ALONE} ram"), MOVED),
    "nobody proved it, and another one is there": Case(
        Swap, _live(comment=ALONE), Latest(digest("1"), SAME.digests, SAME)
    ),
    "nobody proved it, and the other one is held back": Case(
        "release-quarantined",
        _live(comment=ALONE),
        Latest(digest("1"), SAME.digests, SAME),
        _held_back(digest("2"), None),
    ),
    # without digests in the record
    "adopted: only the release tells": Case(
        Ask.RELEASE, a_container(comment="mtts:tailscale adopted"), Latest(digest("1"))
    ),
    "adopted and current by image-id": Case(
        Unchanged(), a_container(comment="mtts:tailscale adopted"), Latest(digest("1"), None, SAME)
    ),
    "adopted and current by the manifest as image-id": Case(
        Unchanged(),
        a_container(comment="mtts:tailscale adopted", image_id=str(digest("2"))),
        Latest(digest("1"), None, SAME),
    ),
    "adopted and outdated": Case(Swap, a_container(comment="mtts:tailscale adopted"), MOVED),
    "adopted before 7.21, which shows no image-id": Case(
        Swap, a_container(comment="mtts:tailscale adopted", image_id=""), Latest(digest("1"), None, SAME)
    ),
    "recorded without proof before 7.21": Case(
        Swap, a_container(comment="mtts:tailscale v=unknown", image_id=""), Latest(digest("1"), None, SAME)
    ),
    "recorded without proof, and proven by 7.21 since": Case(
        Unchanged(), a_container(comment="mtts:tailscale v=unknown"), Latest(digest("1"), None, SAME)
    ),
    # image-id against the record
    "replaced by hand": Case(
        Ask.RELEASE,
        _live(image_id=str(digest("f"))),
        Latest(digest("1")),
        Policy(known=[_known(SAME)]),
    ),
    "replaced by hand with what is not the release": Case(
        Swap, _live(image_id=str(digest("f"))), Latest(digest("1"), None, SAME), Policy(known=[_known(SAME)])
    ),
    "replaced by hand with the very release": Case(
        Unchanged(), _live(image_id=str(digest("c"))), MOVED, Policy(known=[_known(SAME)])
    ),
    "image-id as recorded": Case(Unchanged(), _live(), Latest(digest("1")), Policy(known=[_known(SAME)])),
    "image-id is the manifest, as after some pulls": Case(
        Unchanged(), _live(image_id=str(digest("2"))), Latest(digest("1")), Policy(known=[_known(SAME)])
    ),
    "no image-id before 7.21": Case(Unchanged(), _live(image_id=""), Latest(digest("1")), Policy(known=[_known(SAME)])),
    "a record that no earlier run has seen": Case(Unchanged(), _live(image_id=str(digest("f"))), Latest(digest("1"))),
    # quarantine
    "held back everywhere": Case("release-quarantined", latest=MOVED, policy=_held_back(digest("b"), None)),
    "held back on this router": Case("release-quarantined", latest=MOVED, policy=_held_back(digest("b"), "router1")),
    "held back on another router": Case(Swap, latest=MOVED, policy=_held_back(digest("b"), "router2")),
    "another digest is held back": Case(Swap, latest=MOVED, policy=_held_back(digest("d"), None)),
    "held back and forced": Case(
        Swap,
        latest=MOVED,
        policy=Policy(force=True, quarantined=_held_back(digest("b"), None).quarantined),
    ),
    "held back, and the old one is down": Case(
        Repair("it is stopped"), _in("stopped"), MOVED, _held_back(digest("b"), None)
    ),
    "what runs is held back, and runs": Case(
        Unchanged(), latest=Latest(digest("1")), policy=_held_back(digest("2"), None)
    ),
    "its image is gone and was pulled again in vain": Case(
        "release-quarantined",
        _in("download/extract failed"),
        Latest(digest("1"), SAME.digests, SAME),
        _held_back(digest("2"), "router1"),
    ),
    # downgrades
    "an older label": Case(
        "downgrade-unconfirmed",
        _live(comment=RECORDED.replace("1.90.1", "1.94.0")),
        MOVED,
    ),
    "an older label, allowed": Case(
        Swap,
        _live(comment=RECORDED.replace("1.90.1", "1.94.0")),
        MOVED,
        Policy(allow_downgrade=True),
    ),
    "an older label, forced alone": Case(
        "downgrade-unconfirmed",
        _live(comment=RECORDED.replace("1.90.1", "1.94.0")),
        MOVED,
        Policy(force=True),
    ),
    "an older label, and the newer one is down": Case(
        Repair("it is stopped"),
        _in("stopped", comment=RECORDED.replace("1.90.1", "1.94.0")),
        MOVED,
    ),
    "a digest that was there before the one that runs": Case(
        "downgrade-unconfirmed",
        _live(comment=RECORDED.replace("1.90.1", "nightly")),
        MOVED,
        Policy(known=[_known(NEXT, first_seen_s=1.0), _known(SAME, first_seen_s=2.0)]),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_known_decides(case: Case) -> None:
    decision = decide(case.live, case.latest, case.policy, router="router1", node="tailscale")

    match case.expected:
        case str(code):
            assert isinstance(decision, Leave | Lost)
            assert decision.problem.code == code
            assert decision.problem.message
        case type():
            assert isinstance(decision, Swap)
            assert decision.release is case.latest.release
        case expected:
            assert decision == expected


@pytest.mark.parametrize("code", ["not-deployed", "state-unknown", "release-quarantined", "downgrade-unconfirmed"])
def test_what_is_left_alone_comes_with_what_helps(code: str) -> None:
    for case in CASES.values():
        if case.expected == code:
            decision = decide(case.live, case.latest, case.policy, router="router1", node="tailscale")
            assert isinstance(decision, Leave | Lost)
            assert decision.problem.hint


@pytest.mark.parametrize(
    ("case", "is_blind"),
    [
        ("the registry is away", True),
        ("the registry limits rates", True),
        ("stopped and the registry is away", True),
        ("held back everywhere", False),
        ("an older label", False),
        ("held back, and the old one is down", False),
        ("a deploy that was never verified", False),
    ],
)
def test_only_where_the_registry_says_nothing_does_nothing_speak_against_what_is_staged(
    case: str, *, is_blind: bool
) -> None:
    known = CASES[case]
    decision = decide(known.live, known.latest, known.policy, router="router1", node="tailscale")
    assert isinstance(decision, Leave | Repair)
    assert decision.is_blind is is_blind


def test_a_container_that_was_started_in_vain_is_lost_like_one_whose_image_is_gone() -> None:
    same = Latest(digest("1"), SAME.digests, SAME)
    stopped = _in("stopped")
    assert isinstance(decide(stopped, same, Policy(), router="router1", node="tailscale"), Repair)
    assert isinstance(decide(stopped, same, Policy(), router="router1", node="tailscale", start_failed=True), Swap)


def test_why_it_is_swapped_is_said() -> None:
    lost, outdated = CASES["its image is gone, and comes again"], CASES["the platform moved, and to what"]
    why = [
        decision.why
        for case in (lost, outdated)
        if isinstance(decision := decide(case.live, case.latest, case.policy, router="r", node="tailscale"), Swap)
    ]
    assert why == ["its image is gone", "the image changed"]


def test_an_image_that_another_platform_remembers_is_no_downgrade_here() -> None:
    known = [_known(NEXT, first_seen_s=1.0, platform=Platform.parse("linux/amd64")), _known(SAME, first_seen_s=2.0)]
    live = _live(comment=RECORDED.replace("1.90.1", "nightly"))
    decision = decide(live, MOVED, Policy(known=known), router="router1", node="tailscale")
    assert isinstance(decision, Swap)
