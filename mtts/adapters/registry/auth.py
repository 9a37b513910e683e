"""Tokens: where they come from, how long they last, and who may share one.

A token is good for one scope of one realm of one registry; it is fetched once for all who wait for it and counted
from before the request on a monotonic clock, since the server's clock may differ. Without credentials in the
inventory everything is anonymous. Tokens and passwords appear in no message and in no repr.
"""

import asyncio
import base64
import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from mtts.adapters.registry.answers import clean, credentials_hint, words_of
from mtts.adapters.registry.challenge import Challenge, choose_challenge
from mtts.adapters.registry.transport import KIB, Reply, Transport
from mtts.core.errors import ImageDeniedError, RegistryError
from mtts.core.secret import Secret

TOKEN_LIMIT_BYTES: Final = 64 * KIB
SHORTEST_LIFE_S: Final = 60  # the default of the token specification, and the least that clients assume
LONGEST_LIFE_S: Final = 3600
MARGIN: Final = 0.1  # of a token's life is not used, for the time that a request is under way

_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class TokenKey:
    """Whom a token is from, and what it is for."""

    registry: str
    realm: str
    service: str | None
    scope: str


@dataclass(frozen=True, slots=True)
class _Token:
    key: TokenKey
    value: Secret
    until: float


@dataclass(frozen=True, slots=True)
class Grant:
    """What a request is authorised with; a token's key and value are kept for the case that it is refused."""

    header: str = field(repr=False)
    key: TokenKey | None = None
    token: Secret | None = None


class Tokens:
    """The tokens of one run, fetched when they are wanted."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._tokens: dict[TokenKey, _Token] = {}
        self._locks: defaultdict[TokenKey, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def obtain(self, key: TokenKey, fetch: Callable[[], Awaitable[tuple[Secret, float]]]) -> Secret:
        """A token that is still good; `fetch` gets a new one and its life in seconds."""
        async with self._locks[key]:
            held = self._tokens.get(key)
            asked_at = self._monotonic()
            if held is None or held.until <= asked_at:
                value, life_s = await fetch()
                held = self._tokens[key] = _Token(key, value, asked_at + life_s * (1 - MARGIN))
            return held.value

    def drop(self, refused: Grant) -> None:
        """Forget a token that the registry refused, unless another task has replaced it already."""
        held = self._tokens.get(refused.key) if refused.key else None
        if held is not None and held.value is refused.token:
            del self._tokens[held.key]


class Authorizer:
    """Answers the challenges that one repository's requests meet."""

    def __init__(
        self,
        transport: Transport,
        repository: str,
        *,
        tokens: Tokens,
        password: Callable[[], Awaitable[Secret]],
    ) -> None:
        self._transport = transport
        self._scope = f"repository:{repository}:pull"
        self._tokens = tokens
        self._password = password
        # The first bearer challenge is kept: some registries offer only Basic once a token was refused.
        self._bearer: Challenge | None = None
        self._is_basic = False

    async def grant(self) -> Grant | None:
        """What to send along; None as long as the registry has not asked for anything."""
        if self._bearer is not None:
            return await self._bearer_grant(self._bearer)
        return Grant(await self._basic_header()) if self._is_basic else None

    async def renewed(self, challenges: Sequence[Challenge], *, refused: Grant | None, is_fresh: bool) -> Grant | None:
        """What to try after a 401; None when that cannot help, since what was refused `is_fresh`.

        Raises ImageDeniedError when the registry asks for something that mtts does not have.
        """
        bearer = choose_challenge(challenges, "bearer")
        if is_fresh and (bearer is None or not self._widens(bearer)):
            return None
        if refused is not None:
            self._tokens.drop(refused)
        self._bearer = bearer or self._bearer
        if self._bearer is not None:
            return await self._bearer_grant(self._bearer)
        offers_basic = choose_challenge(challenges, "basic") is not None
        if offers_basic and refused is None and self._transport.access.username is not None:
            self._is_basic = True
            return Grant(await self._basic_header())
        raise self._denied(", ".join(challenge.scheme for challenge in challenges))

    def _widens(self, challenge: Challenge) -> bool:
        """Whether the registry asks for another scope than ours; from then on that is the one to ask for.

        Ours comes first, since first challenges carry `*`, `aws` or no scope at all.
        """
        scope = challenge.params.get("scope")
        if challenge.params.get("error") != "insufficient_scope" or not scope or scope == self._scope:
            return False
        self._scope = scope
        return True

    async def _bearer_grant(self, challenge: Challenge) -> Grant:
        realm, service = challenge.params["realm"], challenge.params.get("service")
        key = TokenKey(self._transport.access.host, realm, service, self._scope)
        token = await self._tokens.obtain(key, lambda: self._fetch(key))
        return Grant(f"Bearer {token.reveal()}", key, token)

    async def _basic_header(self) -> str:
        pair = f"{self._transport.access.username}:{(await self._password()).reveal()}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    async def _fetch(self, key: TokenKey) -> tuple[Secret, float]:
        try:
            realm = httpx.URL(key.realm)
        except httpx.InvalidURL as error:
            raise RegistryError(f"{key.registry} names a token realm that is no address") from error
        wanted = {"service": key.service, "scope": key.scope} if key.service else {"scope": key.scope}
        has_account = self._transport.access.username is not None
        reply = await self._transport.ask(
            "GET",
            realm.copy_merge_params(wanted),
            authorization=await self._basic_header() if has_account else None,
            limit_bytes=TOKEN_LIMIT_BYTES,
            kind="token realm",
        )
        if not reply.is_success:
            password = (await self._password()).reveal() if has_account else None
            raise self._transport.refusal(reply, what=f"a token for {key.scope} from {realm.host}", hide=password)
        return _read_token(reply, realm.host)

    def _denied(self, schemes: str) -> ImageDeniedError:
        registry = self._transport.access.host
        offer = f"it offers {clean(schemes)}" if schemes else "it does not say how"
        return ImageDeniedError(
            f"{registry} wants credentials that mtts cannot give: {offer}",
            hint=credentials_hint(registry, self._transport.access.username),
        )


def _read_token(reply: Reply, realm_host: str) -> tuple[Secret, float]:
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise RegistryError(f"the token realm at {realm_host} does not answer in JSON")
    for name in ("token", "access_token"):
        token = document.get(name)
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            return Secret(token), _life_s(document.get("expires_in"))
    raise RegistryError(f"the token realm at {realm_host} gave no token: {words_of(reply.body) or 'no reason'}")


def _life_s(expires_in: object) -> float:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or not expires_in >= SHORTEST_LIFE_S:
        return SHORTEST_LIFE_S
    return min(expires_in, LONGEST_LIFE_S)
