"""Where a rollback goes: what ran before, or what is named."""

import pytest

from mtts.core.errors import Problem, UsageError
from mtts.core.image import ImageRef, Platform
from mtts.core.ledger import KnownRelease, PastResult, PastRun
from mtts.core.rollback import Target, choose_target
from tests.core.examples import digest

IMAGE = ImageRef.parse("registry.example.net/team/mikrotik-tailscale:stable")
KNOWN = KnownRelease(IMAGE.name, Platform("linux", "arm64"), digest("1"), None, digest("2"), "1.2.3", 1, 2, 0.0)
STEP = PastResult(
    PastRun("r", "update", 0.0, "0"), "router1", "tailscale", "updated", "a/b", "1.2.3", "1.2.4", digest("1"),
    digest("3"), 1.0, None, None, None,
)  # fmt: skip


def choose(named: Target | None, step: PastResult | None = STEP) -> Target | Problem:
    return choose_target(named, router="router1", node="tailscale", last_step=step, known=[KNOWN])


def test_without_a_name_it_is_what_ran_before() -> None:
    assert choose(None) == Target("1.2.3", digest("1"))


def test_without_a_past_there_is_nothing_to_go_back_to() -> None:
    found = choose(None, None)
    assert isinstance(found, Problem)
    assert found.code == "previous-release-unknown"
    assert "--to" in found.hint


def test_a_digest_that_is_known_has_its_version() -> None:
    assert choose(Target.parse(str(digest("1")))) == Target("1.2.3", digest("1"))
    assert choose(Target.parse(str(digest("9")))) == Target(None, digest("9"))


def test_a_version_that_is_known_has_its_digest_and_any_other_is_taken_as_it_is_named() -> None:
    assert choose(Target.parse("1.2.3")) == Target("1.2.3", digest("1"))
    assert choose(Target.parse("1.2.2")) == Target("1.2.2", None)


@pytest.mark.parametrize("text", ["", "no such thing", "sha256:1234", "a/b", "-x"])
def test_what_is_neither_version_nor_digest_is_refused_at_once(text: str) -> None:
    with pytest.raises(UsageError, match="neither a version nor a digest"):
        Target.parse(text)


def test_a_tag_is_asked_for_before_a_digest_and_a_label_need_not_be_a_tag() -> None:
    one = str(digest("1"))
    assert [ref.text for ref in Target("1.2.3", digest("1")).references(IMAGE)] == [
        f"{IMAGE.name}:1.2.3",
        f"{IMAGE.name}:v1.2.3",
        f"{IMAGE.name}@{one}",
    ]
    assert [ref.text for ref in Target("1.2.3 (beta)", digest("1")).references(IMAGE)] == [f"{IMAGE.name}@{one}"]
