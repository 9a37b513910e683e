"""A small OCI registry with anonymous tokens, over real HTTP, for simulated routers and everything under test.

Serves the read side of the distribution protocol as distribution with token authentication does, keeps a journal
of what it was asked, and breaks on request. Images come in through `publish`, not by push.
The token endpoint is on the same port. The control endpoint answers only to the secret of this registry.
"""

import dataclasses
import hmac
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from mtts.lab.control import NAME, REPOSITORY, TAG, Control
from mtts.lab.http import HttpServer, Request, Response
from mtts.lab.images import LabImage, digest_of
from mtts.lab.registry_faults import Part, RegistryFaults
from mtts.lab.repository import API_VERSION, Repository, error_response, json_response
from mtts.lab.tokens import TOKEN_LIFETIME_S, AnonymousTokens, TokenVerdict

_MANIFEST = re.compile(rf"/v2/({NAME})/manifests/({TAG}|sha256:[0-9a-f]{{64}})")
_BLOB = re.compile(rf"/v2/({NAME})/blobs/(sha256:[0-9a-f]{{64}})")
_TAGS = re.compile(rf"/v2/({NAME})/tags/list")
_PULL = re.compile(rf"repository:({NAME}):pull(?:,\w+)*")

NO_SUCH_PAGE = Response(
    HTTPStatus.NOT_FOUND, (("Content-Type", "text/plain; charset=utf-8"), API_VERSION), b"404 page not found\n"
)


@dataclass(frozen=True, slots=True)
class RegistryRequest:
    """One request of the journal: what was asked, by whom, and how it was answered."""

    method: str
    path: str
    status: int
    had_authorization: bool
    user_agent: str


