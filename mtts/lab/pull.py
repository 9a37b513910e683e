"""How a simulated router pulls an image: over HTTP, by its own choice of platform, believing digests only.

Only loopback registries are ever contacted, over plain http; any other host "does not resolve", as on a router
without the internet. Failure texts have the frame that RouterOS 7.24.4 shows for a manifest, `fetch manifest failed:
getting URL failed: auth error`; the frames of other parts and the tails of other failures are guesses after it.
"""

import hashlib
import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from mtts.lab.http import ANSWER_LIMIT_BYTES, HttpClient, HttpError, Response, Sink
from mtts.lab.layer import Layer, LayerError, LayerReader

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)

# Best first; a variant that is not named in the index counts as the plain architecture.
PLATFORMS: Mapping[str, Sequence[tuple[str, str]]] = {
    "arm64": (("arm64", ""), ("arm64", "v8")),
    "x86_64": (("amd64", ""), ("amd64", "v1")),
    "arm": (("arm", "v7"), ("arm", "v6"), ("arm", "v5"), ("arm", "")),
}

LAYER_LIMIT_BYTES = 256 * 1024 * 1024
REDIRECTS = 5

AUTH_ERROR = "auth error"  # seen on 7.24.4
RESOLVING_ERROR = "resolving error"  # seen in a log of 7.24.4
NO_CONFIG = "no config found in manifest"  # seen when an archive was not what it should be
NO_PLATFORM = "no matching manifest for platform {platform}"  # a guess
DIGEST_MISMATCH = "digest mismatch"  # a guess

