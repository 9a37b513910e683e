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
from typing import Annotated, Any

from mtts.lab.fault_options import ANY, check_fields, each, matching, one_of, within
from mtts.lab.http import HttpClient, HttpError
from mtts.lab.images import PLATFORMS, SMALLEST_EXTRACTED_BYTES, Behaviour

REPOSITORY = "team/mikrotik-tailscale"
NAME = r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
VERSION = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,126}"
"""The distribution specification's grammar, of repositories' names (a little wider here), of tags, and of what is a
tag behind a `v` too."""
LARGEST_EXTRACTED_BYTES = 64 * 1024 * 1024
_PLATFORMS = (*PLATFORMS, "linux/arm/v6", "linux/arm/v5")
DEADLINE_S = 60.0


class ControlError(Exception):
    """No lab answers; the text is fit for a user."""


class OrderRefusedError(ControlError):
    """The lab cannot do what was asked; `trapped` when it tried and a router refused, in whose words the text ends."""

    def __init__(self, text: str, *, trapped: bool = False) -> None:
        super().__init__(text)
        self.trapped = trapped


@dataclass(frozen=True, slots=True)
class Control:
    """How to reach a running lab: `host:port` and the secret that it asks for."""

    address: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Publication:
    """An image to build, and the tags to move to it besides `v` and its version."""

    version: Annotated[str, matching(VERSION, "1 to 127 letters, digits, _ . or -, the first no . or -")]
    repository: Annotated[str, matching(NAME, "a repository's name such as team/image")] = REPOSITORY
    tags: Annotated[Sequence[str], each(matching(TAG, "a tag"))] = ("stable",)
    platforms: Annotated[Sequence[str], each(one_of(*_PLATFORMS))] = PLATFORMS
    behaviour: Behaviour = "ok"
    extracted_bytes: Annotated[int, within(SMALLEST_EXTRACTED_BYTES, LARGEST_EXTRACTED_BYTES)] = 4_000_000

    def __post_init__(self) -> None:
        """Refuse what cannot be published, with an OptionError."""
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Order:
    """A fault for a router, for `all` of them or for the `registry`; now, or at the n-th command of a router."""

    target: str
    kind: str
    options: Mapping[str, object] = field(default_factory=dict)
    at_command: int | None = None
    of: str = ANY
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


async def give(control: Control, order: Order) -> str:
    """Have the lab make something go wrong; what came of it, mostly nothing, of a publication its digest."""
    answer = await _post(control, "/lab/inflict", asdict(order))
    if trapped := answer.get("trapped"):
        raise OrderRefusedError(str(trapped), trapped=True)
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
        raise OrderRefusedError(_reason(response.body))
    answer: dict[str, Any] = json.loads(response.body)
    return answer


def _reason(body: bytes) -> str:
    """The sentence in a refusal."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return "what answers there is no lab of this version"
