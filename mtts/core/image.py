"""Image references, digests, platforms and releases, parsed once into strict values.

A bare string travels no further than the parser; `str()` gives back what was written.
The grammar is that of the OCI distribution specification and of Docker's familiar names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Self

from mtts.core.errors import UsageError

DOCKER_HUB: Final = "docker.io"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?P<ipv6>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?")
_MAX_NAME = 255  # host and path together, by the distribution specification
_MAX_PORT = 65535

# Other names of an architecture, and the variant that each implies, after containerd's platform normalisation.
_ALIASES: Final[Mapping[str, tuple[str, str | None]]] = {
    "aarch64": ("arm64", None),
    "x86_64": ("amd64", None),
    "x86-64": ("amd64", None),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
# A variant that says no more than its architecture alone does.
_PLAIN: Final = frozenset({("arm64", "v8"), ("amd64", "v1")})
# What a CPU also runs besides its very own platform, best first; `None` is a build that does not say its variant,
# which containerd takes for v7. A 32-bit router never gets v8, and a v5 CPU runs nothing but v5.
_ALSO_RUNS: Final[Mapping[tuple[str, str | None], tuple[str | None, ...]]] = {
    ("arm", "v7"): ("v6", "v5", None),
    ("arm", "v6"): ("v5",),
}


@dataclass(frozen=True, slots=True)
class Digest:
    """`sha256:` (or `sha512:`) and lower-case hex."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise ValueError unless `text` is a digest of a known algorithm."""
        if not _DIGEST.fullmatch(text):
            raise ValueError(f"not a digest: {text!r}")
        return cls(text)

    @property
    def algorithm(self) -> str:
        return self.text.partition(":")[0]

    @property
    def short(self) -> str:
        """Enough of it for people to tell two apart."""
        return self.text.partition(":")[2][:12]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image is built for, as OCI writes it: `linux/arm/v7`."""

    os: str
    architecture: str
    variant: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise ValueError unless `text` is `os/architecture` or `os/architecture/variant`."""
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(re.fullmatch(r"[a-z0-9_.]+", part) for part in parts):
            raise ValueError(f"not a platform: {text!r}")
        return cls(*parts)

    def normalised(self) -> Self:
        """The same platform by its usual name: `linux/aarch64/v8` is `linux/arm64`; an unsaid variant stays unsaid."""
        architecture, variant = _ALIASES.get(self.architecture, (self.architecture, None))
        variant = self.variant or variant
        if variant is not None and variant.isdigit():
            variant = f"v{variant}"
        if (architecture, variant) in _PLAIN:
            variant = None
        return type(self)(self.os, architecture, variant)

    def runnable(self) -> tuple[Self, ...]:
        """The normalised platforms whose builds a machine of this one runs, best first; `arm` alone means v7."""
        own = self.normalised()
        variant = "v7" if own.architecture == "arm" and own.variant is None else own.variant
        variants = (variant, *_ALSO_RUNS.get((own.architecture, variant), ()))
        return tuple(type(self)(own.os, own.architecture, each) for each in variants)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A reference as written, and its parts: where to ask, for which repository, by tag or by digest."""

    text: str
    registry: str
    """Host and port in lower case; `docker.io` for every way of writing Docker Hub."""
    repository: str
    """With `library/` in front where Docker Hub wants it."""
    tag: str | None
    digest: Digest | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise UsageError (`image-reference-invalid`) unless `text` is a reference."""
        scheme, found, rest = text.partition("://")
        if found:
            raise _invalid(text, f"it starts with {scheme}://", f"write {rest}")
        name, at, digest_text = text.partition("@")
        digest = None
        if at:
            try:
                digest = Digest.parse(digest_text)
            except ValueError as error:
                raise _invalid(text, "its digest is not sha256:<64 hex>") from error
        head, slash, tail = name.rpartition("/")
        last, colon, tag_text = tail.partition(":")
        if colon and not is_tag(tag_text):
            raise _invalid(text, f"{tag_text!r} is not a tag")
        name = f"{head}{slash}{last}"
        registry, repository = _split_host(name)
        if repository != repository.lower():
            raise _invalid(text, "repositories are lower case", f"write {repository.lower()}")
        if not _is_host(registry) or not _REPOSITORY.fullmatch(repository):
            raise _invalid(text, "it is not host[:port]/repository[:tag]")
        if len(registry) + len(repository) > _MAX_NAME:
            raise _invalid(text, f"host and repository are longer than {_MAX_NAME} characters")
        tag = tag_text or (None if digest else "latest")
        return cls(text=text, registry=registry, repository=repository, tag=tag, digest=digest)

    @property
    def name(self) -> str:
        """Registry and repository, as a router is told them: the host always first."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ReleaseDigests:
    """Which release an image is for one platform, without what it consists of: all that a decision needs."""

    index: Digest | None
    """None when the tag names a single manifest rather than an index."""
    manifest: Digest


@dataclass(frozen=True, slots=True)
class Release:
    """What an image is right now for one platform."""

    image: ImageRef
    platform: Platform
    index_digest: Digest | None
    """None when the tag names a single manifest rather than an index."""
    manifest_digest: Digest
    """The platform's own manifest: the digest that decides whether a router has something to do."""
    config_digest: Digest
    """What RouterOS 7.21 and newer show as `image-id`."""
    version: str | None
    """For people only: the label `org.opencontainers.image.version`."""
    compressed_bytes: int
    extracted_bytes: int
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()

    @property
    def digests(self) -> ReleaseDigests:
        return ReleaseDigests(self.index_digest, self.manifest_digest)

    def is_shown_as(self, image_id: str) -> bool:
        """Whether a router's `image-id` is this release: the config's digest, after some pulls the manifest's."""
        return image_id in (str(self.config_digest), str(self.manifest_digest))


def is_tag(text: str) -> bool:
    """Whether a registry could have a tag of this name."""
    return _TAG.fullmatch(text) is not None


def _split_host(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, repository = (first.lower(), rest) if is_host else (DOCKER_HUB, name)
    if registry == "index.docker.io":
        registry = DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository


def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    if not found or int(found["port"] or 0) > _MAX_PORT:
        return False
    try:
        IPv6Address(found["ipv6"] or "::")
    except ValueError:
        return False
    return True


def _invalid(text: str, why: str, hint: str = "") -> UsageError:
    return UsageError(f"{text!r} is not an image reference: {why}", code="image-reference-invalid", hint=hint)
