"""Which release `mtts rollback` goes back to: the one that ran before, or the one that is named."""

from collections.abc import Sequence
from dataclasses import dataclass

from mtts.core.errors import Problem, UsageError
from mtts.core.image import Digest, ImageRef
from mtts.core.ledger import KnownRelease, PastResult


@dataclass(frozen=True, slots=True)
class Target:
    """A release to go back to, as far as it is known; at least one of the two is."""

    version: str | None
    digest: Digest | None
    """Of the platform manifest."""

    def references(self, image: ImageRef) -> tuple[ImageRef, ...]:
        """Where to ask for it, best first.

        A tag named like the version comes before the digest, which not every RouterOS may take.
        """
        return tuple(self._references(image))

    def _references(self, image: ImageRef) -> Sequence[ImageRef]:
        found = []
        if self.version is not None:
            try:
                found.append(ImageRef.parse(f"{image.name}:{self.version}"))
            except UsageError:  # a label need not be a tag
                if self.digest is None:
                    raise
        if self.digest is not None:
            found.append(ImageRef.parse(f"{image.name}@{self.digest}"))
        return found


def choose_target(
    to: str | None,
    *,
    router: str,
    node: str,
    running: Digest | None,
    history: Sequence[PastResult],
    known: Sequence[KnownRelease],
) -> Target | Problem:
    """The release that `to` names, a digest or a version; without it the one that `running` took the place of.

    `history` is the router's, newest first.
    """
    if to is not None:
        try:
            digest = Digest.parse(to)
        except ValueError:
            return Target(to, None)
        version = next((release.version for release in known if release.manifest_digest == digest), None)
        return Target(version, digest)
    for past in history:
        is_step = (past.router, past.node, past.to_digest) == (router, node, running)
        if is_step and past.from_digest not in (None, running):
            return Target(past.from_version, past.from_digest)
    return Problem(
        "previous-release-unknown",
        f"the store does not know what node {node} on {router} ran before",
        f"name it: mtts rollback {router} --to VERSION",
    )
