"""Answers that no registry of ours would give: lies, pages, floods, detours, and what is made of them."""

import gzip
import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import respx

from mtts.core.errors import (
    BadManifestError,
    ImageNotFoundError,
    MttsError,
    RegistryError,
    RegistryPolicyError,
    RegistryUnavailableError,
)
from mtts.core.image import ImageRef, Platform, Release
from mtts.lab.images import INDEX_TYPE, MANIFEST_TYPE, build_image, digest_of
from tests.adapters.registry.harness import ARM, ARM64, FakeClock, Names, client
from tests.adapters.registry.served import IMAGE, TOKEN, Handler, Served, document, error, html

SIGNATURE = "canary-signature"
STORE = f"https://store.example/blob?X-Amz-Signature={SIGNATURE}"
CHALLENGE = 'Bearer realm="https://r.example/v2/token",service="r.example"'
FIRST = IMAGE.manifest_digest("linux/arm64")


async def resolve(
    served: Served, *, clock: FakeClock | None = None, lookup: Names | None = None, platform: Platform = ARM64
) -> Release:
    with respx.mock as router:
        router.route().mock(side_effect=served)
        async with client(clock=clock, lookup=lookup) as asked:
            return await asked.resolve(ImageRef.parse("r.example/a/b:stable"), platform)


def is_whole(release: Release) -> bool:
    return (str(release.index_digest), str(release.manifest_digest)) == (IMAGE.index_digest, FIRST)


def answering(response: httpx.Response | Exception) -> Handler:
    def handler(_: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    return handler


def in_turn(*handlers: Handler) -> Handler:
    """One handler after the other; the last one for ever."""
    left = list(handlers)

    def handler(request: httpx.Request) -> httpx.Response:
        current = left.pop(0) if len(left) > 1 else left[0]
        return current(request)

    return handler


def redirecting(location: str, status: int = 307) -> Handler:
    return answering(httpx.Response(status, headers={"Location": location}))


async def test_a_digest_header_in_an_unknown_form_counts_as_none() -> None:
    for header in ("md5:abc", "sha256:ABC", "", "sha256:" + "A" * 64):
        served = Served(overrides={"/stable": answering(document(IMAGE.index, INDEX_TYPE, header))})
        assert is_whole(await resolve(served))


async def test_a_digest_header_of_sha512_is_checked_and_kept() -> None:
    import hashlib  # noqa: PLC0415 - here alone

    digest = "sha512:" + hashlib.sha512(IMAGE.index).hexdigest()
    served = Served(overrides={"/stable": answering(document(IMAGE.index, INDEX_TYPE, digest))})
    assert str((await resolve(served)).index_digest) == digest


async def test_a_damaged_body_under_an_honest_header_never_becomes_a_release() -> None:
    damaged = IMAGE.index.replace(b'"size":', b'"size": ')
    served = Served(overrides={"/stable": answering(document(damaged, INDEX_TYPE, IMAGE.index_digest))})
    with pytest.raises(BadManifestError, match=r"twice sent a/b:stable with a content that does not match") as caught:
        await resolve(served)
    assert caught.value.problem.code == "manifest-invalid"
    assert len(served.asked("/stable")) == 2


async def test_a_manifest_by_digest_must_have_that_digest() -> None:
    other = IMAGE.manifests[IMAGE.manifest_digest("linux/amd64")]
    lie = answering(document(other, MANIFEST_TYPE, FIRST))
    with pytest.raises(BadManifestError, match="does not match its digest"):
        await resolve(Served(overrides={FIRST: lie}))
    served = Served()
    served.overrides = {FIRST: in_turn(lie, lambda _: served.stored(FIRST))}
    assert is_whole(await resolve(served))


async def test_a_compressed_answer_has_the_digest_of_what_was_compressed() -> None:
    packed = httpx.Response(
        200, headers={"Content-Type": INDEX_TYPE, "Content-Encoding": "gzip"}, content=gzip.compress(IMAGE.index)
    )
    assert is_whole(await resolve(Served(overrides={"/stable": answering(packed)})))


@pytest.mark.parametrize("content_type", ["application/json", "application/octet-stream", "text/plain; charset=utf-8"])
async def test_a_vague_content_type_does_not_matter(content_type: str) -> None:
    assert is_whole(await resolve(Served(overrides={"/stable": answering(document(IMAGE.index, content_type, None))})))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"schemaVersion": 1, "fsLayers": []}', "application/json"),
        (b'{"fsLayers": []}', "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        (b'{"fsLayers": []}', "application/vnd.docker.distribution.manifest.v1+json; charset=utf-8"),
    ],
)
async def test_schema_1_is_refused_by_name(body: bytes, content_type: str) -> None:
    served = Served(overrides={"/stable": answering(document(body, content_type, None))})
    with pytest.raises(BadManifestError, match=r"a/b:stable at r\.example cannot be used: .* only as schema 1"):
        await resolve(served)
    assert len(served.requests) == 1


