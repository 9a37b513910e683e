"""The lab's control endpoint seen from another process: where it is, its secret, and what can be asked of it.

The running lab leaves a file that only its owner can read; `mtts lab publish` and `mtts lab fault` find the lab
there. The secret travels in a header to a loopback address and appears in no argument, message or repr.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from mtts.lab.http import HttpClient, HttpError
from mtts.lab.images import PLATFORMS

REPOSITORY = "team/mikrotik-tailscale"
DEADLINE_S = 60.0


class ControlError(Exception):
    """No lab answers, or it refuses what was asked; the text is fit for a user."""


@dataclass(frozen=True, slots=True)
class Control:
    """How to reach a running lab: `host:port` and the secret that it asks for."""

    address: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Publication:
    """An image to build and the tags to move to it; the arguments of `build_image` and `LabRegistry.publish`."""

    version: str
    repository: str = REPOSITORY
    tags: Sequence[str] = ("stable",)
    platforms: Sequence[str] = PLATFORMS
    behaviour: str = "ok"
    extracted_bytes: int = 4_000_000


@dataclass(frozen=True, slots=True)
class Order:
    """A fault for a router, for `all` of them or for the `registry`; now, or at the n-th command of a router."""

    target: str
    kind: str
    options: Mapping[str, object] = field(default_factory=dict)
    at_command: int | None = None
    of: str = "any"
    """Which commands count: a path, `any` or `write`."""
    before: bool = False
    """Whether it happens before that command is looked at, instead of before its reply is sent."""


def write_control_file(path: Path, control: Control) -> None:
    """Leave the way to the lab in a file of mode 0600, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # made with mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(control), file)
    Path(draft).replace(path)


def read_control_file(path: Path) -> Control:
    """The way to the running lab; `ControlError` when no lab left one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Control(address=str(document["address"]), secret=str(document["secret"]))
    except FileNotFoundError as error:
        raise ControlError(f"no lab is running: {path} does not exist") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ControlError(f"{path} does not say where the lab is") from error


async def publish(control: Control, publication: Publication) -> str:
    """Have the lab build and publish an image; returns its index digest."""
    answer = await _post(control, "/lab/publish", asdict(publication))
    return str(answer["index_digest"])


async def give(control: Control, order: Order) -> str:
    """Have the lab make something go wrong; what the fault had to say, mostly nothing."""
    answer = await _post(control, "/lab/inflict", asdict(order))
    return str(answer["said"])


async def _post(control: Control, path: str, document: Any) -> dict[str, Any]:
    headers = (("Authorization", f"Bearer {control.secret}"), ("Content-Type", "application/json"))
    try:
        async with asyncio.timeout(DEADLINE_S), HttpClient(user_agent="mtts-lab") as client:
            response = await client.request(
                "POST", f"http://{control.address}{path}", headers=headers, body=json.dumps(document).encode()
            )
    except (HttpError, TimeoutError) as error:
        raise ControlError(f"no lab answers at {control.address}: {error or 'no answer in time'}") from error
    if response.status != HTTPStatus.OK:
        raise ControlError(f"the lab refused: {response.body.decode(errors='replace')[:300]}")
    answer: dict[str, Any] = json.loads(response.body)
    return answer
