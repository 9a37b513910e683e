"""Which release `mtts rollback` goes back to: the one that ran before, or the one that is named."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from mtts.core.errors import Problem, UsageError
from mtts.core.image import Digest, ImageRef, is_tag
from mtts.core.ledger import KnownRelease, PastResult


@dataclass(frozen=True, slots=True)
class Target:
    """A release to go back to, as far as it is known; at least one of the two is."""

    version: str | None
    digest: Digest | None
    """Of the platform manifest."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """What somebody named: a digest, or a version. UsageError where it is neither."""
        try:
            return cls(None, Digest.parse(text))
        except ValueError:
            if not is_tag(text):
                raise UsageError(
                    f"{text!r} is neither a version nor a digest", hint="mtts history shows what ran before"
                ) from None
            return cls(text, None)

    def references(self, image: ImageRef) -> tuple[ImageRef, ...]:
        """Where to ask for it, best first.

        A tag named like the version, with a `v` or without, comes before the digest, which not every RouterOS may
        take. A label need not be a tag.
        """
        names = []
        if self.version is not None and is_tag(self.version):
            names = [f"{image.name}:{self.version}", f"{image.name}:v{self.version}"]
        if self.digest is not None:
            names.append(f"{image.name}@{self.digest}")
        return tuple(map(ImageRef.parse, names))


def choose_target(
    named: Target | None, *, router: str, node: str, last_step: PastResult | None, known: Sequence[KnownRelease]
) -> Target | Problem:
    """The release that somebody `named`; without that, what ran before `last_step` brought the running one.

    `known` are the releases of the node's image for the router's platform, oldest first.
    """
    if named is not None:
        meant = (one for one in reversed(known) if named.digest == one.manifest_digest or named.version == one.version)
        found = next(meant, None)
        return named if found is None else Target(found.version, found.manifest_digest)
    if last_step is not None:
        return Target(last_step.from_version, last_step.from_digest)
    return Problem(
        "previous-release-unknown",
        f"the store knows of no release that an update of node {node} on {router} replaced",
        f"name it: mtts rollback {router} --to VERSION",
    )