async def test_a_sign_in_page_is_not_a_manifest_and_passes_by_itself() -> None:
    served, clock = Served(), FakeClock()
    served.overrides = {"/stable": in_turn(answering(html()), lambda _: served.stored("stable"))}
    assert is_whole(await resolve(served, clock=clock))
    assert len(clock.sleeps) == 1
    with pytest.raises(RegistryUnavailableError, match="something else than JSON") as caught:
        await resolve(Served(overrides={"/stable": answering(html())}))
    assert "sign-in page" in caught.value.problem.hint


@pytest.mark.parametrize(
    ("ending", "words"),
    [("/stable", "more than 4096 KiB"), (Served().config_digest, "more than 8192 KiB")],
    ids=["manifest", "configuration"],
)
async def test_an_answer_that_is_too_long_is_refused(ending: str, words: str) -> None:
    flood = httpx.Response(200, content=b"{" * (9 * 2**20))
    with pytest.raises(BadManifestError, match=words):
        await resolve(Served(overrides={ending: answering(flood)}))


async def test_a_long_refusal_is_cut() -> None:
    served = Served(overrides={"/stable": answering(httpx.Response(403, text="no " * 2**20))})
    with pytest.raises(MttsError) as caught:
        await resolve(served)
    assert len(caught.value.problem.message) < 400


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (httpx.ConnectTimeout("slow"), "no connection in time to r.example: slow"),
        (httpx.ReadTimeout("silent"), "no answer in time from r.example"),
        (httpx.ConnectError("[Errno 111] refused"), r"no connection to r.example: \[Errno 111\] refused"),
        (httpx.RemoteProtocolError("cut\x1b short"), "the exchange broke off with r.example: cut short"),
        (httpx.ReadError(""), "the exchange broke off with r.example$"),
    ],
)
async def test_a_failing_connection_is_tried_four_times_and_explained(failure: Exception, words: str) -> None:
    clock = FakeClock()
    served = Served(overrides={"/stable": answering(failure)})
    with pytest.raises(RegistryUnavailableError, match=words):
        await resolve(served, clock=clock)
    assert len(clock.sleeps) == 3
    assert clock.sleeps[0] < clock.sleeps[2] + 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_blob_may_lie_in_a_store_that_gets_no_token(status: int) -> None:
    served = Served(challenges=[CHALLENGE])
    stored = httpx.Response(200, content=IMAGE.blobs[served.config_digest])
    served.overrides = {served.config_digest: redirecting(STORE, status), "/blob": answering(stored)}
    assert is_whole(await resolve(served))
    (fetched,) = served.asked("/blob")
    assert "Authorization" not in fetched.headers
    assert served.asked(served.config_digest)[0].headers["Authorization"] == f"Bearer {TOKEN}"


async def test_a_token_that_was_left_behind_is_not_taken_up_again_on_the_way_back() -> None:
    served = Served(challenges=[CHALLENGE])
    stored = httpx.Response(200, content=IMAGE.blobs[served.config_digest])
    served.overrides = {
        served.config_digest: redirecting("https://store.example/there"),
        "/there": redirecting("https://r.example/back"),
        "/back": answering(stored),
    }
    assert is_whole(await resolve(served))
    assert "Authorization" not in served.asked("/back")[0].headers


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://store.example/blob", "unencrypted"),
        ("http://r.example/blob", "unencrypted"),
        ("https://10.1.2.3/blob", "non-public"),
        ("https://169.254.169.254/latest/meta-data", "non-public"),
        ("https://[fe80::1]/blob", "non-public"),
        ("https://[64:ff9b::a00:1]/blob", "non-public"),
        ("https://100.64.0.1/blob", "non-public"),
        ("https://inside.example/blob", "non-public address fd00::5"),
        ("https://user:secret@store.example/blob", "not a plain one"),
        ("file:///etc/passwd", "unknown"),
    ],
)
async def test_a_redirect_to_a_place_that_a_public_registry_may_not_lead_to_is_refused(location: str, why: str) -> None:
    served = Served(overrides={"/stable": redirecting(location)})
    with pytest.raises(RegistryPolicyError, match=why) as caught:
        await resolve(served, lookup=Names({"inside.example": ["93.184.216.34", "fd00::5"]}))
    assert len(served.requests) == 1
    assert "secret" not in caught.value.problem.message


