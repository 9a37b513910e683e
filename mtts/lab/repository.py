"""One repository of a registry and its answers: manifests by tag or digest, blobs whole or in part, tags.

Answers as Docker's distribution 2.8.2 does, its strictness about `Accept` included: an index or manifest of
a type that the client did not name is "unknown" (404), wildcards do not help. Read only; who may read is
decided elsewhere.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from mtts.lab.http import Headers, Request, Response
from mtts.lab.images import INDEX_TYPE, MANIFEST_TYPE, LabImage

API_VERSION = ("Docker-Distribution-Api-Version", "registry/2.0")
JSON_TYPE = ("Content-Type", "application/json; charset=utf-8")

_NOT_ACCEPTED: Mapping[str, str] = {
    INDEX_TYPE: "OCI index found, but accept header does not support OCI indexes",
    MANIFEST_TYPE: "OCI manifest found, but accept header does not support OCI manifests",
}
_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def json_response(status: int, document: Any, *headers: tuple[str, str]) -> Response:
    """A document as the registry sends it."""
    return Response(status, (JSON_TYPE, API_VERSION, *headers), json.dumps(document).encode())


def error_response(status: int, code: str, message: str, detail: Any = None, headers: Headers = ()) -> Response:
    """The error document of the distribution specification."""
    error = {"code": code, "message": message} | ({} if detail is None else {"detail": detail})
    return json_response(status, {"errors": [error]}, *headers)


@dataclass(slots=True)
class Repository:
    """What was published under one name; tags move, manifests and blobs stay."""

    name: str
    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

    def publish(self, image: LabImage, *tags: str) -> None:
        """Take the image in and move the tags to its index."""
        self.blobs.update(image.blobs)
        self.manifests.update({digest: (MANIFEST_TYPE, body) for digest, body in image.manifests.items()})
        self.manifests[image.index_digest] = (INDEX_TYPE, image.index)
        self.tags.update(dict.fromkeys(tags, image.index_digest))

    def manifest(self, reference: str, request: Request) -> Response:
        """A manifest or index by tag or digest, in the stored form or not at all."""
        digest = reference if ":" in reference else self.tags.get(reference, "")
        if digest not in self.manifests:
            detail = {"Name": self.name, "Revision": digest} if ":" in reference else {"Tag": reference}
            return error_response(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown", detail)
        if _is_cached(request, digest):
            return Response(HTTPStatus.NOT_MODIFIED, (API_VERSION,))
        media_type, body = self.manifests[digest]
        if media_type not in _accepted(request):
            return error_response(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN", _NOT_ACCEPTED[media_type])
        return Response(HTTPStatus.OK, (("Content-Type", media_type), *_identity(digest)), body)

    def blob(self, digest: str, request: Request) -> Response:
        """A configuration or layer; one `Range` is served, several at once are not."""
        blob = self.blobs.get(digest)
        if blob is None:
            return error_response(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry", digest)
        headers = (*_identity(digest), ("Cache-Control", "max-age=31536000"))
        if _is_cached(request, digest):
            return Response(HTTPStatus.NOT_MODIFIED, headers)
        headers += (("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes"))
        wanted = request.header("Range")
        if wanted is None:
            return Response(HTTPStatus.OK, headers, blob)
        part = _range(wanted, len(blob))
        if part is None:
            unsatisfied = (API_VERSION, ("Content-Range", f"bytes */{len(blob)}"))
            return Response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, unsatisfied, b"invalid range\n")
        content_range = ("Content-Range", f"bytes {part.start}-{part.stop - 1}/{len(blob)}")
        return Response(HTTPStatus.PARTIAL_CONTENT, (*headers, content_range), blob[part.start : part.stop])

    def tag_list(self) -> Response:
        """The names of all tags, sorted."""
        return json_response(HTTPStatus.OK, {"name": self.name, "tags": sorted(self.tags)})


def _identity(digest: str) -> Headers:
    return (("Docker-Content-Digest", digest), API_VERSION, ("Etag", f'"{digest}"'))


def _is_cached(request: Request, digest: str) -> bool:
    return request.header("If-None-Match") in {digest, f'"{digest}"'}


def _accepted(request: Request) -> set[str]:
    return {part.partition(";")[0].strip() for part in (request.header("Accept") or "").split(",")}


def _range(wanted: str, size_bytes: int) -> range | None:
    """The bytes that a `Range` field means, `None` when it means none of ours."""
    match = _ONE_RANGE.fullmatch(wanted.strip())
    if match is None:
        return None
    first, last = match.groups()
    if first:
        start, stop = int(first), min(int(last) + 1 if last else size_bytes, size_bytes)
    elif last:
        start, stop = max(size_bytes - int(last), 0), size_bytes
    else:
        return None
    return range(start, stop) if start < stop else None
