"""References, digests and platforms: what is accepted, what it means, and that it prints as it was written."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.errors import UsageError
from mtts.core.image import Digest, ImageRef, Platform

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag"),
    [
        ("alpine", "docker.io", "library/alpine", "latest"),
        ("tailscale/tailscale", "docker.io", "tailscale/tailscale", "latest"),
        ("docker.io/alpine:3", "docker.io", "library/alpine", "3"),
        ("index.docker.io/tailscale/tailscale:stable", "docker.io", "tailscale/tailscale", "stable"),
        ("ghcr.io/a/b/c:v1", "ghcr.io", "a/b/c", "v1"),
        ("GHCR.io/a/b", "ghcr.io", "a/b", "latest"),
        ("foo.io/bar", "foo.io", "bar", "latest"),
        ("localhost/bar", "localhost", "bar", "latest"),
        ("name:5000", "docker.io", "library/name", "5000"),
        ("name:5000/x", "name:5000", "x", "latest"),
        ("127.0.0.1:5000/x/y:z", "127.0.0.1:5000", "x/y", "z"),
        ("[::1]:5000/x", "[::1]:5000", "x", "latest"),
        ("[fd00::1]/x:z", "[fd00::1]", "x", "z"),
        ("r.example/a__b/c-d/e.f--g", "r.example", "a__b/c-d/e.f--g", "latest"),
        ("r.example/a:" + "t" * 128, "r.example", "a", "t" * 128),
    ],
)
def test_a_reference_is_read_as_docker_and_the_distribution_specification_do(
    text: str, registry: str, repository: str, tag: str
) -> None:
    image = ImageRef.parse(text)
    assert (image.registry, image.repository, image.tag, image.digest) == (registry, repository, tag, None)
    assert str(image) == text
    assert image.name == f"{registry}/{repository}"


@pytest.mark.parametrize("digest", [SHA256, SHA512])
@pytest.mark.parametrize(("tag_text", "tag"), [("", None), (":stable", "stable")])
def test_a_digest_pins_a_reference_and_a_tag_beside_it_is_kept(digest: str, tag_text: str, tag: str | None) -> None:
    image = ImageRef.parse(f"r.example/a/b{tag_text}@{digest}")
    assert image.digest == Digest(digest)
    assert image.tag == tag


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://r.example/a", "starts with https://"),
        ("docker://alpine", "starts with docker://"),
        ("", "is not host"),
        ("r.example/", "is not host"),
        ("r.example//a", "is not host"),
        ("r.example/a b", "is not host"),
        ("r.example/a\n", "is not host"),
        ("r.example/-a", "is not host"),
        ("r.example/a..b", "is not host"),
        ("a..b/c", "is not host"),
        ("-r.example/c", "is not host"),
        ("[:::]/c", "is not host"),
        ("r.example:99999/c", "is not host"),
        ("r.example:/c", "is not host"),
        ("r.example/Team/image", "lower case"),
        ("r.example/a:", "is not a tag"),
        ("r.example/a:-x", "is not a tag"),
        ("r.example/a:" + "t" * 129, "is not a tag"),
        ("r.example/a@", "digest"),
        ("r.example/a@sha256:123", "digest"),
        ("r.example/a@" + SHA256.upper(), "digest"),
        ("r.example/" + "a" * 250, "longer than 255"),
    ],
)
def test_what_is_no_reference_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        ImageRef.parse(text)
    assert caught.value.problem.code == "image-reference-invalid"


def test_a_prefix_or_capitals_are_refused_with_what_to_write_instead() -> None:
    with pytest.raises(UsageError) as caught:
        ImageRef.parse("https://r.example/a:b")
    assert caught.value.problem.hint == "write r.example/a:b"
    with pytest.raises(UsageError) as caught:
        ImageRef.parse("r.example/Team/a")
    assert caught.value.problem.hint == "write team/a"


@given(st.text(max_size=80) | st.text(alphabet="aA0.:/@-_[]", max_size=40))
def test_any_text_is_a_reference_that_prints_back_or_a_usage_error(text: str) -> None:
    try:
        image = ImageRef.parse(text)
    except UsageError:
        return
    assert str(image) == text
    again = ImageRef.parse(f"{image.name}:{image.tag}" if image.tag else f"{image.name}@{image.digest}")
    assert (again.registry, again.repository, again.tag) == (image.registry, image.repository, image.tag)


components = st.from_regex(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*", fullmatch=True).filter(lambda text: len(text) < 40)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,30}", fullmatch=True)


@given(st.lists(components, min_size=1, max_size=4), tags)
def test_every_name_that_the_grammar_allows_is_read(parts: list[str], tag: str) -> None:
    image = ImageRef.parse(f"r.example:5000/{'/'.join(parts)}:{tag}")
    assert image.repository == "/".join(parts)
    assert image.tag == tag


@given(st.text(alphabet=string.hexdigits, min_size=60, max_size=68))
def test_a_digest_has_exactly_the_lower_case_digits_of_its_algorithm(digits: str) -> None:
    is_digest = len(digits) == 64 and digits == digits.lower()
    try:
        Digest.parse(f"sha256:{digits}")
    except ValueError:
        assert not is_digest
    else:
        assert is_digest


def test_a_digest_tells_its_algorithm_and_a_short_form() -> None:
    digest = Digest.parse(SHA512)
    assert (digest.algorithm, digest.short, str(digest)) == ("sha512", "0123456789ab", SHA512)


@pytest.mark.parametrize(
    ("written", "usual"),
    [
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm", "linux/arm"),
        ("linux/arm/v8", "linux/arm/v8"),
        ("linux/amd64/v3", "linux/amd64/v3"),
    ],
)
def test_a_platform_has_one_usual_name(written: str, usual: str) -> None:
    assert str(Platform.parse(written).normalised()) == usual


@pytest.mark.parametrize(
    ("machine", "builds"),
    [
        ("linux/arm", ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5", "linux/arm"]),
        ("linux/arm/v7", ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5", "linux/arm"]),
        ("linux/arm/v6", ["linux/arm/v6", "linux/arm/v5"]),
        ("linux/arm/v5", ["linux/arm/v5"]),
        ("linux/arm64/v8", ["linux/arm64"]),
        ("linux/amd64", ["linux/amd64"]),
    ],
)
def test_a_machine_runs_its_own_platform_and_older_ones_best_first(machine: str, builds: list[str]) -> None:
    assert [str(build) for build in Platform.parse(machine).runnable()] == builds


@pytest.mark.parametrize("text", ["linux", "linux/", "/arm", "linux/arm/v7/x", "Linux/arm", "linux/a rm", ""])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a platform"):
        Platform.parse(text)
