"""What the registry client needs from outside, in a form that tests own: time, names and secrets."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import MappingProxyType

from mtts.adapters.registry.client import HttpxRegistry
from mtts.core.image import Digest, ImageRef, Platform
from mtts.core.inventory import RegistryAccess
from mtts.core.secret import FromEnv, Literal, Secret, SecretSource
from mtts.lab.control import REPOSITORY
from mtts.lab.images import EXTRACTED_SIZE_LABEL, build_image
from mtts.lab.registry import LabRegistry

ARM64 = Platform("linux", "arm64")
ARM = Platform("linux", "arm", "v7")
AMD64 = Platform("linux", "amd64")
UNSIZED = build_image("2", extracted_bytes=20_000, labels={EXTRACTED_SIZE_LABEL: ""})
"""An image that does not declare its extracted size."""
PUBLIC = "93.184.216.34"
NOW = 1_800_000_000.0


class FakeClock:
    """Time that stands still but for sleeping, which takes none and is written down."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        return self.elapsed_s

    def now(self) -> float:
        return NOW + self.elapsed_s

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.elapsed_s += seconds


class Names:
    """A resolver that knows what it was taught and takes every other name for a public one."""

    def __init__(self, addresses: Mapping[str, Sequence[str]] | None = None) -> None:
        self.addresses = dict(addresses or {})
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.addresses.get(host, [PUBLIC])


def open_secret(source: SecretSource) -> Secret:
    match source:
        case Literal(value):
            return value
        case FromEnv(variable):
            return Secret(f"value of {variable}")
    raise AssertionError(f"no such source in these tests: {type(source)}")


@asynccontextmanager
async def client(
    *access: RegistryAccess,
    clock: FakeClock | None = None,
    lookup: Names | None = None,
    known_sizes: Mapping[Digest, int] = MappingProxyType({}),
) -> AsyncIterator[HttpxRegistry]:
    """A client of the registries given; all others are asked over https and anonymously."""
    async with HttpxRegistry(
        {each.host: each for each in access},
        open_secret=open_secret,
        clock=clock or FakeClock(),
        lookup=lookup or Names(),
        known_sizes=known_sizes,
    ) as registry:
        yield registry


def image_of(lab: LabRegistry, tag: str = "stable") -> ImageRef:
    return ImageRef.parse(f"{lab.address}/{REPOSITORY}:{tag}")


def answered(lab: LabRegistry) -> list[str]:
    """What the registry answered with success, tokens apart: `HEAD manifests/stable`."""
    good = [each for each in lab.requests if each.status == HTTPStatus.OK and each.path != "/token"]
    return [f"{each.method} {each.path.removeprefix(f'/v2/{REPOSITORY}/')}" for each in good]