class LabRegistry:
    """A registry on a loopback port; `start` before use, `stop` after."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.requests: list[RegistryRequest] = []
        self.faults = RegistryFaults()
        self.orders: dict[str, Callable[[Any], dict[str, Any]]] = {}
        """Path of the control endpoint -> who answers."""
        self._host = host
        self._port = port
        self._secret = secrets.token_urlsafe(32)
        self._tokens = AnonymousTokens()
        self._repositories: dict[str, Repository] = {}
        self._server = HttpServer(self._answer)

    async def start(self) -> None:
        """Listen on the port asked for, or on a free one."""
        self._port = await self._server.start(self._host, self._port)

    async def stop(self) -> None:
        """Close the port and all connections; what was published stays."""
        await self._server.stop()

    @property
    def address(self) -> str:
        """`host:port`, as it stands in image references."""
        return f"{self._host}:{self._port}"

    @property
    def control(self) -> Control:
        """What another process needs to reach the control endpoint."""
        return Control(self.address, self._secret)

    def publish(self, image: LabImage, *, repository: str = REPOSITORY, tags: Sequence[str] = ("stable",)) -> str:
        """Take the image in and move the tags to it; returns the index digest, or raises `ValueError` on a bad name."""
        if not re.fullmatch(NAME, repository):
            raise ValueError(f"not a repository name: {repository}")
        for tag in tags:
            if not re.fullmatch(TAG, tag):
                raise ValueError(f"not a tag: {tag}")
        self._repositories.setdefault(repository, Repository(repository)).publish(image, *tags)
        return image.index_digest

    async def _answer(self, request: Request) -> Response:
        if request.path.startswith("/lab/"):
            return self._control(request)  # not journalled: the lab's own business
        response = self._serve(request)
        self.requests.append(
            RegistryRequest(
                method=request.method,
                path=request.path,
                status=int(response.status),
                had_authorization=request.header("Authorization") is not None,
                user_agent=request.header("User-Agent") or "",
            )
        )
        return response

    def _serve(self, request: Request) -> Response:
        path = request.path
        if request.method not in {"GET", "HEAD"}:
            return error_response(HTTPStatus.METHOD_NOT_ALLOWED, "UNSUPPORTED", "The operation is unsupported.")
        if path == "/token":
            return self._broken(request, "token") or self._token(request)
        if path in {"/v2", "/v2/"}:
            return self._refusal(request, None, "manifests") or json_response(HTTPStatus.OK, {})
        if match := _MANIFEST.fullmatch(path):
            return self._content(request, "manifests", match[1], match[2])
        if match := _BLOB.fullmatch(path):
            return self._content(request, "blobs", match[1], match[2])
        if match := _TAGS.fullmatch(path):
            return self._refusal(request, match[1], "manifests") or self._tag_list(match[1])
        return NO_SUCH_PAGE

    def _content(self, request: Request, part: Part, name: str, reference: str) -> Response:
        refusal = self._broken(request, part) or self._refusal(request, name, part) or self._redirect(request, part)
        if refusal is not None:
            return refusal
        repository = self._repositories.get(name) or Repository(name)
        serve = repository.manifest if part == "manifests" else repository.blob
        return self._spoilt(serve(reference, request), request, part)

    def _tag_list(self, name: str) -> Response:
        repository = self._repositories.get(name)
        if repository is None:
            return error_response(
                HTTPStatus.NOT_FOUND,
                "NAME_UNKNOWN",
                "repository name not known to registry",
                {"name": name},
            )
        return repository.tag_list()

    def _token(self, request: Request) -> Response:
        scope = next(iter(request.query.get("scope", [])), "")
        match = _PULL.fullmatch(scope)
        if match is None:
            return json_response(HTTPStatus.UNAUTHORIZED, {"details": "no scope of a repository was asked for"})
        granted = None if self.faults.take("denied", "token", request.method) else match[1]
        token = self._tokens.issue(granted)
        grant = {"token": token, "access_token": token, "expires_in": TOKEN_LIFETIME_S}
        return json_response(HTTPStatus.OK, grant)

    def _refusal(self, request: Request, name: str | None, part: Part) -> Response | None:
        """The 401 with its challenge, unless the request may be served."""
        if self.faults.take("no-auth", part, request.method):
            return None
        scheme, _, token = (request.header("Authorization") or "").partition(" ")
        error = TokenVerdict.GOOD
        if scheme.lower() == "bearer":
            if self.faults.take("expired-token", part, request.method):
                self._tokens.revoke(token)
            error = self._tokens.judge(token, name)
            if error is TokenVerdict.GOOD:
                return None
        challenge = f'Bearer realm="http://{self.address}/token",service="{self.address}"'
        if name is not None:
            challenge += f',scope="repository:{name}:pull"'
        if error is not TokenVerdict.GOOD:
            challenge += f',error="{error.value}"'
        detail = [{"Type": "repository", "Class": "", "Name": name, "Action": "pull"}] if name else None
        return error_response(
            HTTPStatus.UNAUTHORIZED,
            "UNAUTHORIZED",
            "authentication required",
            detail,
            (("Www-Authenticate", challenge),),
        )

    def _broken(self, request: Request, part: Part) -> Response | None:
        fault = self.faults.take("status", part, request.method)
        if fault is None:
            return None
        headers = () if fault.retry_after is None else (("Retry-After", fault.retry_after),)
        code = "TOOMANYREQUESTS" if fault.status == HTTPStatus.TOO_MANY_REQUESTS else "UNKNOWN"
        return error_response(fault.status, code, HTTPStatus(fault.status).phrase.lower(), headers=headers)

    def _redirect(self, request: Request, part: Part) -> Response | None:
        fault = self.faults.take("redirect", part, request.method)
        if fault is None:
            return None
        location = ("Location", f"http://{fault.host}{request.target}")
        return Response(HTTPStatus.TEMPORARY_REDIRECT, (location, API_VERSION))

    def _spoilt(self, response: Response, request: Request, part: Part) -> Response:
        """The answer with the faults in force that concern what is served."""
        if not response.body or response.status >= HTTPStatus.BAD_REQUEST:
            return response
        if self.faults.take("no-digest", part, request.method):
            response = _with_digest(response, None)
        if self.faults.take("wrong-digest", part, request.method):
            response = _with_digest(response, digest_of(b"another body"))
        if request.method == "HEAD":
            return response
        if self.faults.take("damage", part, request.method):
            spoilt = bytes([response.body[0] ^ 1]) + response.body[1:]
            response = dataclasses.replace(response, body=spoilt)
        if self.faults.take("truncate", part, request.method):
            response = dataclasses.replace(response, cut_bytes=len(response.body) // 2)
        if self.faults.take("stall", part, request.method):
            response = dataclasses.replace(response, cut_bytes=len(response.body) // 2, stalls=True)
        return response

    def _control(self, request: Request) -> Response:
        expected = f"Bearer {self._secret}"
        if not hmac.compare_digest((request.header("Authorization") or "").encode(), expected.encode()):
            return json_response(HTTPStatus.UNAUTHORIZED, {"error": "the secret of this lab is needed"})
        if request.method != "POST" or request.path not in self.orders:
            return NO_SUCH_PAGE
        try:
            return json_response(HTTPStatus.OK, self.orders[request.path](json.loads(request.body)))
        except (ValueError, TypeError, RecursionError) as error:
            return json_response(HTTPStatus.BAD_REQUEST, {"error": str(error)})


def _with_digest(response: Response, digest: str | None) -> Response:
    kept = tuple(field for field in response.headers if field[0] not in {"Docker-Content-Digest", "Etag"})
    added = () if digest is None else (("Docker-Content-Digest", digest),)
    return dataclasses.replace(response, headers=kept + added)
