"""What is broken in the lab's registry right now; by default nothing.

A fault is a value: what happens, to which kind of request, how many times. The registry asks here before it
answers and takes what it finds; what spoils a body spares HEAD. Nothing in here knows HTTP beyond status codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Annotated, Final, Literal, get_args

from mtts.lab.fault_options import HEADER, Count, OptionError, Rule, check_fields, within

FaultKind = Literal[
    "status",  # answer `status`, with a Retry-After where given, instead of serving
    "truncate",  # announce the whole body, send half of it and hang up
    "damage",  # change a byte of the body, the digest header staying right
    "no-digest",  # leave Docker-Content-Digest out
    "wrong-digest",  # name another digest than the body's
    "redirect",  # 307 to the same path on `host`
    "expired-token",  # the token presented expires at this very moment
    "denied",  # tokens are handed out but open nothing, as for a private repository on Docker Hub
    "no-auth",  # serve without asking for a token
    "stall",  # send half of the body, then nothing more until the fault is cleared or the registry stops
]
Part = Literal["manifests", "blobs", "token", "any"]
Method = Literal["GET", "HEAD", "any"]

FAULT_KINDS: tuple[str, ...] = get_args(FaultKind)
_CONTENT: Final = ("manifests", "blobs", "any")
PARTS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(FAULT_KINDS, _CONTENT),
    "status": ("manifests", "blobs", "token", "any"),
    "denied": ("token", "any"),
}
"""What each kind can hit; the first unless another is named."""
METHODS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(FAULT_KINDS, ("any", "GET", "HEAD")),
    **dict.fromkeys(("truncate", "damage", "stall", "denied"), ("any", "GET")),
}
OWN_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {"status": ("status", "retry_after"), "redirect": ("host",)}
"""Fields that mean something to one kind alone."""
FAILURES = Rule(
    "an HTTP status of a failure, 400 to 511",
    lambda value: value in set(HTTPStatus) and value >= HTTPStatus.BAD_REQUEST,
)


@dataclass(frozen=True, slots=True)
class RegistryFault:
    """One thing that goes wrong: spares the first `after` requests, hits `times`, or all until cleared."""

    kind: FaultKind
    on: Part | None = None
    method: Method = "any"
    after: Annotated[int, within(0, 1_000_000)] = 0
    times: Count | None = None
    status: Annotated[int, FAILURES] = 500
    retry_after: Annotated[str, HEADER] | None = None
    host: Annotated[str, HEADER] | None = None

    def __post_init__(self) -> None:
        """Refuse what could never happen, with an OptionError."""
        check_fields(self)
        for name, value, known in (("on", self.part, PARTS_OF), ("method", self.method, METHODS_OF)):
            if value not in known[self.kind]:
                raise OptionError(name, f"{name}: expected one of {', '.join(known[self.kind])}, not {value!r}")
        if self.kind == "redirect" and self.host is None:
            raise OptionError("host", f"redirect needs host: {HEADER.says}")

    @property
    def part(self) -> str:
        """What it hits."""
        return self.on or PARTS_OF[self.kind][0]


@dataclass(slots=True)
class RegistryFaults:
    """The faults that are in force, oldest first."""

    active: list[RegistryFault] = field(default_factory=list)

    def add(self, fault: RegistryFault) -> None:
        """Put a fault in force."""
        self.active.append(fault)

    def clear(self) -> None:
        """Mend everything."""
        self.active.clear()

    def take(self, kind: FaultKind, on: Part, method: str) -> RegistryFault | None:
        """The fault of this kind that hits a request of this part and method, if any; counts it."""
        for place, fault in enumerate(self.active):
            if fault.kind != kind or fault.part not in {on, "any"} or fault.method not in {method, "any"}:
                continue
            if fault.after:
                self.active[place] = replace(fault, after=fault.after - 1)
                continue
            if fault.times == 1:
                del self.active[place]
            elif fault.times is not None:
                self.active[place] = replace(fault, times=fault.times - 1)
            return fault
        return None
