"""Every error that mtts can report: a stable code, one sentence, and a hint that helps.

An error says what went wrong; how the router stands after it is an `Outcome` (outcome.py).
`CODES` is the whole list; docs/ERRORS.md is rendered from it, and a `Problem` with a code
that is not in it cannot be made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

CODES: Final[Mapping[str, str]] = {
    # usage: nothing was contacted
    "usage": "The command line does not make sense as given.",
    "inventory-not-found": "No inventory was named and none lies in the usual places.",
    "inventory-unreadable": "The inventory file cannot be read, or is larger than an inventory can be.",
    "inventory-invalid": "The inventory does not say what the schema asks for; file, line and key are named.",
    "inventory-exists": "`mtts init` found a file where it would write, and never overwrites one.",
    "no-such-target": "A name or pattern given on the command line matches no router of the inventory.",
    "image-reference-invalid": "An image is not written as `host[:port]/repository[:tag][@digest]`.",
    "plan-file-invalid": "The file given with `--plan` is not a plan that this version of mtts wrote.",
    "secret-unavailable": "A password or key could not be read from the place that the inventory names.",
    "secret-exposed": "A file that holds a secret can be read by others than its owner.",
    "scenario-invalid": "A scenario file cannot be read, or orders what cannot be; file, line and key are named.",
    "lab-running": "Another lab is running in the directory.",
    "confirmation-needed": "The command destroys something and there is nobody at a terminal to ask.",
    # the way to the router
    "unreachable": "No connection to the router's API service could be made.",
    "tls-failed": "The TLS handshake with the router's api-ssl service failed.",
    "fingerprint-missing": "The inventory asks for a pinned certificate but holds no fingerprint for the router.",
    "fingerprint-mismatch": "The router showed another certificate than the pinned one; no password was sent.",
    "login-rejected": "The router refused the user name or the password.",
    "session-lost": "The connection to the router ended or went silent in the middle of the work.",
    "command-trapped": "The router refused a command; its own words are in the message.",
    "not-permitted": "The router's user lacks a policy that the command needs.",
    "deadline-exceeded": "The whole work on one router took longer than `--timeout` allows.",
    # preconditions on the router
    "version-unsupported": "The router runs a RouterOS older than 7.18, whose containers mtts cannot handle safely.",
    "version-loses-containers": "RouterOS 7.22.0 and 7.22.1 can lose containers over a reboot; 7.22.2 fixed it.",
    "version-untested": "The router runs a RouterOS newer than every version that mtts knows the words of.",
    "container-package-missing": "The `container` package is not installed or not enabled on the router.",
    "device-mode-forbids-container": "Device-mode on the router does not allow containers.",
    "architecture-unsupported": "The router's architecture cannot run containers.",
    "cpu-unsupported": "The router's CPU (EN7562CT) runs ARMv5 code only, and the image has none.",
    "platform-missing": "The image has no build for the router's platform.",
    "clock-wrong": "The router's clock is off by more than an hour, so that certificates do not verify.",
    "dns-missing": "The router has no DNS server, so that neither it nor the container can resolve names.",
    "storage-not-found": "The storage named in the inventory is not a mounted, persistent place on the router.",
    "storage-not-persistent": "The storage named in the inventory is lost at a reboot.",
    "flash-too-small": "The image does not fit on the router's storage above the reserve.",
    "memory-too-small": "The router has too little free memory to unpack the image.",
    "flash-bad-blocks": "The router reports bad blocks on its flash.",
    "flash-failing": "Blocks of the router's flash went bad while a release was unpacked; it was not swapped in.",
    "tmpdir-on-flash": "Pulls would unpack on the router's flash: `tmpdir` is no tmpfs, or its tmpfs is not mounted.",
    "trust-settings": "A setting of the router's own weakens the trust in registries, or stands in the way of it.",
    "foreign-container": "The router has a container that mtts did not make and that looks like this node.",
    "foreign-containers": "The router has several containers that could be this node; mtts will not choose.",
    "duplicate-node": "Several containers on the router carry this node's tag.",
    "connection-unprotected": "Secrets travel to the router unencrypted, or to a peer that nobody checked.",
    "bridge-not-ours": "A bridge of that name exists and is not mtts'.",
    "veth-not-ours": "A veth of that name exists and is not mtts'.",
    "object-not-ours": "An object of that name exists on the router and is not mtts'.",
    "subnet-occupied": "The node's subnet overlaps an address that the router already has.",
    "route-occupied": "The router already routes that destination elsewhere.",
    "setting-unsupported": "The router's RouterOS has no word for a setting that the inventory asks for.",
    "storage-kept": "The node lies on other storage than the inventory names; a deploy does not move it.",
    "state-unknown": "The router shows the container in a state that mtts does not know, so nothing is done to it.",
    "path-through-node": "mtts reaches the router through the very node that it would stop.",
    "auth-key-missing": "The node has to log in, now or at its next start, and there is no auth key for it.",
    "file-left": "A file that mtts removes, such as that of the auth key, is still on the router.",
    "command-not-set": "The container names no command, without which RouterOS 7.22 and newer does not start it.",
    "image-without-command": "RouterOS 7.22 and newer must be told the image's command, and it cannot be.",
    # what the router did
    "pull-failed": "The router could not pull or unpack the image.",
    "pull-stalled": "The router made no progress with the image, or took longer than `pull` allows.",
    "flash-overrun": "A pull took more of the flash than its image explains, and was ended.",
    "extraction-damaged": "The router unpacked an image without all of its files, and had to pull it once more.",
    "start-failed": "The container did not start.",
    "stop-stuck": "The container did not stop in time; only a reboot clears one that is stuck stopping.",
    "needs-login": "The node waits for a login: its auth key was missing, refused or expired.",
    "not-healthy": "The container runs but the node did not come online in time.",
    "crash-loop": "The container stopped or restarted while it was being watched.",
    "read-back-differs": "The router holds another value than the one that was written.",
    "plan-stale": "The router changed since the plan was made.",
    "changed-underway": "The router changed while mtts was working on it.",
    "router-locked": "Another run, perhaps of another machine, writes to the router.",
    "lock-left": "The lock of a run that is gone is still on the router; it stops nobody.",
    "transaction-open": "An update of the node is under way, or was interrupted; then `mtts resume` settles it.",
    "release-staged": "A release is unpacked beside the running one and waits for the next `mtts update`.",
    "not-deployed": "The router has no such node; `mtts deploy` makes it.",
    # routers that update themselves
    "foreign-updater": "A script on the router renews containers by itself, and may undo what mtts does.",
    "updates-itself": "The router has an updater of its own for the node, so that mtts leaves updates to it.",
    "updater-unsuited": "The node cannot be left to an updater on its router.",
    # registries
    "image-not-found": "The registry has no such image, or does not show it to anonymous clients.",
    "image-denied": "The registry wants credentials for this image.",
    "registry-rate-limited": "The registry answers that too many requests were made.",
    "registry-unavailable": "The registry could not be reached or failed.",
    "registry-refused-by-policy": "The registry led to a place that it is not configured to lead to.",
    "manifest-invalid": "The registry's answer is not a manifest that mtts can trust.",
    # updates
    "release-quarantined": "The release did not work on a router before, or was rolled back by hand.",
    "release-unproven": "All that there is of the node is a release that an update put there and nobody proved.",
    "downgrade-unconfirmed": "The image's tag now names an older release than the one that runs.",
    "guard-unproven": "The guard that swaps on the router itself could not be shown to work there.",
    "swap-unconfirmed": "The guard on the router went back to the old container, since nobody confirmed the new one.",
    "tag-moved": "The image's tag was moved while the router pulled it.",
    "identity-lost": "The node came back as another node of the tailnet.",
    "state-not-mounted": "The node's state lies inside its container, where a swap would lose it.",
    "outside-window": "A newer release waits for the router's maintenance window.",
    "rollout-stopped": "The rollout had ended by its failure budget before this node's turn came.",
    "previous-release-unknown": "There is no earlier release of the node on record to go back to.",
    "rolled-back-already": "The node runs the release that it was rolled back to.",
    "node-repaired": "The node was down and runs again.",
    "state-restored": "The old release did not start with the state that a new one left, and got its own back.",
    "leftover-removed": "What an earlier, interrupted update left behind was cleared away.",
    # flash
    "flash-leak": "Updates cost more flash than the sizes of the images explain.",
    "flash-near-floor": "The router's free flash is close to the reserve.",
    "flash-budget-exceeded": "The router was updated more often this month than its budget allows.",
    # the store and the run
    "store-unusable": "The state directory or database cannot be opened or written.",
    "store-corrupt": "The database is damaged or is no database of mtts.",
    "store-newer": "The database was written by a newer version of mtts.",
    "run-in-progress": "Another run that writes to routers holds the lock.",
    # this machine
    "internal": "A fault in mtts itself.",
    "output-unwritable": "What the command had to say could not be written; what it did is done.",
    "interrupted": "The run was interrupted.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, told to a person and to a machine."""

    code: str
    """Stable, kebab-case, a key of `CODES`."""
    message: str
    """One sentence, without secrets; a router's or registry's own words are quoted in it."""
    hint: str = ""
    """What helps: the very command where there is one, else empty."""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"unknown problem code {self.code!r}")


