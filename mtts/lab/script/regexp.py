"""Regular expressions as `~` takes them: does a pattern match anywhere in a text, yes or no.

All places where a match may be are followed side by side, so that no pattern takes more than its size times the
text's length, and both are bounded. What a pattern may hold is in `pattern`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from mtts.lab.script.pattern import Anchor, Either, Node, One, PatternReader, RegexpError, Repeat, Sequence, Test

SIZE_LIMIT = 1_000
"""Most characters of a pattern once repetitions are written out."""
WORK_LIMIT = 500_000
"""Most steps of one search, so that a long text cannot occupy the lab."""


@dataclass(slots=True)
class _State:
    """A place in the pattern: a test to pass or an anchor on the way to what follows, or a mere fork."""

    test: Test | None = None
    anchor: Anchor | None = None
    following: tuple[int, ...] = ()


class Regexp:
    """A pattern that was read."""

    def __init__(self, pattern: str) -> None:
        node = PatternReader(pattern).read()
        if _size(node) > SIZE_LIMIT:
            raise RegexpError("the pattern is too long")
        self._states = [_State()]
        self._begin = self._build(node, 0)

    @property
    def size(self) -> int:
        """Steps that one character of a text may take."""
        return len(self._states)

    def is_in(self, text: str) -> bool:
        """Whether the pattern matches anywhere in a text; RegexpError when that would take too long."""
        here: set[int] = set()
        work = 0
        for offset in range(len(text) + 1):
            if self._reach(here, self._begin, is_start=offset == 0, is_end=offset == len(text)):
                return True
            if offset == len(text):
                break
            work += len(here) + 1
            if work > WORK_LIMIT:
                raise RegexpError("the search takes too long")
            after: set[int] = set()
            for number in here:
                state = self._states[number]
                if state.test is not None and state.test(text[offset]):
                    for following in state.following:
                        if self._reach(after, following, is_start=False, is_end=offset + 1 == len(text)):
                            return True
            here = after
        return False

    def _reach(self, found: set[int], begin: int, *, is_start: bool, is_end: bool) -> bool:
        """Add every state that can be had without a character; whether the end of the pattern is one of them."""
        waiting = [begin]
        while waiting:
            number = waiting.pop()
            if number == 0:
                return True
            if number in found:
                continue
            found.add(number)
            state = self._states[number]
            if state.test is not None:
                continue
            if state.anchor is None or (is_end if state.anchor.is_end else is_start):
                waiting.extend(state.following)
        return False

    def _state(self, state: _State) -> int:
        self._states.append(state)
        return len(self._states) - 1

    def _build(self, node: Node, then: int) -> int:
        match node:
            case One(test):
                return self._state(_State(test=test, following=(then,)))
            case Anchor():
                return self._state(_State(anchor=node, following=(then,)))
            case Sequence(parts):
                for part in reversed(parts):
                    then = self._build(part, then)
                return then
            case Either(branches):
                return self._state(_State(following=tuple(self._build(branch, then) for branch in branches)))
            case Repeat(part, least, most):
                return self._build_repeat(part, least, most, then)

    def _build_repeat(self, part: Node, least: int, most: int | None, then: int) -> int:
        if most is None:
            again = self._state(_State())
            self._states[again].following = (self._build(part, again), then)
            then = again
        else:
            for _ in range(most - least):
                then = self._state(_State(following=(self._build(part, then), then)))
        for _ in range(least):
            then = self._build(part, then)
        return then


@lru_cache(maxsize=256)
def read_regexp(pattern: str) -> Regexp:
    """The regular expression that a text spells; RegexpError when it spells none."""
    if len(pattern) > SIZE_LIMIT:
        raise RegexpError("the pattern is too long")
    return Regexp(pattern)


def _size(node: Node) -> int:
    match node:
        case Sequence(parts) | Either(parts):
            return 1 + sum(map(_size, parts))
        case Repeat(part, least, most):
            return 1 + (_size(part) + 1) * max(1, least if most is None else most)
        case _:
            return 1
