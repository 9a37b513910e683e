"""Which word says what on which RouterOS: the one table of names that changed from 7.18 on.

A row is a term of ours and the words for it, each from the version that brought it; None means that the
version has no such word. Names that never changed are not here. tests/core/test_dialect.py holds
the table against the command trees in mtts/data/routeros.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from mtts.core.version import NEWEST_KNOWN, Version


class Term(Enum):
    """What we want to say; DIALECT says with which word."""

    CONTAINER_NAME = auto()
    CONTAINER_ENVS = auto()
    CONTAINER_MOUNTS = auto()
    CONTAINER_MEMORY_HIGH = auto()
    CONTAINER_TMPFS = auto()
    CONTAINER_IGNORE_IMAGE_CHANGE = auto()
    CONTAINER_HEALTH_COMMAND = auto()
    CONTAINER_RESTART_POLICY = auto()
    CONTAINER_RESTART_INTERVAL = auto()
    ENV_LIST = auto()
    MOUNT_LIST = auto()
    SHELL_COMMAND = auto()
    CONTAINER_LOG = auto()
    CONTAINER_KILL = auto()


@dataclass(frozen=True, slots=True)
class Entry:
    menu: str
    command: str
    words: tuple[tuple[Version, str | None], ...]
    """Ascending; the last one that is not newer than the router's version holds."""


def _since(**words: str | None) -> tuple[tuple[Version, str | None], ...]:
    return tuple((Version.parse(key.removeprefix("v").replace("_", ".")), word) for key, word in words.items())


DIALECT: Final[Mapping[Term, Entry]] = {
    Term.CONTAINER_NAME: Entry("/container", "add", _since(v7_18=None, v7_19="name")),
    Term.CONTAINER_ENVS: Entry("/container", "add", _since(v7_18="envlist", v7_20="envlists")),
    Term.CONTAINER_MOUNTS: Entry("/container", "add", _since(v7_18="mounts", v7_21="mountlists")),
    Term.CONTAINER_MEMORY_HIGH: Entry("/container", "add", _since(v7_18=None, v7_20="memory-high")),
    Term.CONTAINER_TMPFS: Entry("/container", "add", _since(v7_18=None, v7_21_2="tmpfs")),
    Term.CONTAINER_IGNORE_IMAGE_CHANGE: Entry(
        "/container", "add", _since(v7_18=None, v7_23_2="ignore-remote-image-change")
    ),
    Term.CONTAINER_HEALTH_COMMAND: Entry("/container", "add", _since(v7_18=None, v7_22="healthcheck-cmd")),
    Term.CONTAINER_RESTART_POLICY: Entry("/container", "add", _since(v7_18=None, v7_23="restart-policy")),
    Term.CONTAINER_RESTART_INTERVAL: Entry(
        "/container", "add", _since(v7_18=None, v7_20="auto-restart-interval", v7_23="restart-interval")
    ),
    Term.ENV_LIST: Entry("/container/envs", "add", _since(v7_18="name", v7_20="list")),
    Term.MOUNT_LIST: Entry("/container/mounts", "add", _since(v7_18="name", v7_21="list")),
    Term.SHELL_COMMAND: Entry("/container", "shell", _since(v7_18=None, v7_20="cmd")),
    Term.CONTAINER_LOG: Entry("/container/log", "print", _since(v7_18=None, v7_20="proplist")),
    Term.CONTAINER_KILL: Entry("/container", "kill", _since(v7_18=None, v7_21="number")),
}

EXPLICIT_COMMAND_SINCE: Final = Version(7, 22)
"""From here on an image's own entrypoint is not taken: `no command specified, set cmd or entrypoint`."""

MOUNTS_BY_LIST_SINCE: Final = Version(7, 21)
"""Before, a container names mount entries one by one; from here on it names lists of them."""

IMAGE_ID_SINCE: Final = Version(7, 21)
"""From here on a container shows `image-id`, the digest of its image's config."""

LOSES_CONTAINERS: Final = (Version(7, 22), Version(7, 22, 1))
"""Releases that could lose containers over a reboot (fixed in 7.22.2, by MikroTik's changelog)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words of one router's version."""

    version: Version

    def word(self, term: Term) -> str | None:
        """The router's word for `term`, or None where its version has none.

        A version older than the table gets the oldest words: it is refused, but must be read first.
        """
        _, word = DIALECT[term].words[0]
        for since, spelling in DIALECT[term].words:
            if since <= self.version:
                word = spelling
        return word

    def require(self, term: Term) -> str:
        """The word for a term that every supported version has."""
        word = self.word(term)
        if word is None:
            raise LookupError(f"RouterOS {self.version} has no word for {term.name}")
        return word

    @property
    def is_untested(self) -> bool:
        """Whether the version is newer than every command tree that the table was checked against."""
        return self.version > NEWEST_KNOWN

    @property
    def mounts_by_list(self) -> bool:
        return self.version >= MOUNTS_BY_LIST_SINCE

    @property
    def shows_image_id(self) -> bool:
        return self.version >= IMAGE_ID_SINCE

    @property
    def wants_explicit_command(self) -> bool:
        return self.version >= EXPLICIT_COMMAND_SINCE