class MttsError(Exception):
    """The base of all errors that are reported as a `Problem` rather than as a fault in mtts."""

    default_code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    """Whether trying the same read again can help."""

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(code or self.default_code, message, hint)


class UsageError(MttsError):
    """The command line, the inventory or a plan file is wrong: nothing was contacted."""

    default_code = "usage"


class StoreError(MttsError):
    """The store cannot be used: said before anything is written to a router."""

    default_code = "store-unusable"


class LockHeldError(MttsError):
    """Another run that writes to routers is under way."""

    default_code = "run-in-progress"


class InterruptedRunError(MttsError):
    """Somebody stopped the run before what had begun was done."""

    default_code = "interrupted"


class RouterError(MttsError):
    """Anything that the way to one router, or the router itself, did."""


class UnreachableError(RouterError):
    """No session came about; the router was not touched."""

    default_code = "unreachable"


class AuthRejectedError(RouterError):
    """The router refused the credentials; they are not tried again in this run."""

    default_code = "login-rejected"


class SessionLostError(RouterError):
    """The session died (closed, silent or garbled): the command in flight may or may not have run."""

    default_code = "session-lost"


_TRAP_HINT: Final = "see /log on the router; where the reason has passed, run the command again"


class DeadlineError(SessionLostError):
    """The work on a router was cut off; as after any lost session, the command in flight may or may not have run."""

    default_code = "deadline-exceeded"


