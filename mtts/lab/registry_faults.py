"""What is broken in the lab's registry right now; by default nothing.

A fault is a value: what happens, to which kind of request, how many times. The registry asks here before it
answers and takes what it finds; what spoils a body spares HEAD. Nothing in here knows HTTP beyond status codes.
"""

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Literal, get_args

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
PARTS: tuple[str, ...] = get_args(Part)
METHODS: tuple[str, ...] = get_args(Method)


@dataclass(frozen=True, slots=True)
class RegistryFault:
    """One thing that goes wrong: spares the first `after` requests, hits `times`, or all until cleared."""

    kind: FaultKind
    on: Part = "manifests"
    method: Method = "any"
    after: int = 0
    times: int | None = None
    status: int = 500
    retry_after: str | None = None
    host: str | None = None

    def __post_init__(self) -> None:
        """Refuse what could never happen: these values come from a command line too."""
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"unknown fault {self.kind!r}: one of {', '.join(FAULT_KINDS)}")
        if self.on not in PARTS:
            raise ValueError(f"unknown part {self.on!r}: one of {', '.join(PARTS)}")
        if self.method not in METHODS:
            raise ValueError(f"unknown method {self.method!r}: one of {', '.join(METHODS)}")
        if self.times is not None and self.times < 1:
            raise ValueError("a fault happens at least once")
        if HTTPStatus(self.status) < HTTPStatus.BAD_REQUEST:  # which raises on numbers that are no status
            raise ValueError(f"{self.status} is not the status of a failure")
        if not f"{self.retry_after}{self.host}".isascii():
            raise ValueError("headers are ASCII")
        if self.kind == "redirect" and not self.host:
            raise ValueError("a redirect needs a host to lead to")


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
            if fault.kind != kind or fault.on not in {on, "any"} or fault.method not in {method, "any"}:
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
