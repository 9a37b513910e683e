"""What the journal keeps of a transaction that is open, besides what the router shows of it."""

from dataclasses import dataclass
from typing import Final

from mtts.core.outcome import Outcome
from mtts.core.transaction import Step

STILL_OPEN: Final = frozenset({Outcome.PENDING, Outcome.UNKNOWN, Outcome.BROKEN, Outcome.UNREACHABLE})
"""Ends of a run after which the router may still show the transaction."""

BEFORE_SWAP: Final = frozenset(
    {Step.STAGE, Step.AWAIT_PULL, Step.PROVE_IMAGE, Step.ARM, Step.TRIGGER, Step.START},
)
"""Steps that are left undone where they cannot be journalled: the old container serves, or nothing does."""


@dataclass(frozen=True, slots=True)
class TransactionKey:
    """Which transaction, of which node."""

    router: str
    node: str
    id: str


@dataclass(frozen=True, slots=True)
class Opening:
    """With what a transaction begins, or goes on in another run."""

    key: TransactionKey
    run: str
    from_digest: str | None
    """Of platform manifests, both."""
    to_digest: str | None
    staged_root: str
    uptime_s: float | None
    """Of the router."""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction without an end on record."""

    key: TransactionKey
    runs: tuple[str, ...] = ()
    """That worked on it, oldest first."""
    done: frozenset[str] = frozenset()
    """Steps that came to their end at least once."""

    @property
    def is_proven(self) -> bool:
        """Whether the image was pulled by this transaction, and found to be the one that is meant."""
        return Step.PROVE_IMAGE in self.done
