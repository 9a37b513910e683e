"""YAML text to plain values, with the line of every key: the safe and unambiguous part of YAML only.

Works on ruamel's parser events, so no constructor ever runs. Tags, anchors, aliases, duplicate keys, keys that
are not scalars, several documents and deep nesting are complaints. Anchors and aliases are refused altogether
rather than bounded: `defaults` and `groups` do their work, and an edit (`mtts trust`) stays an edit of one place.
Scalars follow YAML 1.2, narrowed: `true` and `false` are booleans, decimal digits are numbers, `no`, `on`,
`22:22` and dates are text. Keys are always text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from mtts.adapters.inventory.complaints import Complaint, KeyPath

_DEEPEST: Final = 16
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_REAL: Final = re.compile(r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}\.[0-9]{0,18})(?:[eE][-+]?[0-9]{1,2})?")
_UNSPEAKABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_QUOTED: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_HARMLESS: Final = re.compile(r".?.?|<[a-z ]+>")
_NO_ALIASES: Final = "anchors (&) and aliases (*) are not used here; {instead}text that begins so goes in quotes"
_NO_TAGS: Final = "tags (!) are not used here; text that begins so goes in quotes"
INSTEAD_OF_ALIASES: Final = "what is shared goes in defaults or groups, "
"""In an inventory."""


@dataclass(frozen=True, slots=True)
class ScalarPlace:
    """Where a key and its scalar stand in the text, as offsets, for those who edit it."""

    key_column: int
    key_end: int
    start: int
    end: int
    """Equal to `start` where nothing is written after the key."""
    is_in_flow: bool


@dataclass(slots=True)
class Document:
    """The values of one file, and what is wrong with its form."""

    value: object = None
    instead: str = INSTEAD_OF_ALIASES
    """What does the work of aliases, as the beginning of half a sentence."""
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """Line (from 1) of each key and list item."""
    scalars: dict[KeyPath, ScalarPlace] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)

    def line_of(self, path: KeyPath) -> int:
        """The line of the value, or of the nearest thing that holds it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def complain(self, path: KeyPath, text: str, *, line: int | None = None) -> None:
        self.complaints.append(Complaint(line or self.line_of(path), path, text))


def parse_yaml(text: str, *, instead: str = INSTEAD_OF_ALIASES) -> Document:
    """Read one YAML document; what is wrong is in its `complaints`, nothing is raised."""
    document = Document(instead=instead)
    parser = YAML(typ="safe", pure=True)
    try:
        _Builder(document, parser.parse(text)).build()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.complain((), f"not YAML: {_without_text(error)}", line=mark.line + 1 if mark else 1)
    except (YAMLError, ValueError, OverflowError) as error:
        # ruamel's reader names a character that may not stand in YAML; its scanner lets chr() complain of "\UFFFFFFFF"
        position = getattr(error, "position", 0)
        document.complain((), "not YAML: a character that YAML does not allow", line=text.count("\n", 0, position) + 1)
    return document


class _TooDeep(Exception):  # noqa: N818 - control flow within this module
    pass


class _Builder:
    """Turns the events of one text into a Document."""

    def __init__(self, document: Document, events: Iterator[Any]) -> None:
        self._document = document
        self._events = events  # Any: which kind of event comes after which is the parser's promise

    def build(self) -> None:
        """Read the one document there should be."""
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._complain((), event, "a second YAML document begins here; a file holds one")
                    return
            elif isinstance(event, NodeEvent):
                try:
                    self._document.value = self.read(event, (), 0, is_in_flow=False)
                except _TooDeep:
                    self._complain((), event, f"something is nested more than {_DEEPEST} levels deep")
                    return

    def read(self, event: NodeEvent, path: KeyPath, depth: int, *, is_in_flow: bool) -> object:
        """Read the value that `event` begins."""
        self._judge(event, path)
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        if not isinstance(event, CollectionStartEvent):
            return None  # an alias, of which `_judge` has complained
        if depth >= _DEEPEST:
            raise _TooDeep
        inside_flow = is_in_flow or bool(event.flow_style)
        if isinstance(event, MappingStartEvent):
            return self._mapping(path, depth + 1, is_in_flow=inside_flow)
        return self._sequence(path, depth + 1, is_in_flow=inside_flow)

    def _sequence(self, path: KeyPath, depth: int, *, is_in_flow: bool) -> list[object]:
        items: list[object] = []
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                break
            here = (*path, len(items))
            self._document.lines[here] = event.start_mark.line + 1
            items.append(self.read(event, here, depth, is_in_flow=is_in_flow))
        return items

    def _mapping(self, path: KeyPath, depth: int, *, is_in_flow: bool) -> dict[str, object]:
        pairs: dict[str, object] = {}
        for key in self._events:
            if isinstance(key, MappingEndEvent):
                break
            if not isinstance(key, ScalarEvent):
                self._complain(path, key, "a key must be a word, not a list, a mapping or an alias")
                self._skip(key, depth)
                self._skip(next(self._events), depth)
                continue
            name = _speakable(key.value)
            here = (*path, name)
            self._judge(key, here)
            value = next(self._events)
            if name in pairs:
                first = self._document.lines[here]
                self._complain(here, key, f"this key is written twice, first on line {first}")
                self._skip(value, depth)
                continue
            self._document.lines[here] = key.start_mark.line + 1
            if isinstance(value, ScalarEvent):
                self._document.scalars[here] = _place(key, value, is_in_flow=is_in_flow)
            pairs[name] = self.read(value, here, depth, is_in_flow=is_in_flow)
        return pairs

    def _skip(self, event: NodeEvent, depth: int) -> None:
        _Builder(Document(), self._events).read(event, (), depth, is_in_flow=False)

    def _scalar(self, event: ScalarEvent) -> object:
        text = _speakable(event.value)
        if not event.implicit[0]:
            return text
        if text in _NULL:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _REAL.fullmatch(text) else text

    def _judge(self, event: NodeEvent, path: KeyPath) -> None:
        # The word after ! or & is not shown: a password that begins so looks like a tag or an anchor.
        if event.anchor is not None:
            self._complain(path, event, _NO_ALIASES.format(instead=self._document.instead))
        if getattr(event, "tag", None) is not None:
            self._complain(path, event, _NO_TAGS)
        if isinstance(event, ScalarEvent) and _UNSPEAKABLE.search(event.value):
            self._complain(path, event, "holds a control character")

    def _complain(self, path: KeyPath, event: Event, text: str) -> None:
        self._document.complain(path, text, line=event.start_mark.line + 1)


def _place(key: ScalarEvent, value: ScalarEvent, *, is_in_flow: bool) -> ScalarPlace:
    return ScalarPlace(
        key_column=key.start_mark.column,
        key_end=key.end_mark.index,
        start=value.start_mark.index,
        end=value.end_mark.index,
        is_in_flow=is_in_flow,
    )


def _speakable(text: str) -> str:
    return _UNSPEAKABLE.sub("\ufffd", text)


def _without_text(error: MarkedYAMLError) -> str:
    """The parser's own words, without what they quote from the file: it may be part of a secret."""

    def censored(quoted: re.Match[str]) -> str:
        return quoted[0] if _HARMLESS.fullmatch(quoted[1] or quoted[2] or "") else "(not shown)"

    return _QUOTED.sub(censored, error.problem or "unreadable").replace("\n", " ")