_REFERENCE = re.compile(
    r"(?P<host>[A-Za-z0-9.-]+(?::\d+)?|\[[0-9A-Fa-f:]+\](?::\d+)?)/(?P<path>[a-z0-9][a-z0-9._/-]*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class PulledImage:
    """A release as it lies on the router after a pull; sizes in bytes, `files` from path to size."""

    reference: str
    index_digest: str | None
    manifest_digest: str
    config_digest: str
    config: dict[str, Any]
    layer_sizes: tuple[int, ...]
    compressed_bytes: int
    extracted_bytes: int
    files: Mapping[str, int]


class PullError(Exception):
    """The pull failed; `text` is what a router shows after "download/extract error: "."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


async def pull(reference: str, *, architecture: str) -> PulledImage:
    """Fetch and unpack the image for a router of this architecture-name; raises `PullError`."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise PullError(f"invalid image reference {reference}")
    if not _is_loopback(f"http://{match['host']}"):
        raise PullError(RESOLVING_ERROR)
    async with HttpClient(user_agent="mtts-lab-router") as client:
        source = _Source(client, match["host"], match["path"])
        wanted = match["digest"] or match["tag"] or "latest"
        digest, document = await source.manifest(wanted)
        index_digest = None
        if "manifests" in document:
            index_digest = digest
            digest, document = await source.manifest(_choose(document, architecture))
        if "config" not in document or "layers" not in document:
            raise PullError(NO_CONFIG)
        config_digest = str(document["config"]["digest"])
        config = await source.config(config_digest)
        layers = [await source.layer(entry) for entry in document["layers"]]
    if [layer.diff_id for layer in layers] != config.get("rootfs", {}).get("diff_ids"):
        raise PullError(DIGEST_MISMATCH)
    files = _overlay(layers)
    return PulledImage(
        reference=reference,
        index_digest=index_digest,
        manifest_digest=digest,
        config_digest=config_digest,
        config=config,
        layer_sizes=tuple(layer.compressed_bytes for layer in layers),
        compressed_bytes=sum(layer.compressed_bytes for layer in layers),
        extracted_bytes=sum(files.values()),
        files=files,
    )


@dataclass(slots=True)
class _Source:
    """One repository on one registry, and the token that it gave."""

    client: HttpClient
    host: str
    path: str
    token: str | None = field(default=None, repr=False)

    async def manifest(self, reference: str) -> tuple[str, dict[str, Any]]:
        """A manifest or index, with the digest of its bytes."""
        url = f"http://{self.host}/v2/{self.path}/manifests/{reference}"
        frame = f"fetch manifest failed: getting {url} failed: "
        response = await self._get(url, frame, accept=", ".join(INDEX_TYPES + MANIFEST_TYPES))
        digest = _digest_of(response.body)
        if reference.startswith("sha256:") and digest != reference:
            raise PullError(frame + DIGEST_MISMATCH)
        return digest, _object(response.body, frame)

    async def config(self, digest: str) -> dict[str, Any]:
        """The configuration blob, its digest proved."""
        url = self._blob_url(digest)
        frame = f"fetch config failed: getting {url} failed: "
        response = await self._get(url, frame)
        if _digest_of(response.body) != digest:
            raise PullError(frame + DIGEST_MISMATCH)
        return _object(response.body, frame)

    async def layer(self, entry: Mapping[str, Any]) -> Layer:
        """Download and unpack one layer, its digest proved."""
        url = self._blob_url(str(entry["digest"]))
        frame = f"getting layer {entry['digest']} failed: "
        try:
            reader = LayerReader(str(entry["mediaType"]))
            await self._get(url, frame, sink=reader.feed)
            layer = reader.finish()
        except LayerError as error:
            raise PullError(f"failed to extract layer {entry['digest']}: {error}") from error
        if layer.digest != entry["digest"]:
            raise PullError(frame + DIGEST_MISMATCH)
        return layer

    def _blob_url(self, digest: str) -> str:
        return f"http://{self.host}/v2/{self.path}/blobs/{digest}"

    async def _get(self, url: str, frame: str, *, accept: str = "*/*", sink: Sink | None = None) -> Response:
        """A 200, with a fresh token where one is asked for; anything else is a `PullError`."""
        response = await self._ask(url, frame, accept, sink)
        if response.status == HTTPStatus.UNAUTHORIZED:
            self.token = await self._fetch_token(response, frame)
            response = await self._ask(url, frame, accept, sink)
        if response.status != HTTPStatus.OK:
            raise PullError(frame + _refusal(response.status))
        return response

    async def _ask(self, url: str, frame: str, accept: str, sink: Sink | None) -> Response:
        """One answer, redirects followed; the token goes to the registry's own origin only."""
        for _ in range(REDIRECTS + 1):
            if not _is_loopback(url):
                raise PullError(RESOLVING_ERROR)
            headers = [("Accept", accept)]
            if self.token is not None and urlsplit(url).netloc == self.host:
                headers.append(("Authorization", f"Bearer {self.token}"))
            response = await self._exchange(url, frame, headers, sink)
            location = response.header("Location")
            if not HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST or not location:
                return response
            try:
                url = urljoin(url, location)
            except ValueError as error:
                raise PullError(frame + "bad redirect") from error
        raise PullError(frame + "too many redirects")

    async def _fetch_token(self, refused: Response, frame: str) -> str:
        challenge = refused.header("WWW-Authenticate") or ""
        parameters = dict(_PARAMETER.findall(challenge))
        realm = parameters.get("realm", "")
        if not challenge.lower().startswith("bearer ") or not _is_loopback(realm):
            raise PullError(frame + AUTH_ERROR)
        query = {"service": parameters.get("service", ""), "scope": f"repository:{self.path}:pull"}
        separator = "&" if urlsplit(realm).query else "?"
        response = await self._exchange(f"{realm}{separator}{urlencode(query)}", frame, [], None)
        if response.status != HTTPStatus.OK:
            raise PullError(frame + AUTH_ERROR)
        grant = _object(response.body, frame)
        token = grant.get("token") or grant.get("access_token")
        if not isinstance(token, str):
            raise PullError(frame + AUTH_ERROR)
        return token

    async def _exchange(self, url: str, frame: str, headers: Sequence[tuple[str, str]], sink: Sink | None) -> Response:
        try:
            limit_bytes = ANSWER_LIMIT_BYTES if sink is None else LAYER_LIMIT_BYTES
            return await self.client.request("GET", url, headers=tuple(headers), sink=sink, limit_bytes=limit_bytes)
        except HttpError as error:
            raise PullError(f"{frame}{error}") from error


def _choose(index: Mapping[str, Any], architecture: str) -> str:
    """The digest of the manifest for this router: the best variant, and of equals the first."""
    for wanted_architecture, wanted_variant in PLATFORMS.get(architecture, ()):
        for entry in index["manifests"]:
            platform = entry.get("platform", {})
            found = (platform.get("os"), platform.get("architecture"), platform.get("variant", ""))
            if found == ("linux", wanted_architecture, wanted_variant):
                return str(entry["digest"])
    raise PullError(NO_PLATFORM.format(platform=f"linux/{architecture}"))


def _overlay(layers: Sequence[Layer]) -> Mapping[str, int]:
    """The files that are left when each layer lies over the ones before it."""
    files: dict[str, int] = {}
    for layer in layers:
        for path in layer.files:
            directory, _, name = path.rpartition("/")
            if name == ".wh..wh..opq":
                _remove(files, directory)
            elif name.startswith(".wh."):
                _remove(files, f"{directory}/{name.removeprefix('.wh.')}")
        files |= {path: size for path, size in layer.files.items() if "/.wh." not in path}
    return files


def _remove(files: dict[str, int], path: str) -> None:
    for gone in [name for name in files if name == path or name.startswith(path + "/")]:
        del files[gone]


def _refusal(status: int) -> str:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return AUTH_ERROR
    return f"Status {status}, {HTTPStatus(status).phrase}"  # a guess, worded as /tool/fetch does


def _object(body: bytes, frame: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise PullError(frame + "invalid json") from error
    if not isinstance(document, dict):
        raise PullError(frame + "invalid json")
    return document


def _digest_of(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def _is_loopback(url: str) -> bool:
    try:
        name = urlsplit(url).hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:  # a name, or no address at all
        return False