class CommandTrappedError(RouterError):
    """The router answered `!trap`; `text` is its message, word for word."""

    default_code = "command-trapped"

    def __init__(self, command: str, text: str, *, category: int | None = None) -> None:
        permitted = "not enough permissions" not in text
        super().__init__(
            f"{command}: {text}",
            code="command-trapped" if permitted else "not-permitted",
            hint=_TRAP_HINT if permitted else "give the user's group the policies read, write, test and api",
        )
        self.command = command
        self.text = text
        self.category = category


class RouterLockedError(RouterError):
    """Another run holds the router, or the router cannot be locked at all."""

    default_code = "router-locked"

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The error that says who."""
        return cls(problem.message, code=problem.code, hint=problem.hint)


class StepFailedError(RouterError):
    """The router did not do what it accepted (pull, start, health); the code says which."""

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The error that says what a decision found."""
        return cls(problem.message, code=problem.code, hint=problem.hint)


class RegistryError(MttsError):
    """Anything that a registry did."""

    default_code = "registry-unavailable"


class ImageNotFoundError(RegistryError):
    default_code = "image-not-found"


class ImageDeniedError(RegistryError):
    default_code = "image-denied"


class RateLimitedError(RegistryError):
    default_code = "registry-rate-limited"
    retryable = True

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class RegistryUnavailableError(RegistryError):
    default_code = "registry-unavailable"
    retryable = True


class RegistryPolicyError(RegistryError):
    default_code = "registry-refused-by-policy"


class BadManifestError(RegistryError):
    default_code = "manifest-invalid"
