"""The lab's registry beside Docker's own: the same requests get the same answers, and skopeo reads it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
import pytest

from mtts.lab.images import INDEX_TYPE, MANIFEST_TYPE, LabImage, build_image, digest_of
from mtts.lab.pull import pull
from mtts.lab.registry import LabRegistry
from mtts.lab.registry_faults import RegistryFault
from tests.registries import REPOSITORY, RealRegistry, inspect_raw, program_or_skip, real_registry

IMAGE = build_image("1.98.9-mt.1", extracted_bytes=9000, attested=True)
ABSENT = "sha256:" + 64 * "0"
MANIFEST = IMAGE.manifest_digest("linux/arm64")
BLOB = next(iter(IMAGE.blobs))
COMPARED = (
    "accept-ranges",
    "cache-control",
    "content-range",
    "content-type",
    "docker-content-digest",
    "docker-distribution-api-version",
    "etag",
)
BOTH = f"{INDEX_TYPE}, {MANIFEST_TYPE}"


@dataclass(frozen=True, slots=True)
class Question:
    path: str
    method: str = "GET"
    accept: str = BOTH
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path[:30]} {self.accept[:40]} {self.headers}"


def manifests(reference: str, name: str = REPOSITORY) -> str:
    return f"/v2/{name}/manifests/{reference}"


def blobs(digest: str) -> str:
    return f"/v2/{REPOSITORY}/blobs/{digest}"


QUESTIONS = [
    Question("/v2/"),
    Question(manifests("stable")),
    Question(manifests("stable"), method="HEAD"),
    Question(manifests("stable"), accept="*/*"),
    Question(manifests("stable"), accept="*/*", method="HEAD"),
    Question(manifests("stable"), accept="application/json"),
    Question(manifests("stable"), accept=MANIFEST_TYPE),
    Question(manifests("stable"), accept=f"text/html, {INDEX_TYPE};q=0.5"),
    Question(manifests("stable"), headers=(("If-None-Match", f'"{IMAGE.index_digest}"'),)),
    Question(manifests("stable"), headers=(("If-None-Match", f'"{ABSENT}"'),)),
    Question(manifests(IMAGE.index_digest)),
    Question(manifests(IMAGE.index_digest), accept="*/*"),
    Question(manifests(MANIFEST)),
    Question(manifests(MANIFEST), accept=INDEX_TYPE),
    Question(manifests("absent")),
    Question(manifests("absent"), method="HEAD"),
    Question(manifests(ABSENT)),
    Question(manifests("stable", "team/absent")),
    Question(blobs(BLOB)),
    Question(blobs(BLOB), method="HEAD"),
    Question(blobs(BLOB), headers=(("Range", "bytes=0-3"),)),
    Question(blobs(BLOB), headers=(("Range", "bytes=-4"),)),
    Question(blobs(BLOB), headers=(("Range", "bytes=1-"),)),
    Question(blobs(BLOB), headers=(("Range", "bytes=5-99999"),)),
    Question(blobs(BLOB), headers=(("If-None-Match", f'"{BLOB}"'),)),
    Question(blobs(ABSENT)),
    Question(f"/v2/{REPOSITORY}/tags/list"),
    Question("/v2/team/absent/tags/list"),
    Question("/nothing"),
    Question(f"/v2/{REPOSITORY}/nothing"),
]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with real_registry(tmp_path_factory.mktemp("registry")) as registry:
        registry.push(IMAGE)
        registry.push(IMAGE, tag="v7", platform="linux/arm/v7")
        yield registry


@pytest.fixture
async def lab() -> AsyncIterator[LabRegistry]:
    registry = LabRegistry()
    await registry.start()
    registry.publish(IMAGE, tags=["stable", "v7"])
    yield registry
    await registry.stop()


def document_of(answer: httpx.Response) -> object:
    """The body with what JSON leaves open, blanks and the order of tags, put aside."""
    if not answer.content or not answer.headers["content-type"].startswith("application/json"):
        return answer.content
    document = answer.json()
    return document | {"tags": sorted(document["tags"])} if "tags" in document else document


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
async def test_the_lab_answers_as_the_real_registry_does(
    real: RealRegistry, lab: LabRegistry, question: Question
) -> None:
    lab.faults.add(RegistryFault("no-auth", on="any"))
    answers = []
    async with httpx.AsyncClient() as client:
        for address in (real.address, lab.address):
            headers = {"Accept": question.accept, **dict(question.headers)}
            answer = await client.request(question.method, f"http://{address}{question.path}", headers=headers)
            compared = {name: answer.headers.get(name) for name in COMPARED}
            answers.append((answer.status_code, compared, document_of(answer)))
    assert answers[1] == answers[0]


@pytest.mark.parametrize("wanted", ["bytes=999999-", "bytes=5-2", "lines=1"])
async def test_a_range_that_cannot_be_served_is_refused_by_both(
    real: RealRegistry, lab: LabRegistry, wanted: str
) -> None:
    lab.faults.add(RegistryFault("no-auth", on="any"))
    async with httpx.AsyncClient(headers={"Range": wanted}) as client:
        assert (await client.get(f"http://{lab.address}{blobs(BLOB)}")).status_code == 416
        # Distribution announces the whole blob's length over a short body, so only its head is readable.
        async with client.stream("GET", f"http://{real.address}{blobs(BLOB)}") as answer:
            assert answer.status_code == 416


@pytest.mark.parametrize(
    ("architecture", "platform"),
    [("arm64", "linux/arm64"), ("x86_64", "linux/amd64"), ("arm", "linux/arm/v7")],
)
async def test_a_router_pulls_the_same_from_both(
    real: RealRegistry, lab: LabRegistry, architecture: str, platform: str
) -> None:
    first, second = [
        await pull(f"{address}/{REPOSITORY}:stable", architecture=architecture)
        for address in (real.address, lab.address)
    ]
    assert first.manifest_digest == second.manifest_digest == IMAGE.manifest_digest(platform)
    assert first.index_digest == second.index_digest == IMAGE.index_digest
    assert (first.config, first.files, first.layer_sizes) == (second.config, second.files, second.layer_sizes)


async def test_a_tag_on_a_single_manifest_is_pulled_as_it_is(real: RealRegistry) -> None:
    pulled = await pull(f"{real.address}/{REPOSITORY}:v7", architecture="arm64")
    assert pulled.index_digest is None
    assert pulled.manifest_digest == IMAGE.manifest_digest("linux/arm/v7")
    assert pulled.config["architecture"] == "arm"


def _served(image: LabImage) -> dict[str, str]:
    """What a reference's part after the repository should answer."""
    return {":stable": image.index_digest, f"@{MANIFEST}": MANIFEST}


@pytest.mark.parametrize("suffix", _served(IMAGE))
async def test_skopeo_sees_our_digests_through_the_token_dance(lab: LabRegistry, suffix: str) -> None:
    program_or_skip("skopeo")
    raw = await asyncio.to_thread(inspect_raw, f"{lab.address}/{REPOSITORY}{suffix}")
    assert digest_of(raw) == _served(IMAGE)[suffix]
    assert any(each.path == "/token" and each.status == 200 for each in lab.requests)
