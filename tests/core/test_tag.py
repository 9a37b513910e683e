"""The comment that says whose an object is, and what was verified: written, read back, and read from anybody."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.image import Digest
from mtts.core.tag import SHARED, UNPROVEN, Tag, proven
from tests.core.examples import a_release, digest

NODES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
DIGESTS = st.none() | st.sampled_from("0123456789abcdef").map(digest)
WORDS = st.none() | st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True)
VERSIONS = st.none() | st.from_regex(r"[A-Za-z0-9._+-]{1,12}", fullmatch=True)
TAGS = st.builds(
    Tag,
    node=NODES,
    version=VERSIONS,
    platform=DIGESTS,
    index=DIGESTS,
    extras=st.frozensets(st.sampled_from(["lists", "nat", "dns"])),
    adopted=st.booleans(),
    in_ram=st.booleans(),
    next_in=WORDS,
    tx=WORDS,
    armed=st.none() | st.integers(0, 1000),
    failed=WORDS,
    is_aborted=st.booleans(),
    is_restored=st.booleans(),
    is_back=st.booleans(),
)


@given(TAGS)
def test_a_tag_is_read_as_it_was_written(tag: Tag) -> None:
    assert Tag.parse(str(tag)) == tag


@given(TAGS)
def test_what_is_staged_is_recorded_by_nobody(tag: Tag) -> None:
    assert not (tag.is_recorded and tag.next_in)
    assert not tag.staging(a_release(), "t1").is_recorded
    assert tag.recording(a_release(), tx="t1").is_recorded


@given(TAGS)
def test_marks_of_a_swap_are_words_behind_what_was_staged(tag: Tag) -> None:
    """A guard appends them to the very text that was staged, and looks for what confirms by its text."""
    staged = replace(tag, tx=None, armed=None, failed=None, is_aborted=False, is_restored=False, is_back=False)
    assert str(replace(staged, armed=3)) == f"{staged} armed=3"
    assert str(replace(staged, failed="unhealthy")) == f"{staged} failed=unhealthy"
    done = replace(staged, failed="unhealthy", is_restored=True, is_back=True)
    assert str(done) == f"{staged} failed=unhealthy restored back"
    assert Tag.parse(f"{staged} armed=3 abort") == replace(staged, armed=3, is_aborted=True)
    assert " tx=t1" in str(replace(staged, next_in=None, tx="t1"))
    assert " tx=" not in str(staged)


@given(st.text())
def test_any_comment_is_read(comment: str) -> None:
    tag = Tag.parse(comment)
    if tag is not None:
        assert comment.split(maxsplit=1)[0] == f"mtts:{tag.node}"
        assert Tag.parse(str(tag)) is not None


@given(NODES, st.text())
def test_whatever_follows_the_tag_the_object_stays_ours(node: str, rest: str) -> None:
    tag = Tag.parse(f"mtts:{node} {rest}")
    assert tag is not None
    assert tag.node == node


@pytest.mark.parametrize(
    "comment",
    [
        None,
        "",
        "   ",
        "defconf",
        "my mtts:tailscale",
        "mtts",
        "mtts:",
        "mtts: tailscale",
        "mtts:-x",
        "mtts:a/b",
        "mtts:ä",
        "MTTS:tailscale",
        "xmtts:tailscale",
        "123",
        "yes",
    ],
)
def test_what_others_write_is_no_tag(comment: str | None) -> None:
    assert Tag.parse(comment) is None


@pytest.mark.parametrize(
    ("comment", "tag"),
    [
        ("mtts:tailscale", Tag("tailscale")),
        ("  mtts:shared  ", Tag(SHARED)),
        ("mtts:a v=1.2 adopted", Tag("a", version="1.2", adopted=True)),
        ("mtts:a v= platform= index= with=", Tag("a")),
        ("mtts:a platform=sha256:12 index=nonsense", Tag("a")),
        (f"mtts:a platform={digest('a')} platform={digest('b')}", Tag("a", platform=digest("b"))),
        ("mtts:a with=dns,,nat", Tag("a", extras=frozenset({"dns", "nat"}))),
        ("mtts:a note from the operator", Tag("a")),
        ("mtts:a next=t1 v=2 armed=1", Tag("a", "2", next_in="t1", armed=1)),
        ("mtts:a next=t1 armed=2 abort", Tag("a", next_in="t1", armed=2, is_aborted=True)),
        ("mtts:a next=t1 failed=unhealthy", Tag("a", next_in="t1", failed="unhealthy")),
        ("mtts:a v=2 ram tx=t1", Tag("a", "2", in_ram=True, tx="t1")),
        ("mtts:a next= tx= armed= failed=", Tag("a")),
        ("mtts:a armed=soon", Tag("a")),
    ],
)
def test_what_a_tag_does_not_say_is_unknown(comment: str, tag: Tag) -> None:
    assert Tag.parse(comment) == tag


def test_a_version_that_would_break_the_comment_is_written_harmlessly() -> None:
    tag = Tag.parse(str(Tag("a", version="1.0 platform=x")))
    assert tag == Tag("a", version="1.0_platform_x")


def test_a_record_forgets_the_swap_before_and_names_its_own() -> None:
    staged = Tag("a", version="old", tx="t0", in_ram=True, adopted=True).staging(a_release(), "t1")
    assert str(staged) == f"mtts:a next=t1 v=1.90.1 platform={digest('2')} index={digest('1')} adopted"
    recorded = replace(staged, next_in=None, tx="t1")
    assert str(recorded) == f"mtts:a v=1.90.1 platform={digest('2')} index={digest('1')} adopted tx=t1"


def test_a_record_names_the_release_and_keeps_the_rest() -> None:
    tag = Tag("a", version="old", extras=frozenset({"dns"}), adopted=True).recording(a_release())
    assert tag == Tag("a", "1.90.1", digest("2"), digest("1"), frozenset({"dns"}), adopted=True)


@pytest.mark.parametrize(
    ("image_id", "pulled_now"), [(str(digest("3")), False), (str(digest("2")), True), (None, True)]
)
def test_a_record_stands_where_the_router_shows_the_image_or_this_run_pulled_it(
    image_id: str | None, pulled_now: bool
) -> None:
    comment = str(Tag("a").recording(a_release()))
    assert proven(comment, a_release(), image_id, pulled_now=pulled_now) == comment


@pytest.mark.parametrize(("image_id", "pulled_now"), [(str(digest("9")), True), (None, False)])
def test_a_record_of_an_image_that_is_another_or_unproven_names_no_digest(
    image_id: str | None, pulled_now: bool
) -> None:
    comment = str(Tag("a", extras=frozenset({"nat"})).recording(a_release()))
    assert proven(comment, a_release(), image_id, pulled_now=pulled_now) == f"mtts:a v={UNPROVEN} with=nat"


@pytest.mark.parametrize(("comment", "release"), [("theirs", a_release()), ("mtts:a v=1", None)])
def test_without_a_tag_or_a_release_nothing_is_struck(comment: str, release: None) -> None:
    assert proven(comment, release, str(Digest.parse("sha256:" + "9" * 64)), pulled_now=True) == comment
