"""`/tool/fetch`: asks web servers of this machine over plain http, and answers as RouterOS does, row by row.

Other hosts do not resolve and https is not modelled. A body is returned up to 64 KiB; a file may be larger.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mtts.lab import values
from mtts.lab.call import Call
from mtts.lab.http import Headers, HttpClient, HttpError, Response
from mtts.lab.reply import Category, Row, Trap, failure, no_match
from mtts.lab.storage import NoSpaceError

if TYPE_CHECKING:
    from mtts.lab.device import Device

OUTPUTS = ("file", "none", "user", "user-with-headers")
METHODS = ("delete", "get", "head", "patch", "post", "put")
BODY_LIMIT_BYTES = 64 * 1024
FILE_LIMIT_BYTES = 64 * 1024 * 1024
USER_AGENT = "MikroTik/7.x Fetch"


async def fetch(device: Device, call: Call) -> AsyncIterator[Row]:
    """One exchange: a row when it begins and one when it is over; Trap when it fails."""
    args = call.command.args
    url, output = args.get("url", ""), args.get("output", "file")
    if output not in OUTPUTS:
        raise no_match("output")
    method = args.get("http-method", "post" if "http-data" in args else "get")
    if method not in METHODS:
        raise no_match("http-method")
    _check_target(url)
    headers = _headers(args.get("http-header-field", ""))
    if "user" in args:
        token = base64.b64encode(f"{args['user']}:{args.get('password', '')}".encode()).decode()
        headers += (("Authorization", f"Basic {token}"),)
    yield {"status": "connecting"}
    began_s = device.clock.now
    try:
        async with HttpClient(user_agent=USER_AGENT) as client:
            body = args.get("http-data", "").encode("utf-8", "surrogateescape")
            response = await client.request(
                method.upper(), url, headers=headers, body=body, limit_bytes=FILE_LIMIT_BYTES
            )
    except HttpError:
        raise failure("Invalid argument") from None  # seen while nothing listened on the other side
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise failure(f"Status {response.status}, {HTTPStatus(response.status).phrase}")
    kibibytes = str(len(response.body) // 1024)
    done = {
        "status": "finished",
        "downloaded": kibibytes,
        "total": kibibytes,
        "duration": values.duration(int(device.clock.now - began_s)),
    }
    if output == "file":
        if args.get("keep-result", "yes") in {"yes", "true"}:
            _keep(device, args.get("dst-path") or urlsplit(url).path.rpartition("/")[2] or "index.html", response.body)
        yield done
    else:
        yield done | _shown(output, response)


def _check_target(url: str) -> None:
    parts = urlsplit(url)
    if not parts.hostname:
        raise Trap("missing value(s) of argument(s) url", Category.ARGUMENT)
    if parts.scheme != "http":
        raise Trap(f"fetch over {parts.scheme} is not modelled in the lab", Category.GENERAL)
    try:
        is_here = ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        is_here = parts.hostname == "localhost"
    if not is_here:
        raise failure("resolving error")


def _headers(text: str) -> Headers:
    pairs = (part.partition(":") for part in text.split(",") if part)
    return tuple((name.strip(), value.strip()) for name, _, value in pairs)


def _keep(device: Device, path: str, body: bytes) -> None:
    try:
        device.files.write(values.path_key(path), body)
    except NoSpaceError:
        raise failure("no space left on device") from None


def _shown(output: str, response: Response) -> dict[str, str]:
    if output == "none":
        return {}
    if len(response.body) > BODY_LIMIT_BYTES:
        raise failure("data too large")
    shown = {"data": response.body.decode("utf-8", "surrogateescape")}
    if output == "user-with-headers":
        shown["http-headers"] = ";".join(f"{name}: {value}" for name, value in response.headers)
    return shown