async def test_an_expired_signature_of_a_store_is_replaced_by_asking_the_registry_again() -> None:
    served = Served()
    stored = httpx.Response(200, content=IMAGE.blobs[served.config_digest])
    expired = httpx.Response(403, text=f"<Error><StringToSign>{SIGNATURE}</StringToSign></Error>")
    served.overrides = {
        served.config_digest: redirecting(STORE),
        "/blob": in_turn(answering(expired), answering(stored)),
    }
    assert is_whole(await resolve(served))
    served.overrides = {served.config_digest: redirecting(STORE), "/blob": answering(expired)}
    with pytest.raises(RegistryUnavailableError) as caught:
        await resolve(served)
    assert SIGNATURE not in caught.value.problem.message + caught.value.problem.hint


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (f"the token {TOKEN} is bad", r"the token \*\*\* is bad"),
        (f"see {STORE} for more", r"see https://store.example/blob\?… for more"),
        ("red \x1b[31m text\u202e\x00\r\nInjected: line", "red text Injected: line"),
        ("x" * 5000, "xxx…$"),
    ],
)
async def test_the_words_of_a_registry_are_quoted_without_secrets_and_control_characters(
    message: str, shown: str
) -> None:
    served = Served(challenges=[CHALLENGE])
    served.overrides = {FIRST: answering(error(404, "MANIFEST_UNKNOWN", message))}
    with pytest.raises(ImageNotFoundError, match=shown) as caught:
        await resolve(served)
    text = caught.value.problem.message
    assert TOKEN not in text
    assert SIGNATURE not in text
    assert text.isprintable()
    assert len(text) < 500


async def test_no_log_holds_a_token_or_a_signature(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    served = Served(challenges=[CHALLENGE])
    stored = httpx.Response(200, content=IMAGE.blobs[served.config_digest])
    served.overrides = {served.config_digest: redirecting(STORE), "/blob": answering(stored)}
    assert is_whole(await resolve(served))
    assert TOKEN not in caplog.text
    assert SIGNATURE not in caplog.text


def nest(*inner: Any, **fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": inner, **fields}).encode()


def pointer(body: bytes, media_type: str = INDEX_TYPE, **fields: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(body), "size": len(body), **fields}


async def test_an_index_in_an_index_is_followed_once_and_no_deeper() -> None:
    outer = nest(pointer(IMAGE.index))
    outermost = nest(pointer(outer))
    served = Served(overrides={"/stable": answering(document(outer, INDEX_TYPE, None))})
    release = await resolve(served)
    assert str(release.manifest_digest) == FIRST
    assert str(release.index_digest) == digest_of(outer)
    served.overrides = {
        "/stable": answering(document(outermost, INDEX_TYPE, None)),
        digest_of(outer): answering(document(outer, INDEX_TYPE, None)),
    }
    with pytest.raises(ImageNotFoundError, match="it has none at all"):
        await resolve(served)


async def test_a_manifest_without_a_platform_in_its_index_is_judged_by_its_configuration() -> None:
    bodies = [IMAGE.manifests[IMAGE.manifest_digest(name)] for name in ("linux/amd64", "linux/arm64")]
    index = nest(*(pointer(body, MANIFEST_TYPE) for body in bodies))
    served = Served(overrides={"/stable": answering(document(index, INDEX_TYPE, None))})
    assert str((await resolve(served)).manifest_digest) == FIRST
    with pytest.raises(ImageNotFoundError, match="no build for linux/arm/v7; it has linux/amd64, linux/arm64"):
        await resolve(served, platform=ARM)


async def test_an_entry_that_turns_out_to_be_an_index_is_refused() -> None:
    platform = {"os": "linux", "architecture": "arm64"}
    outer = nest(pointer(IMAGE.index, MANIFEST_TYPE, platform=platform))
    served = Served(overrides={"/stable": answering(document(outer, INDEX_TYPE, None))})
    with pytest.raises(BadManifestError, match="calls a manifest what is an index"):
        await resolve(served)


async def test_an_image_whose_size_cannot_be_known_says_what_to_do() -> None:
    image = build_image(
        "1", extracted_bytes=5000, platforms=["linux/arm64"], labels={"org.mtts.image.extracted-size": ""}
    )
    body = next(iter(image.manifests.values())).replace(b"tar+gzip", b"tar+zstd")
    served = Served(image=image, overrides={"/stable": answering(document(body, MANIFEST_TYPE, None))})
    with pytest.raises(BadManifestError, match="zstd and it does not declare its extracted size") as caught:
        await resolve(served)
    assert "org.mtts.image.extracted-size" in caught.value.problem.hint


@pytest.mark.parametrize(
    "change", [lambda blob: blob + b"more", lambda blob: blob[:-1], lambda _: b""], ids=["longer", "shorter", "empty"]
)
async def test_a_layer_of_another_length_is_never_measured(change: Callable[[bytes], bytes]) -> None:
    image = build_image("1", extracted_bytes=5000, labels={"org.mtts.image.extracted-size": ""})
    manifest = json.loads(image.manifests[image.manifest_digest("linux/arm64")])
    digest = manifest["layers"][0]["digest"]
    served = Served(
        image=image, overrides={digest: answering(httpx.Response(200, content=change(image.blobs[digest])))}
    )
    with pytest.raises(RegistryError, match="layer"):
        await resolve(served)
