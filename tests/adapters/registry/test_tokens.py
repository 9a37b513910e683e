"""How each known registry asks for a token, and what its token endpoint may answer; and credentials."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import respx

from mtts.adapters.registry.auth import TokenKey, Tokens
from mtts.core.errors import ImageDeniedError, MttsError, RegistryError, RegistryPolicyError, UsageError
from mtts.core.image import ImageRef, Release
from mtts.core.inventory import RegistryAccess
from mtts.core.secret import FromEnv, Literal, Secret
from tests.adapters.registry.harness import ARM64, FakeClock, Names, client
from tests.adapters.registry.served import TOKEN, Served, error, html

PASSWORD = "canary-password-98765"
BASIC = "Basic " + base64.b64encode(f"bot:{PASSWORD}".encode()).decode()
PLAIN_CHALLENGE = 'Bearer realm="https://r.example/v2/token",service="r.example"'

REGISTRIES: dict[str, tuple[str, str, list[str], str, dict[str, Any]]] = {
    "Docker Hub": (
        "alpine",
        "registry-1.docker.io",
        ['Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"'],
        "https://auth.docker.io/token?service=registry.docker.io",
        {"token": TOKEN, "access_token": TOKEN, "expires_in": 300, "issued_at": "2026-11-20T10:00:00.123456789Z"},
    ),
    "GHCR": (
        "ghcr.io/a/b:v1",
        "ghcr.io",
        ['Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull"'],
        "https://ghcr.io/token?service=ghcr.io",
        {"token": TOKEN},
    ),
    "Quay": (
        "quay.io/a/b",
        "quay.io",
        ['Bearer realm="https://quay.io/v2/auth",service="quay.io"'],
        "https://quay.io/v2/auth?service=quay.io",
        {"token": TOKEN},
    ),
    "GitLab": (
        "registry.gitlab.example/group/sub/project/image",
        "registry.gitlab.example",
        ['Bearer realm="https://gitlab.example/jwt/auth",service="container_registry",scope="repository:x:pull",error="invalid_token"'],
        "https://gitlab.example/jwt/auth?service=container_registry",
        {"token": TOKEN},
    ),
    "Gitea": (
        "git.example/a/b",
        "git.example",
        ['Basic realm="Gitea Container Registry"', 'Bearer realm="https://git.example/v2/token",service="container_registry",scope="*"'],
        "https://git.example/v2/token?service=container_registry",
        {"token": TOKEN},
    ),
    "old Gitea": (
        "git.example/a/b",
        "git.example",
        ['Bearer realm="https://git.example/v2/token"'],
        "https://git.example/v2/token",
        {"token": TOKEN},
    ),
    "Harbor": (
        "harbor.example/project/a/b",
        "harbor.example",
        ['Bearer realm="https://harbor.example/service/token",service="harbor-registry",scope="repository:project/a/b:pull"'],
        "https://harbor.example/service/token?service=harbor-registry",
        {"token": TOKEN, "access_token": "", "expires_in": 1800, "issued_at": "nonsense"},
    ),
    "ECR Public": (
        "public.ecr.aws/a/b",
        "public.ecr.aws",
        ['Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws"'],
        "https://public.ecr.aws/token/?service=public.ecr.aws",
        {"token": TOKEN},
    ),
    "Artifactory": (
        "art.example/docker-local/a",
        "art.example",
        ['Bearer realm="https://jfrog.example/artifactory/api/docker/docker-local/v2/token?x=1",service="art.example"'],
        "https://jfrog.example/artifactory/api/docker/docker-local/v2/token?x=1&service=art.example",
        {"access_token": TOKEN, "expires_in": 3600},
    ),
    "Google": (
        "gcr.io/a/b",
        "gcr.io",
        ["Bearer realm=https://gcr.io/v2/token,service=gcr.io"],
        "https://gcr.io/v2/token?service=gcr.io",
        {"token": TOKEN, "expires_in": "3600"},
    ),
}  # fmt: skip  # one challenge, one line


async def resolve(
    served: Served, *access: RegistryAccess, text: str = "r.example/a/b:stable", clock: FakeClock | None = None
) -> Release:
    with respx.mock as router:
        router.route().mock(side_effect=served)
        async with client(*access, clock=clock) as asked:
            return await asked.resolve(ImageRef.parse(text), ARM64)


@pytest.mark.parametrize("name", REGISTRIES)
async def test_every_known_registry_gives_its_token_for_the_scope_of_the_image(name: str) -> None:
    text, host, challenges, realm, grant = REGISTRIES[name]
    served = Served(challenges=challenges, grant=grant)
    release = await resolve(served, text=text)
    image = ImageRef.parse(text)
    assert str(release.manifest_digest) == served.image.manifest_digest("linux/arm64")
    (asked,) = [request for request in served.requests if str(request.url).startswith(realm.partition("?")[0])]
    wanted = [*parse_qsl(realm.partition("?")[2]), ("scope", f"repository:{image.repository}:pull")]
    assert sorted(parse_qsl(asked.url.query.decode())) == sorted(wanted)
    assert "Authorization" not in asked.headers
    others = [request for request in served.requests if request is not asked]
    assert {request.url.host for request in others} == {host}
    assert others[0].url.path == f"/v2/{image.repository}/manifests/{image.tag}"
    assert others[0].headers["Accept"].count("application/vnd.") == 4
    assert others[0].headers["Accept-Encoding"] == "identity"
    assert [request.headers.get("Authorization") for request in others] == [None] + [f"Bearer {TOKEN}"] * 3


async def test_a_registry_that_offers_only_basic_after_a_refused_token_is_asked_as_before() -> None:
    tokens = iter(["first", "second"])
    valid = ["first"]

    def grant(_: httpx.Request) -> httpx.Response:
        valid[0] = next(tokens)
        return httpx.Response(200, json={"token": valid[0]})

    def config(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] == "Bearer first":
            return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="harbor"'})
        return httpx.Response(200, content=served.image.blobs[served.config_digest])

    served = Served(challenges=[PLAIN_CHALLENGE], accepts=lambda header: header == f"Bearer {valid[0]}")
    served.overrides = {"/token": grant, served.config_digest: config}
    assert (await resolve(served)).version == "1.98.9-mt.1"
    assert len(served.asked("/token")) == 2


async def test_a_wider_scope_is_asked_for_once_ours_did_not_suffice() -> None:
    def grant(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"token": "wide" if request.url.params["scope"] == "aws" else "narrow"})

    challenge = 'Bearer realm="https://r.example/v2/token",scope="aws",error="insufficient_scope"'
    served = Served(challenges=[challenge], accepts=lambda header: header == "Bearer wide")
    served.overrides = {"/token": grant}
    assert (await resolve(served)).version == "1.98.9-mt.1"
    scopes = [request.url.params["scope"] for request in served.asked("/token")]
    assert scopes == ["repository:a/b:pull", "aws"]


async def test_a_refused_fresh_token_is_final() -> None:
    challenge = f'{PLAIN_CHALLENGE},scope="repository:a/b:pull",error="insufficient_scope"'
    served = Served(challenges=[challenge], accepts=lambda _: False)
    clock = FakeClock()
    with pytest.raises(ImageDeniedError, match="a/b:stable to anonymous clients") as caught:
        await resolve(served, clock=clock)
    assert "look alike from outside" in caught.value.problem.hint
    assert len(served.requests) == 3
    assert clock.sleeps == []


@pytest.mark.parametrize("challenges", [['Basic realm="x"'], ["Negotiate"], ["Bearer service=only"], [""]])
async def test_a_registry_that_gives_nothing_to_anonymous_clients_is_denied_with_what_helps(
    challenges: list[str],
) -> None:
    with pytest.raises(ImageDeniedError, match="wants credentials that mtts cannot give") as caught:
        await resolve(Served(challenges=challenges, accepts=lambda _: False))
    assert "registries: {r.example: {username: …, password: …}}" in caught.value.problem.hint


@pytest.mark.parametrize(
    ("grant", "error_type", "words"),
    [
        (httpx.Response(401, json={"details": "incorrect"}), ImageDeniedError, "a token .* incorrect"),
        (error(403, "DENIED", "not public"), ImageDeniedError, "DENIED: not public"),
        (httpx.Response(403, text="no\x1b[31m\nway\u202e"), ImageDeniedError, "no way$"),
        (error(404, "X"), MttsError, "404"),
        (error(400, "INVALID", "bad scope"), RegistryError, "answered 400"),
        (error(429, "TOOMANYREQUESTS"), RegistryError, "limits how often"),
        (error(503, "UNAVAILABLE"), RegistryError, "failed"),
        (html(), RegistryError, "does not answer in JSON"),
        (html(502), RegistryError, r"\(502\)$"),
        (httpx.Response(200, json=[]), RegistryError, "does not answer in JSON"),
        (httpx.Response(200, content=b"[" * 50_000), RegistryError, "does not answer in JSON"),
        (httpx.Response(200, json={}), RegistryError, "gave no token"),
        (httpx.Response(200, json={"token": ""}), RegistryError, "gave no token"),
        (httpx.Response(200, json={"token": 5, "message": "why"}), RegistryError, "gave no token: why"),
        (httpx.Response(200, json={"token": "a\r\nX-Evil: 1"}), RegistryError, "gave no token"),
        (httpx.Response(200, json={"token": "ü"}), RegistryError, "gave no token"),
        (httpx.Response(200, json={"token": "x" * 70_000}), RegistryError, "more than 64 KiB"),
    ],
)
async def test_what_a_token_realm_answers_instead_of_a_token_is_explained(
    grant: httpx.Response, error_type: type[MttsError], words: str
) -> None:
    with pytest.raises(error_type, match=words):
        await resolve(Served(challenges=[PLAIN_CHALLENGE], grant=grant))


@pytest.mark.parametrize(
    ("realm", "why"),
    [
        ("https://10.0.0.1/token", "non-public address 10.0.0.1"),
        ("https://127.0.0.1/token", "non-public"),
        ("https://[::1]/token", "non-public"),
        ("https://[::ffff:192.168.1.1]/token", "non-public"),
        ("https://169.254.169.254/latest", "non-public"),
        ("https://inside.example/token", "non-public address 192.168.88.1"),
        ("http://r.example/token", "unencrypted"),
        ("http://auth.example/token", "unencrypted"),
        ("ftp://auth.example/token", "unencrypted or unknown"),
        ("file:///etc/passwd", "unknown"),
        ("/relative", "unknown"),
        ("https://user:pass@auth.example/token", "not a plain one"),
    ],
)
async def test_a_realm_at_a_place_that_a_public_registry_may_not_lead_to_is_refused(realm: str, why: str) -> None:
    served = Served(challenges=[f'Bearer realm="{realm}"'])
    with respx.mock as router:
        router.route().mock(side_effect=served)
        async with client(lookup=Names({"inside.example": ["192.168.88.1"]})) as asked:
            with pytest.raises(RegistryPolicyError, match=why) as caught:
                await asked.resolve(ImageRef.parse("r.example/a/b"), ARM64)
    assert caught.value.problem.code == "registry-refused-by-policy"
    assert "pass" not in caught.value.problem.message.replace("passwd", "")
    assert len(served.requests) == 1


async def test_a_private_realm_is_used_where_the_inventory_names_it() -> None:
    served = Served(challenges=['Bearer realm="https://auth.lan:8443/token"'])
    access = RegistryAccess("harbor.lan", allow_hosts=("auth.lan",))
    names = Names({"auth.lan": ["192.168.1.2"], "harbor.lan": ["192.168.1.3"]})
    with respx.mock as router:
        router.route().mock(side_effect=served)
        async with client(access, lookup=names) as asked:
            release = await asked.resolve(ImageRef.parse("harbor.lan/a/b"), ARM64)
    assert release.version == "1.98.9-mt.1"
    assert names.asked == []


async def test_a_realm_that_is_no_address_is_explained() -> None:
    with pytest.raises(RegistryError, match="names a token realm that is no address"):
        await resolve(Served(challenges=['Bearer realm="https://r.example:port/"']))


@pytest.mark.parametrize("source", [Literal(Secret(PASSWORD)), FromEnv("REGISTRY_PASSWORD")])
async def test_credentials_go_to_the_realm_and_only_the_token_to_the_registry(source: Literal | FromEnv) -> None:
    served = Served(challenges=[PLAIN_CHALLENGE])
    await resolve(served, RegistryAccess("r.example", username="bot", password=source))
    (asked,) = served.asked("/token")
    expected = PASSWORD if isinstance(source, Literal) else "value of REGISTRY_PASSWORD"
    assert base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode() == f"bot:{expected}"
    others = [request.headers.get("Authorization") for request in served.requests if request is not asked]
    assert others == [None] + [f"Bearer {TOKEN}"] * 3


async def test_credentials_serve_a_registry_that_knows_only_basic() -> None:
    served = Served(challenges=['Basic realm="x"'], accepts=lambda header: header == BASIC)
    access = RegistryAccess("r.example", username="bot", password=Literal(Secret(PASSWORD)))
    assert (await resolve(served, access)).version == "1.98.9-mt.1"
    assert len(served.requests) == 4


@pytest.mark.parametrize("challenge", ['Basic realm="x"', PLAIN_CHALLENGE])
async def test_refused_credentials_are_told_without_the_password(challenge: str) -> None:
    denied = httpx.Response(401, json={"details": f"{PASSWORD} is wrong for bot"})
    served = Served(challenges=[challenge], grant=denied, accepts=lambda _: False)
    access = RegistryAccess("r.example", username="bot", password=Literal(Secret(PASSWORD)))
    with pytest.raises(ImageDeniedError) as caught:
        await resolve(served, access)
    problem = caught.value.problem
    assert PASSWORD not in problem.message + problem.hint
    assert "bot" in problem.hint


async def test_a_user_name_without_a_password_is_an_error_of_the_inventory() -> None:
    with pytest.raises(UsageError, match=r"r\.example has a username and no password") as caught:
        await resolve(Served(challenges=[PLAIN_CHALLENGE]), RegistryAccess("r.example", username="bot"))
    assert caught.value.problem.code == "inventory-invalid"


KEY = TokenKey("r.example", "https://r.example/token", None, "repository:a:pull")


def source(lives: list[float]) -> tuple[Callable[[], Awaitable[tuple[Secret, float]]], list[Secret]]:
    given: list[Secret] = []

    async def fetch() -> tuple[Secret, float]:
        await asyncio.sleep(0)
        given.append(Secret(f"token {len(given)}"))
        return given[-1], lives[len(given) - 1]

    return fetch, given


async def test_one_token_request_serves_all_who_wait_for_the_same_scope() -> None:
    tokens = Tokens(FakeClock().monotonic)
    fetch, given = source([60] * 9)
    found = await asyncio.gather(*(tokens.obtain(KEY, fetch) for _ in range(50)))
    assert len(given) == 1
    assert all(each is given[0] for each in found)


@pytest.mark.parametrize(("life_s", "later_s", "is_kept"), [(60, 53, True), (60, 55, False), (300, 269, True)])
async def test_a_token_is_used_for_nine_tenths_of_its_life(life_s: float, later_s: float, is_kept: bool) -> None:
    clock = FakeClock()
    tokens = Tokens(clock.monotonic)
    fetch, given = source([life_s] * 2)
    first = await tokens.obtain(KEY, fetch)
    clock.elapsed_s += later_s
    assert (await tokens.obtain(KEY, fetch) is first) == is_kept
    assert len(given) == (1 if is_kept else 2)


@pytest.mark.parametrize(
    ("expires_in", "life_s"),
    [(None, 60), (1, 60), (-5, 60), (300, 300), (90.5, 90.5), (10**400, 3600), ("300", 60), (True, 60), ([], 60)],
)
async def test_the_life_of_a_token_is_at_least_a_minute_and_at_most_an_hour(expires_in: Any, life_s: float) -> None:
    clock = FakeClock()
    served = Served(challenges=[PLAIN_CHALLENGE], grant={"token": TOKEN, "expires_in": expires_in})
    with respx.mock as router:
        router.route().mock(side_effect=served)
        async with client(clock=clock) as asked:
            for tag, at_s, requests in (("a", 0, 1), ("b", life_s * 0.89, 1), ("c", life_s * 0.91, 2)):
                clock.elapsed_s = at_s
                await asked.resolve(ImageRef.parse(f"r.example/a/b:{tag}"), ARM64)
                assert len(served.asked("/token")) == requests
