"""The comment tag on everything mtts creates, and the release record in the container's comment.

`mtts:<node>` marks ownership (I9: nothing without it is changed). A container that was verified healthy
carries more: `mtts:<node> v=<version> platform=sha256:… index=sha256:…` (I7), so that any controller
can take over. `with=` names the optional menus that the node has entries in, which spares reading
them on every run; `adopted` marks a container that was set up by hand and taken over.

While a release waits to take the node's place, its container carries `next=<transaction>` and what it is meant to
be; marks behind that tell how far the transaction came (guard.py). Once verified, it carries `tx=<transaction>`.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Self

from mtts.core.image import Digest, Release
from mtts.core.values import parse_int

SHARED: Final = "shared"
"""The node name in the tag of what several nodes use: the bridge, the tmpfs disk."""

_PREFIX: Final = "mtts:"
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Tag:
    node: str
    version: str | None = None
    platform: Digest | None = None
    index: Digest | None = None
    extras: frozenset[str] = frozenset()
    """Of `EXTRA_MENUS` in desired.py."""
    adopted: bool = False
    in_ram: bool = False
    """Whether the container lives in memory until one on the flash takes its place."""
    next_in: str | None = None
    """The transaction that is to make this container the node; nothing is verified yet."""
    tx: str | None = None
    """The transaction that made this container the node."""
    armed: int | None = None
    """The attempt for which a guard was proven (guard.py)."""
    failed: str | None = None
    """Why the guard went back to the old container, in one word."""
    is_aborted: bool = False
    """Whether the guard was told to go back."""
    is_restored: bool = False
    """Whether the old container could not read the state any more, and got a copy of it from before."""
    is_back: bool = False
    """Whether the guard is done, and the old container stays up."""

    @classmethod
    def parse(cls, comment: str | None) -> Self | None:
        """The tag in a comment, or None where the comment is somebody else's.

        A word after the tag that is not ours, or a damaged digest, is passed over: the object is still ours,
        and what it does not say is unknown.
        """
        words = (comment or "").split()
        if not words or not words[0].startswith(_PREFIX):
            return None
        node = words[0].removeprefix(_PREFIX)
        if not _NODE.fullmatch(node):
            return None
        fields = dict(word.partition("=")[::2] for word in words[1:])
        return cls(
            node=node,
            version=fields.get("v") or None,
            platform=_digest(fields.get("platform")),
            index=_digest(fields.get("index")),
            extras=frozenset(part for part in fields.get("with", "").split(",") if part),
            adopted="adopted" in fields,
            in_ram="ram" in fields,
            next_in=fields.get("next") or None,
            tx=fields.get("tx") or None,
            armed=parse_int(fields.get("armed")),
            failed=fields.get("failed") or None,
            is_aborted="abort" in fields,
            is_restored="restored" in fields,
            is_back="back" in fields,
        )

    @property
    def is_recorded(self) -> bool:
        """Whether the container was verified once, or was taken over as it stood."""
        return self.next_in is None and (self.platform is not None or self.version is not None or self.adopted)

    @property
    def is_unproven(self) -> bool:
        """Whether an update is to make the container the node, and did not get so far."""
        return self.next_in is not None

    def recording(self, release: Release, *, tx: str | None = None) -> Self:
        """The same tag with `release` as the one that was verified."""
        return type(self)(
            node=self.node,
            version=release.version,
            platform=release.manifest_digest,
            index=release.index_digest,
            extras=self.extras,
            adopted=self.adopted,
            tx=tx,
        )

    def staging(self, release: Release, tx: str) -> Self:
        """The same tag with `release` as what is meant to take the node's place."""
        return replace(self.recording(release), next_in=tx)

    def __str__(self) -> str:
        version = re.sub(r"[^A-Za-z0-9._+-]", "_", self.version or "")
        words = {
            f"next={self.next_in}": self.next_in,
            f"v={version}": version,
            f"platform={self.platform}": self.platform,
            f"index={self.index}": self.index,
            f"with={','.join(sorted(self.extras))}": self.extras,
            "adopted": self.adopted,
            "ram": self.in_ram,
            f"tx={self.tx}": self.tx,
            f"armed={self.armed}": self.armed is not None,
            f"failed={self.failed}": self.failed,
            "abort": self.is_aborted,
            "restored": self.is_restored,
            "back": self.is_back,
        }
        return " ".join([f"{_PREFIX}{self.node}", *(word for word, is_said in words.items() if is_said)])


UNPROVEN: Final = "unknown"
"""The version in the record of a container that serves, but not provably the release that was resolved."""


def proven(comment: str, release: Release | None, image_id: str | None, *, pulled_now: bool) -> str:
    """The comment to record: with digests only where it is proven that they are what serves (I7).

    The proof is the router's `image-id` (RouterOS 7.21 and newer); where it shows none, that this very run had the
    entry pulled. What an earlier run pulled before 7.21 is recorded as UNPROVEN, whichever release the tag names now.
    """
    tag = Tag.parse(comment)
    if tag is None or release is None:
        return comment
    if pulled_now if image_id is None else release.is_shown_as(image_id):
        return comment
    return str(replace(tag, version=UNPROVEN, platform=None, index=None))


def _digest(text: str | None) -> Digest | None:
    try:
        return Digest.parse(text or "")
    except ValueError:
        return None
