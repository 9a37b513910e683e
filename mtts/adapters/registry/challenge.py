"""Reads `WWW-Authenticate`: which schemes a registry offers, and where its token comes from.

Pure. The whole grammar of RFC 9110 §11 (several challenges in one field or in several, quoted commas, escapes,
token68), and lenient where registries are: unquoted values may hold what a token may not, as in `realm=https://…`.
Never raises: what cannot be read is left out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_GAP = re.compile(r"[\s,]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN68 = re.compile(r"[ \t]+[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_UNQUOTED = re.compile(r'[^\s,"]*')
_REST = re.compile(r"[^,]*")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One offered scheme and its parameters; scheme and names in lower case."""

    scheme: str
    params: Mapping[str, str]


def parse_challenges(fields: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges of all `WWW-Authenticate` fields of an answer, in their order."""
    return tuple(challenge for field in fields for challenge in _parse_field(field))


def choose_challenge(challenges: Iterable[Challenge], scheme: str) -> Challenge | None:
    """The first challenge of a scheme that can be followed: for `bearer`, one that names its realm."""
    for challenge in challenges:
        if challenge.scheme == scheme and (scheme != "bearer" or challenge.params.get("realm")):
            return challenge
    return None


def _parse_field(field: str) -> Iterator[Challenge]:
    scheme: str | None = None
    params: dict[str, str] = {}
    position = _skip(_GAP, field, 0)
    while position < len(field):
        name = _TOKEN.match(field, position)
        if name is None:
            position = _skip(_GAP, field, _skip(_REST, field, position))
            continue
        position = name.end()
        equals = _EQUALS.match(field, position)
        if equals is None:  # a token that is no parameter's name opens the next challenge
            if scheme is not None:
                yield Challenge(scheme, params)
            scheme, params = name[0].lower(), {}
            position = _skip(_TOKEN68, field, position)
        else:
            value, position = _read_value(field, equals.end())
            if value is not None:
                params.setdefault(name[0].lower(), value)
        position = _skip(_GAP, field, position)
    if scheme is not None:
        yield Challenge(scheme, params)


def _read_value(field: str, position: int) -> tuple[str | None, int]:
    """A parameter's value and where it ends; an unterminated quotation makes the rest of the field unreadable."""
    if not field.startswith('"', position):
        end = _skip(_UNQUOTED, field, position)
        return field[position:end], end
    quoted = _QUOTED.match(field, position)
    if quoted is None:
        return None, len(field)
    return re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL), quoted.end()


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position
