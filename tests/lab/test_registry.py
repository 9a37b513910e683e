"""The lab's registry: tokens, content, journal and faults, asked by httpx as an independent client."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mtts.lab.images import INDEX_TYPE, MANIFEST_TYPE, LabImage, build_image, digest_of
from mtts.lab.registry import LabRegistry
from mtts.lab.registry_faults import RegistryFault
from mtts.lab.tokens import TOKEN_LIFETIME_S, AnonymousTokens, TokenVerdict

NAME = "team/mikrotik-tailscale"
STABLE = f"/v2/{NAME}/manifests/stable"
ACCEPT = {"Accept": f"{INDEX_TYPE}, {MANIFEST_TYPE}"}


@pytest.fixture
async def client(registry: LabRegistry) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{registry.address}", headers=ACCEPT) as client:
        yield client


@pytest.fixture
def image(registry: LabRegistry) -> LabImage:
    image = build_image("1.0", extracted_bytes=9000)
    registry.publish(image)
    return image


async def fresh_token(client: httpx.AsyncClient, name: str = NAME) -> dict[str, str]:
    answer = await client.get("/token", params={"scope": f"repository:{name}:pull"})
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def test_without_a_token_the_challenge_names_realm_service_and_scope(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage
) -> None:
    refused = await client.head(STABLE)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == (
        f'Bearer realm="http://{registry.address}/token",service="{registry.address}",scope="repository:{NAME}:pull"'
    )
    ping = await client.get("/v2/")
    assert ping.status_code == 401
    assert "scope" not in ping.headers["www-authenticate"]
    assert ping.json()["errors"][0]["code"] == "UNAUTHORIZED"


async def test_with_a_token_head_and_get_answer_the_same_digest_and_length(
    client: httpx.AsyncClient, image: LabImage
) -> None:
    token = await fresh_token(client)
    head = await client.head(STABLE, headers=token)
    body = await client.get(STABLE, headers=token)
    assert head.status_code == body.status_code == 200
    assert head.content == b""
    assert digest_of(body.content) == image.index_digest
    for answer in (head, body):
        assert answer.headers["docker-content-digest"] == image.index_digest
        assert answer.headers["content-length"] == str(len(image.index))
        assert answer.headers["content-type"] == INDEX_TYPE


async def test_a_token_opens_no_other_repository(client: httpx.AsyncClient, image: LabImage) -> None:
    refused = await client.get(STABLE, headers=await fresh_token(client, "team/other"))
    assert refused.status_code == 401
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


async def test_a_token_that_was_never_issued_is_invalid(client: httpx.AsyncClient, image: LabImage) -> None:
    refused = await client.get(STABLE, headers={"Authorization": "Bearer invented"})
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


async def test_a_token_is_announced_for_as_long_as_it_lives(client: httpx.AsyncClient) -> None:
    grant = (await client.get("/token", params={"scope": f"repository:{NAME}:pull,push"})).json()
    assert grant["token"] == grant["access_token"]
    assert grant["expires_in"] == TOKEN_LIFETIME_S


async def test_who_names_no_scope_gets_no_token(client: httpx.AsyncClient) -> None:
    assert (await client.get("/token", params={"service": "x"})).status_code == 401


def test_tokens_expire_by_their_clock_and_by_revocation() -> None:
    now_s = [1000.0]
    tokens = AnonymousTokens(lambda: now_s[0])
    first, second = tokens.issue("a"), tokens.issue("a")
    tokens.revoke(second)
    assert tokens.judge(first, "a") is TokenVerdict.GOOD
    assert tokens.judge(first, None) is TokenVerdict.GOOD
    assert tokens.judge(second, "a") is TokenVerdict.INVALID
    now_s[0] += TOKEN_LIFETIME_S
    assert tokens.judge(first, "a") is TokenVerdict.INVALID


async def test_a_tag_moves_while_the_old_release_stays_pullable_by_digest(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage
) -> None:
    newer = registry.publish(build_image("1.1", extracted_bytes=9000), tags=["stable", "1.1"])
    token = await fresh_token(client)
    moved = await client.head(STABLE, headers=token)
    assert moved.headers["docker-content-digest"] == newer
    old = await client.get(f"/v2/{NAME}/manifests/{image.index_digest}", headers=token)
    assert old.content == image.index
    tags = await client.get(f"/v2/{NAME}/tags/list", headers=token)
    assert tags.json() == {"name": NAME, "tags": ["1.1", "stable"]}


@pytest.mark.parametrize(("repository", "tag"), [("Team/x", "a"), ("team/x", "a b"), ("", "a"), ("team/x", "-")])
def test_a_name_that_no_reference_can_hold_is_not_published(repository: str, tag: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        LabRegistry().publish(build_image("1.0", extracted_bytes=9000), repository=repository, tags=[tag])


async def test_the_journal_tells_who_asked_for_what_and_how_it_was_answered(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage
) -> None:
    await client.head(STABLE)
    await client.head(STABLE, headers=await fresh_token(client))
    assert [(each.method, each.path, each.status, each.had_authorization) for each in registry.requests] == [
        ("HEAD", STABLE, 401, False),
        ("GET", "/token", 200, False),
        ("HEAD", STABLE, 200, True),
    ]
    assert all(each.user_agent.startswith("python-httpx/") for each in registry.requests)


async def test_a_registry_stopped_and_started_keeps_its_port_and_content(image: LabImage) -> None:
    registry = LabRegistry()
    await registry.start()
    registry.publish(image)
    address = registry.address
    await registry.stop()
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://{address}/v2/")
        await registry.start()
        assert registry.address == address
        assert (await client.get(f"http://{address}/v2/")).status_code == 401
    await registry.stop()


# Faults


@pytest.mark.parametrize("retry_after", [None, "7", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_too_many_requests_come_with_or_without_a_retry_after(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage, retry_after: str | None
) -> None:
    registry.faults.add(RegistryFault("status", status=429, retry_after=retry_after))
    limited = await client.get(STABLE)
    assert limited.status_code == 429
    assert limited.headers.get("retry-after") == retry_after
    assert limited.json()["errors"][0]["code"] == "TOOMANYREQUESTS"


async def test_a_fault_hits_as_often_as_asked_and_then_no_more(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage
) -> None:
    registry.faults.add(RegistryFault("status", status=503, times=2))
    token = await fresh_token(client)
    assert [(await client.get(STABLE, headers=token)).status_code for _ in range(3)] == [503, 503, 200]


async def test_the_token_endpoint_can_be_down_alone(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage
) -> None:
    registry.faults.add(RegistryFault("status", on="token", status=502))
    assert (await client.get("/token", params={"scope": f"repository:{NAME}:pull"})).status_code == 502
    assert (await client.get(STABLE)).status_code == 401


async def test_a_truncated_body_ends_before_its_announced_length(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage
) -> None:
    registry.faults.add(RegistryFault("truncate"))
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        await client.get(STABLE, headers=await fresh_token(client))


async def test_a_stalled_body_never_ends_and_stop_ends_it_all_the_same(image: LabImage) -> None:
    registry = LabRegistry()
    await registry.start()
    registry.publish(image)
    registry.faults.add(RegistryFault("no-auth", on="any"))
    registry.faults.add(RegistryFault("stall"))
    async with (
        httpx.AsyncClient(headers=ACCEPT) as client,
        client.stream("GET", f"http://{registry.address}{STABLE}") as answer,
    ):
        received = 0
        with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012 - the end of the stream is what raises
            async for piece in answer.aiter_raw():
                received += len(piece)
                await registry.stop()
        assert received == len(image.index) // 2


@pytest.mark.parametrize(("kind", "expected"), [("no-digest", None), ("wrong-digest", digest_of(b"another body"))])
async def test_the_digest_header_can_be_missing_or_lie_over_a_right_body(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage, kind: Any, expected: str | None
) -> None:
    registry.faults.add(RegistryFault(kind))
    answer = await client.get(STABLE, headers=await fresh_token(client))
    assert answer.content == image.index
    assert answer.headers.get("docker-content-digest") == expected


async def test_a_fault_can_concern_one_method_alone(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage
) -> None:
    registry.faults.add(RegistryFault("status", status=405, method="HEAD"))
    token = await fresh_token(client)
    assert (await client.head(STABLE, headers=token)).status_code == 405
    assert (await client.get(STABLE, headers=token)).content == image.index


@pytest.mark.parametrize("kind", ["truncate", "damage", "stall"])
async def test_what_spoils_a_body_spares_an_answer_without_one(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage, kind: Any
) -> None:
    registry.faults.add(RegistryFault(kind, times=1))
    answer = await client.head(STABLE, headers=await fresh_token(client))
    assert answer.headers["docker-content-digest"] == image.index_digest
    assert answer.headers["content-length"] == str(len(image.index))
    assert len(registry.faults.active) == 1


async def test_a_damaged_body_keeps_length_and_digest_header(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage
) -> None:
    registry.faults.add(RegistryFault("damage"))
    answer = await client.get(STABLE, headers=await fresh_token(client))
    assert answer.headers["docker-content-digest"] == image.index_digest
    assert len(answer.content) == len(image.index)
    assert digest_of(answer.content) != image.index_digest


async def test_a_redirect_leads_to_the_same_path_on_another_host(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage
) -> None:
    registry.faults.add(RegistryFault("redirect", on="blobs", host="127.0.0.1:9"))
    digest = next(iter(image.blobs))
    answer = await client.get(f"/v2/{NAME}/blobs/{digest}", headers=await fresh_token(client))
    assert answer.status_code == 307
    assert answer.headers["location"] == f"http://127.0.0.1:9/v2/{NAME}/blobs/{digest}"


async def test_a_token_that_expires_midway_stays_expired_and_a_new_one_serves(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage
) -> None:
    old = await fresh_token(client)
    registry.faults.add(RegistryFault("expired-token", times=1))
    assert [(await client.get(STABLE, headers=old)).status_code for _ in range(2)] == [401, 401]
    assert (await client.get(STABLE, headers=await fresh_token(client))).status_code == 200


async def test_without_authentication_everything_is_served_to_everybody(
    registry: LabRegistry, client: httpx.AsyncClient, image: LabImage
) -> None:
    registry.faults.add(RegistryFault("no-auth", on="any"))
    digest = next(iter(image.blobs))
    for path in ("/v2/", STABLE, f"/v2/{NAME}/blobs/{digest}", f"/v2/{NAME}/tags/list"):
        assert (await client.get(path)).status_code == 200


async def test_cleared_faults_are_gone(registry: LabRegistry, client: httpx.AsyncClient, image: LabImage) -> None:
    registry.faults.add(RegistryFault("status"))
    registry.faults.clear()
    assert (await client.get(STABLE, headers=await fresh_token(client))).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"kind": "fire"}, "kind: expected one of status"),
        ({"kind": "status", "on": "roof"}, "on: expected one of manifests, blobs, token, any, not 'roof'"),
        ({"kind": "status", "method": "PUT"}, "method: expected one of GET, HEAD, any, not 'PUT'"),
        ({"kind": "redirect"}, "redirect needs host"),
        ({"kind": "redirect", "host": "é"}, "host: expected 1 to 200 characters of ASCII"),
        ({"kind": "status", "times": 0}, "times: expected a whole number from 1"),
        ({"kind": "status", "status": 200}, "status: expected an HTTP status of a failure"),
        ({"kind": "status", "status": 999}, "status: expected an HTTP status of a failure"),
        ({"kind": "denied", "on": "blobs"}, "on: expected one of token, any, not 'blobs'"),
        ({"kind": "damage", "method": "HEAD"}, "method: expected one of any, GET, not 'HEAD'"),
    ],
)
def test_a_fault_that_could_never_happen_is_refused(arguments: dict[str, Any], refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal):
        RegistryFault(**arguments)
