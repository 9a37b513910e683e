"""A pretended registry behind respx, for answers that no registry of ours would give."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from mtts.lab.images import INDEX_TYPE, MANIFEST_TYPE, LabImage, build_image

IMAGE = build_image("1.98.9-mt.1", extracted_bytes=20_000)
TOKEN = "canary-token-0123456789"

Handler = Callable[[httpx.Request], httpx.Response]


def html(status: int = 200) -> httpx.Response:
    return httpx.Response(status, headers={"Content-Type": "text/html"}, text="<html>Please sign in</html>")


def error(status: int, code: str, message: str = "no", **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, json={"errors": [{"code": code, "message": message}]})


@dataclass(slots=True)
class Served:
    """Serves one image to whoever has the token; `overrides` answer instead, by the end of the path."""

    image: LabImage = field(default_factory=lambda: IMAGE)
    challenges: Sequence[str] = ()
    """What a 401 carries; empty: no token is wanted."""
    grant: Any = field(default_factory=lambda: {"token": TOKEN})
    accepts: Callable[[str | None], bool] = lambda header: header == f"Bearer {TOKEN}"
    overrides: Mapping[str, Handler] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path
        for ending, handler in self.overrides.items():
            if path.endswith(ending):
                return handler(request)
        if not path.startswith("/v2/") or path.endswith(("/token", "/auth")):
            return self.grant if isinstance(self.grant, httpx.Response) else httpx.Response(200, json=self.grant)
        if self.challenges and not self.accepts(request.headers.get("Authorization")):
            headers = [("WWW-Authenticate", challenge) for challenge in self.challenges]
            return httpx.Response(401, headers=headers, json={"errors": [{"code": "UNAUTHORIZED", "message": "no"}]})
        return self.stored(path.rpartition("/")[2])

    def stored(self, reference: str) -> httpx.Response:
        """A manifest or blob; every tag names the index."""
        if ":" not in reference or reference == self.image.index_digest:
            return document(self.image.index, INDEX_TYPE, self.image.index_digest)
        if reference in self.image.manifests:
            return document(self.image.manifests[reference], MANIFEST_TYPE, reference)
        if reference in self.image.blobs:
            return httpx.Response(200, content=self.image.blobs[reference])
        return error(404, "MANIFEST_UNKNOWN", "manifest unknown")

    def asked(self, ending: str) -> list[httpx.Request]:
        return [request for request in self.requests if request.url.path.endswith(ending)]

    @property
    def config_digest(self) -> str:
        """Of the arm64 build."""
        manifest = json.loads(self.image.manifests[self.image.manifest_digest("linux/arm64")])
        return str(manifest["config"]["digest"])


def document(body: bytes, media_type: str, digest: str | None) -> httpx.Response:
    headers = {"Content-Type": media_type} | ({"Docker-Content-Digest": digest} if digest else {})
    return httpx.Response(200, headers=headers, content=body)
