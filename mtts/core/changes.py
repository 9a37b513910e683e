"""Changes as data: what a plan consists of, printable as RouterOS commands, without secrets, JSON and back.

A change names its object by properties, not by `.id`: ids do not outlive a re-creation, and the object is read again
before it is touched.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, assert_never, get_args


@dataclass(frozen=True, slots=True)
class Add:
    """A new object. In /file, a directory that is already there counts as made."""

    path: str
    label: str
    why: str
    identity: Mapping[str, str]
    props: Mapping[str, str]
    alternatives: tuple[Mapping[str, str], ...] = ()
    disruptive: bool = False


@dataclass(frozen=True, slots=True)
class Set:
    """Other values for an object of ours, or for a singleton (empty identity)."""

    path: str
    label: str
    why: str
    identity: Mapping[str, str]
    before: Mapping[str, str]
    after: Mapping[str, str]
    disruptive: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """An object of ours that nothing wants any more."""

    path: str
    label: str
    why: str
    identity: Mapping[str, str]
    disruptive: bool = False


@dataclass(frozen=True, slots=True)
class AwaitPull:
    """Wait until the router has pulled and unpacked the image of the entry at `root_dir`."""

    root_dir: str
    label: str
    why: str
    flash_bytes: int | None = None
    """What that takes of the internal flash; None where it is not known."""


@dataclass(frozen=True, slots=True)
class ProveImage:
    """Prove that what was pulled into `root_dir` is the release that was meant: a tag may move at any moment."""

    root_dir: str
    label: str
    why: str


@dataclass(frozen=True, slots=True)
class PlaceKey:
    """Write the auth key into the state directory; its value is opened at that moment and is in no plan."""

    file: str
    label: str
    why: str


@dataclass(frozen=True, slots=True)
class RetireKey:
    """Prove that the auth key's file is gone, removing it where the image did not."""

    file: str
    label: str
    why: str


@dataclass(frozen=True, slots=True)
class Start:
    root_dir: str
    label: str
    why: str


@dataclass(frozen=True, slots=True)
class Stop:
    root_dir: str
    label: str
    why: str
    disruptive: bool = True


@dataclass(frozen=True, slots=True)
class RunInside:
    """A command inside the running container (RouterOS 7.20 and newer)."""

    root_dir: str
    label: str
    why: str
    command: str


@dataclass(frozen=True, slots=True)
class AwaitHealthy:
    """Wait until the node is online and has stayed so for the observation window."""

    root_dir: str
    label: str
    why: str
    node_id: str | None = None
    """The identity that it must come back with, where that is known."""


@dataclass(frozen=True, slots=True)
class Record:
    """Write the verified release into the entry's comment, and let it start by itself from now on."""

    root_dir: str
    label: str
    why: str
    comment: str
    settings: Mapping[str, str]


Change = (
    Add
    | Set
    | Remove
    | AwaitPull
    | ProveImage
    | PlaceKey
    | RetireKey
    | Start
    | Stop
    | RunInside
    | AwaitHealthy
    | Record
)

_ROOT: Final = "root-dir"
_SPECIAL: Final = frozenset("\\^$.[]()|*+?{}")
"""What is no plain text in a regular expression."""

_KINDS: Final[Mapping[str, type[Change]]] = {kind.__name__: kind for kind in get_args(Change)}
_SYMBOLS: Final[Mapping[str, str]] = {"Add": "+", "Set": "~", "Remove": "-"}


def symbol(change: Change) -> str:
    """`+` add, `~` change, `-` remove, `>` anything else that happens."""
    return _SYMBOLS.get(type(change).__name__, ">")


_VERBS: Final[Mapping[str, str]] = {
    "AwaitPull": "wait for the pull of",
    "ProveImage": "prove the image of",
    "PlaceKey": "write the",
    "RetireKey": "retire the",
    "Start": "start",
    "Stop": "stop",
    "RunInside": "log in inside",
    "AwaitHealthy": "prove the health of",
    "Record": "record the release of",
}
"""For changes whose symbol does not say what is done."""


def headline(change: Change) -> str:
    """What is done, and to what, in a few words."""
    verb = _VERBS.get(type(change).__name__, "")
    return f"{verb} {change.label}".lstrip()


def is_disruptive(change: Change) -> bool:
    """Whether the node is off the tailnet while or after it happens."""
    match change:
        case Add() | Set() | Remove() | Stop():
            return change.disruptive
        case AwaitPull() | ProveImage() | PlaceKey() | RetireKey() | Start() | RunInside() | AwaitHealthy() | Record():
            return False
        case _:
            assert_never(change)


def routeros_command(change: Change) -> str:
    """The console command that does the same by hand; empty for a wait."""
    match change:
        case Add(path=path, props=props):
            return f"{path}/add {_words(props)}"
        case Set(path=path, identity=identity, after=after):
            found = f"{_found(identity)} " if identity else ""
            return f"{path}/set {found}{_words(after)}"
        case Remove(path=path, identity=identity):
            return f"{path}/remove {_found(identity)}"
        case PlaceKey(file=file):
            return f"/file/add name={quote(file)} contents=<auth key>"
        case RetireKey(file=file):
            return f"/file/remove {quote(file)}"
        case Start(root_dir=root_dir):
            return f"/container/start {_found_at(root_dir)}"
        case RunInside(root_dir=root_dir, command=command):
            return f"/container/shell {_found_at(root_dir)} cmd={quote(command)}"
        case Stop(root_dir=root_dir):
            return f"/container/stop {_found_at(root_dir)}"
        case Record(root_dir=root_dir, comment=comment, settings=settings):
            return f"/container/set {_found_at(root_dir)} {_words({'comment': comment, **settings})}"
        case AwaitPull() | ProveImage() | AwaitHealthy():
            return ""
        case _:
            assert_never(change)


def to_json(changes: Iterable[Change]) -> list[dict[str, Any]]:
    return [{"kind": type(change).__name__, **asdict(change)} for change in changes]


def from_json(documents: Iterable[Mapping[str, Any]]) -> tuple[Change, ...]:
    """The inverse of `to_json`; KeyError or TypeError when it is not one."""
    changes = []
    for document in documents:
        fields = dict(document)
        kind = _KINDS[fields.pop("kind")]
        if "alternatives" in fields:
            fields["alternatives"] = tuple(fields["alternatives"])
        changes.append(kind(**fields))
    return tuple(changes)


def quote(value: str) -> str:
    """A value as the RouterOS console wants it; the escapes are those of MikroTik's scripting manual."""
    if value and all(character.isascii() and (character.isalnum() or character in "-._/:") for character in value):
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    # Brackets and parentheses mean something behind a `$` only, and an escape that is not known is an error.
    if character in '\\"$?':
        return f"\\{character}"
    return f"\\{ord(character):02X}" if ord(character) < ord(" ") or character == "\x7f" else character


def _found(identity: Mapping[str, str]) -> str:
    return _found_at(identity[_ROOT]) if set(identity) == {_ROOT} else f"[find {_words(identity)}]"


def _found_at(root_dir: str) -> str:
    """The container there: with a slash before the path, as RouterOS 7.22 and newer show it, or without."""
    literally = "".join(f"\\{character}" if character in _SPECIAL else character for character in root_dir)
    return f"[find where {_ROOT}~{quote(f'^/*{literally}$')}]"


def _words(props: Mapping[str, str]) -> str:
    # An id is no string to the console: quoted, it is found nowhere.
    return " ".join(f"{key}={value if key == '.id' else quote(value)}" for key, value in props.items())
