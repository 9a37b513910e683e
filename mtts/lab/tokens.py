"""Anonymous bearer tokens as registries give them: for one repository, for a while, for everybody who asks.

Deliberately without accounts and signatures: a token is an opaque random string that this registry remembers.
A token never opens another repository than the one it was asked for.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

TOKEN_LIFETIME_S = 300  # what Docker Hub says


class TokenVerdict(Enum):
    """What a registry makes of a token; the values are the `error` of RFC 6750's challenge."""

    GOOD = ""
    INVALID = "invalid_token"
    ELSEWHERE = "insufficient_scope"


@dataclass(frozen=True, slots=True)
class _Grant:
    repository: str | None
    expires_s: float


class AnonymousTokens:
    """The tokens of one registry."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._grants: dict[str, _Grant] = {}

    def issue(self, repository: str | None) -> str:
        """A fresh token that opens this repository; `None`: a token like any other that opens nothing."""
        now_s = self._now()
        self._grants = {token: grant for token, grant in self._grants.items() if grant.expires_s > now_s}
        token = secrets.token_urlsafe(24)
        self._grants[token] = _Grant(repository, now_s + TOKEN_LIFETIME_S)
        return token

    def judge(self, token: str, repository: str | None) -> TokenVerdict:
        """Whether the token opens the repository now, and why not; `None` asks for no repository."""
        grant = self._grants.get(token)
        if grant is None or grant.expires_s <= self._now():
            return TokenVerdict.INVALID
        return TokenVerdict.GOOD if repository in {None, grant.repository} else TokenVerdict.ELSEWHERE

    def revoke(self, token: str) -> None:
        """Make the token expire now."""
        self._grants.pop(token, None)
