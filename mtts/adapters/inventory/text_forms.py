"""The words, names and places that an inventory holds, one entry each.

What ends up in RouterOS' words keeps to an allow-list of characters without `..`, whatever the command that carries it.
"""

import re
from ipaddress import ip_address
from typing import Annotated, Final

from mtts.adapters.inventory.complaints import shown
from mtts.adapters.inventory.form import (
    Form,
    MisfitError,
    choice,
    kind_of,
    matching,
    read_text,
    text_schema,
    whole_number,
)
from mtts.core.errors import UsageError
from mtts.core.image import DOCKER_HUB, ImageRef, Platform
from mtts.core.inventory import TlsMode
from mtts.core.tag import SHARED

_HIGHEST_PORT: Final = 65535
_PRINTABLE: Final = r"[^\u0000-\u001f\u007f-\u009f]+"
_NAME: Final = r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_NAME_WORDS: Final = "a name (letters, digits and . _ -, at most 63 characters, beginning with a letter or digit)"
HOSTNAME_PATTERN: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PATH: Final = r"(?!.*\.\.)[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*"
_IPV6_HOST: Final = r"[0-9a-fA-F.]*:[0-9a-fA-F:.]*(?:%[A-Za-z0-9._-]+)?"
_AUTHORITY: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
_URL_PATH: Final = r"(?:/[A-Za-z0-9._~/-]*)?"


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise MisfitError(f"expected true or false, not {shown(value) if isinstance(value, str) else kind_of(value)}")


Boolean = Annotated[bool, Form(_boolean, {"type": "boolean"})]
Line = Annotated[str, matching(_PRINTABLE, "a line of printable text")]
Name = Annotated[str, matching(_NAME, _NAME_WORDS)]
Word = Annotated[str, matching(r"[^\s\u0000-\u001f\u007f-\u009f]+", "a word without spaces")]
Port = Annotated[int, whole_number(1, _HIGHEST_PORT, "a port (1 to 65535)")]
Count = Annotated[int, whole_number(1, 10**6, "a number of at least 1")]
Hostname = Annotated[str, matching(HOSTNAME_PATTERN, "a hostname (letters, digits and -, no dots, at most 63)")]
Fingerprint = Annotated[
    str, matching(r"sha256:[0-9a-f]{64}", "a fingerprint: sha256: and 64 lower-case hex digits without colons")
]
RouterPath = Annotated[str, matching(_PATH, "a place on the router like disk1 or usb1/mtts (no leading /, no ..)")]
Bridge = Annotated[str, matching(_PATH, "the name of a bridge (letters, digits and . _ / -)")]
InterfaceList = Annotated[str, matching(_PATH, "the name of an interface list (letters, digits and . _ / -)")]
Veth = Annotated[str, matching(r"[A-Za-z0-9-]{1,14}", "the name of a veth (letters, digits and -, at most 14)")]
Service = Annotated[str, matching(rf"svc:{HOSTNAME_PATTERN}", "a Tailscale Service like svc:web")]
RegistryHost = Annotated[str, matching(_AUTHORITY, "a registry's host[:port], without https://")]
LoginServer = Annotated[str, matching(rf"https?://{_AUTHORITY}{_URL_PATH}", "a URL like https://headscale.example.net")]
ServedUrl = Annotated[
    str,
    matching(rf"(?:https?|https\+insecure)://{_AUTHORITY}{_URL_PATH}", "a URL like http://192.168.88.10:8080"),
]


_TAG: Final = r"tag:[A-Za-z][A-Za-z0-9-]*"


def _tag(value: object) -> str:
    text = read_text(value)
    if not re.fullmatch(_TAG, text):
        hint = f": write tag:{text}" if re.fullmatch(_TAG, f"tag:{text}") else ""
        raise MisfitError(f"{shown(text)} is not a Tailscale tag like tag:router{hint}")
    return text


TailscaleTag = Annotated[str, Form(_tag, text_schema(_TAG))]


def _node_name(value: object) -> str:
    text = read_text(value)
    if text == SHARED:
        raise MisfitError(f"{SHARED} is reserved for what several nodes use together; choose another name")
    if not re.fullmatch(_NAME, text):
        raise MisfitError(f"{shown(text)} is not {_NAME_WORDS}")
    return text


NodeName = Annotated[str, Form(_node_name, text_schema(rf"(?!{SHARED}$){_NAME}"))]

_DOCKER_HUB_ALIASES: Final = frozenset({"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})


def _registry_key(text: str) -> str:
    if text in _DOCKER_HUB_ALIASES:
        raise MisfitError(f"write {DOCKER_HUB}: that is how images on Docker Hub are looked up")
    return text


Registry = Annotated[str, matching(_AUTHORITY, "a registry's host[:port], without https://", _registry_key)]


def _port_key(text: str) -> int:
    port = int(text)
    if port > _HIGHEST_PORT:
        raise MisfitError(f"{port} is not a port (1 to {_HIGHEST_PORT})")
    return port


PortKey = Annotated[int, matching(r"[1-9][0-9]{0,4}", "a port (1 to 65535)", _port_key)]


_HOST_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_LONGEST_HOST: Final = 253


def _host(value: object) -> str:
    text = read_text(value)
    hint = "; the port goes in port:" if re.fullmatch(r"[^:]+:[0-9]+", text) else ""
    if re.fullmatch(r"[0-9.]+|[0-9a-fA-F.]*:[0-9a-fA-F:.]*(?:%[A-Za-z0-9._-]+)?", text):
        try:
            return str(ip_address(text))
        except ValueError:
            raise MisfitError(f"{shown(text)} is not an IP address{hint}") from None
    if len(text) > _LONGEST_HOST or not all(_HOST_LABEL.fullmatch(label) for label in text.split(".")):
        raise MisfitError(f"{shown(text)} is not a host name or an IP address{hint}")
    return text


Host = Annotated[str, Form(_host, text_schema(rf"[A-Za-z0-9_](?:[A-Za-z0-9._-]{{0,252}})|{_IPV6_HOST}"))]


Tls = Annotated[TlsMode, choice(tuple(TlsMode), TlsMode)]
Via = Annotated[str, choice(("tailnet",))]

_DAY: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_SPAN: Final = rf"(?:{_DAY}(?:-{_DAY})? )?{_CLOCK}-{_CLOCK}"


def _window(text: str) -> str:
    for part in text.split(","):
        start, _, end = part.split()[-1].partition("-")
        if start == end:
            raise MisfitError(f"{shown(part.strip())} begins and ends at the same time")
    return text


Window = Annotated[
    str,
    matching(rf"{_SPAN}(?:, ?{_SPAN})*", "a window like Sat 02:00-04:00 or Mon-Fri 22:30-05:00, 12:00-13:00", _window),
]


def _image(value: object) -> ImageRef:
    text = read_text(value)
    try:
        return ImageRef.parse(text)
    except UsageError as error:
        hint = f"; {error.problem.hint}" if error.problem.hint and "@" not in text else ""
        why = error.problem.message.removeprefix(f"{text!r} ")
        raise MisfitError(f"{why}{hint}") from None


Image = Annotated[ImageRef, Form(_image, {"type": "string", "minLength": 1})]
BoardPlatform = Annotated[
    Platform,
    matching(r"linux/[a-z0-9_.]+(?:/[a-z0-9_.]+)?", "a platform like linux/arm64 or linux/arm/v5", Platform.parse),
]
