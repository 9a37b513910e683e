"""How a node stands at the end of a run, and the exit code that follows from all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self

from mtts.core.errors import AuthRejectedError, MttsError, Problem, SessionLostError, UnreachableError
from mtts.core.flash import FlashDelta, FlashSample, delta_of
from mtts.core.image import Digest
from mtts.core.strategy import Choice
from mtts.core.tag import Tag


class Outcome(StrEnum):
    """Exactly one per node and run."""

    NO_OP = "no-op"
    DEPLOYED = "deployed"
    UPDATED = "updated"
    ROLLED_BACK = "rolled-back"
    REFUSED = "refused"
    KEPT_OLD = "kept-old"
    PENDING = "pending"
    UNKNOWN = "unknown"
    BROKEN = "broken"
    UNREACHABLE = "unreachable"
    REMOVED = "removed"
    """Of `mtts remove` alone."""


EXIT_DONE: Final = 0
EXIT_INTERNAL: Final = 1
EXIT_USAGE: Final = 2
EXIT_CHANGES_PENDING: Final = 3
EXIT_ROLLOUT_STOPPED: Final = 7
EXIT_LOCKED: Final = 75
EXIT_INTERRUPTED: Final = 130

EXIT_CODES: Final[Mapping[Outcome, int]] = {
    Outcome.NO_OP: 0,
    Outcome.DEPLOYED: 0,
    Outcome.UPDATED: 0,
    Outcome.REMOVED: 0,
    Outcome.UNREACHABLE: 4,
    Outcome.REFUSED: 5,
    Outcome.KEPT_OLD: 5,
    Outcome.ROLLED_BACK: 5,
    Outcome.BROKEN: 6,
    Outcome.UNKNOWN: 6,
    Outcome.PENDING: 6,
}


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What one run did to one node."""

    router: str
    node: str
    outcome: Outcome
    strategy: str | None = None
    from_version: str | None = None
    to_version: str | None = None
    from_digest: Digest | None = None
    """Of the platform manifest."""
    to_digest: Digest | None = None
    downtime_s: float | None = None
    samples: tuple[FlashSample, ...] = ()
    """Of the router's flash while this node was worked on, oldest first; empty where nothing was written."""
    expected: Choice | None = None
    """Of `update --check`: what the swap that is due would cost."""
    evidence: str | None = None
    """What proved health."""
    problem: Problem | None = None
    warnings: tuple[Problem, ...] = ()
    next_step: str = ""
    """What to do now; empty when nothing is left."""
    changes_pending: bool = False
    """For `plan` and `update --check`: the node is not as the inventory wants it."""

    @classmethod
    def of(cls, router: str, node: str, tag: Tag | None = None) -> Self:
        """The node as it stands, with nothing done to it; `tag` is its container's."""
        if tag is None:
            return cls(router, node, Outcome.NO_OP)
        return cls(
            router,
            node,
            Outcome.NO_OP,
            from_version=tag.version,
            to_version=tag.version,
            from_digest=tag.platform,
            to_digest=tag.platform,
        )

    def ended(self, outcome: Outcome, problem: Problem) -> Self:
        """The same node with what went wrong, still on the release that it had; nothing proves its health then."""
        is_known = outcome is not Outcome.UNKNOWN
        return replace(
            self,
            outcome=outcome,
            to_version=self.from_version if is_known else None,
            to_digest=self.from_digest if is_known else None,
            evidence=None,
            problem=problem,
            next_step=problem.hint or f"run the command again for {self.router}",
            changes_pending=False,
        )

    @property
    def flash(self) -> FlashDelta | None:
        """What the work cost in flash."""
        return delta_of(self.samples)


def joined(first: NodeResult, second: NodeResult) -> NodeResult:
    """Two swaps that one update takes, as one result; the second says how the node stands. For others see `after`."""
    gaps = [result.downtime_s for result in (first, second) if result.downtime_s is not None]
    return replace(
        second,
        from_version=first.from_version,
        from_digest=first.from_digest,
        downtime_s=sum(gaps) if gaps else None,
        samples=(*first.samples, *second.samples),
        warnings=(*first.warnings, *(warning for warning in second.warnings if warning not in first.warnings)),
    )


_UNTOUCHED: Final = frozenset({Outcome.NO_OP, Outcome.REFUSED, Outcome.UNREACHABLE})
"""Of a piece of work that wrote nothing."""


def after(first: NodeResult, second: NodeResult) -> NodeResult:
    """What a run did to a node in two pieces, where the first one wrote: that stays true whatever came of the second.

    So a run that wrote never ends `refused`: what speaks against the second piece is told beside how the first ended.
    """
    if second.outcome not in _UNTOUCHED:
        said = () if first.problem is None else (first.problem,)
        return replace(second, warnings=(*said, *first.warnings, *second.warnings))
    said = () if second.problem is None else (second.problem,)
    return replace(
        first,
        warnings=(*first.warnings, *said, *second.warnings),
        changes_pending=second.changes_pending,
        evidence=first.evidence or second.evidence,
    )


def exit_code(results: Iterable[NodeResult], *, was_interrupted: bool = False) -> int:
    """The highest that applies."""
    codes = [EXIT_INTERRUPTED if was_interrupted else EXIT_DONE]
    for result in results:
        codes.append(EXIT_CODES[result.outcome])
        if result.changes_pending:
            codes.append(EXIT_CHANGES_PENDING)
        said = (*result.warnings, *(() if result.problem is None else (result.problem,)))
        if any(problem.code == "rollout-stopped" for problem in said):
            codes.append(EXIT_ROLLOUT_STOPPED)
    return max(codes)


NO_WAY: Final = (UnreachableError, AuthRejectedError, SessionLostError)
"""Without a session the router cannot be asked how it stands."""

_OFFLINE: Final = frozenset({"start-failed", "needs-login", "not-healthy", "crash-loop"})
"""Problems of the node itself: its container may be up, but it serves nobody."""


def settle(error: MttsError, *, wrote: bool, serving: bool) -> Outcome:
    """How a node stands after `error`: `wrote` a command before it, `serving` a verified container that is up now.

    A lost session before the first write changed nothing; after it, the last command may or may not have run.
    """
    if isinstance(error, NO_WAY):
        return Outcome.UNKNOWN if wrote else Outcome.UNREACHABLE
    if not wrote:
        return Outcome.REFUSED
    return Outcome.KEPT_OLD if serving and error.problem.code not in _OFFLINE else Outcome.BROKEN
