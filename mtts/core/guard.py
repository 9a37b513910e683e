"""The guard: a job on the router that swaps two containers by itself, and goes back unless it is told to stay.

It lives in the router's memory only and is found out about by the marks in the new container's comment (tag.py):
`armed=N`, written by a rehearsal, proves that the router runs it, that it outlives the session that started it, and
that it sees both containers as they are; N tells which attempt may act, so that one that was given up does nothing.
`tx=` in place of `next=` confirms; `abort` has it go back at once; `failed=WHY` says that it goes back, `back` that it
is done with that, and `restored` that the old container had to be given the state from before.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from mtts.core.changes import quote
from mtts.core.tag import Tag

OUTLIVE_S: Final = 3
"""How long a rehearsal waits before it leaves its mark: the session that started it is closed by then."""

UNHEALTHY: Final = "unhealthy"
"""The guard's word for a container that did not stay up; any other says nothing against the release."""

SIGKILL: Final = 9
"""Said with every kill: which signal it sends by itself is not known, and this one is handled by nothing."""

_TICKS_PER_S: Final = 5
_START_TICKS: Final = 50
_DYING_TICKS: Final = 25
_RETURN_TICK_S: Final = 2
RETURN_S: Final = 120.0
"""How long a guard that goes back tries to have the old container stay up, once the new one was told to stop."""

_SLOT = re.compile(r"\{\{([a-z]+)\}\}")
_ID = re.compile(r"\*[0-9A-Fa-f]+")


@dataclass(frozen=True, slots=True)
class GuardOrder:
    """Which containers a guard swaps, and for how long it waits."""

    transaction: str
    attempt: int
    old_id: str
    new_id: str
    staged: Tag
    """What the new container's comment says of it, without marks."""
    boots: bool
    """Whether the new container starts by itself once it is confirmed."""
    hands_over: bool
    """Whether the old container steps down then; one that is bridged over stays what boots."""
    stop_s: float
    patience_s: float
    """How long an unconfirmed container may run."""
    can_kill: bool = False
    """Whether the router's version has a command for that."""
    state_file: str | None = None
    """The node's identity, of which a copy is kept meanwhile; None where there is none on the router."""
    reserve_bytes: int = 0
    """What a copy leaves free of the flash."""


def longest_s(*, stop_s: float, patience_s: float) -> float:
    """How long a guard takes at most until it confirmed or went back."""
    return 2 * stop_s + patience_s + (_START_TICKS + _DYING_TICKS) / _TICKS_PER_S + RETURN_S


def render_guard(template: str, order: GuardOrder, *, is_rehearsal: bool) -> str:
    """The text of `guard.rsc` for one swap; ValueError for an id that is none."""
    for id_ in (order.old_id, order.new_id):
        if not _ID.fullmatch(id_):
            raise ValueError(f"{id_!r} is no id of a container")
    values: Mapping[str, str] = {
        "old": order.old_id,
        "new": order.new_id,
        "staged": _text(str(order.staged)),
        "armed": _text(f" armed={order.attempt}"),
        "confirmed": _text(f" tx={order.transaction}"),
        "boots": "yes" if order.boots else "no",
        "handover": "true" if order.hands_over else "false",
        "retired": _text(str(retired(order.staged))),
        "rehearsal": "true" if is_rehearsal else "false",
        "outlive": f"{OUTLIVE_S}s",
        "stop": str(max(1, round(order.stop_s * _TICKS_PER_S))),
        "kill": f"/container/kill $1 signal={SIGKILL}" if order.can_kill else "",
        "dying": str(_DYING_TICKS),
        "keeps": "false" if order.state_file is None else "true",
        "state": _text(order.state_file or ""),
        "copy": _text(copy_of(order.state_file or "")),
        "reserve": str(order.reserve_bytes),
        "start": str(_START_TICKS),
        "return": str(round(RETURN_S / _RETURN_TICK_S)),
        "patience": str(max(1, round(order.patience_s))),
    }
    return _SLOT.sub(lambda slot: values[slot[1]], template)


@dataclass(frozen=True, slots=True)
class BridgeOrder:
    """The container that a router without any is to end with."""

    transaction: str
    staged: Tag
    props: Mapping[str, str]
    """Of the entry, as they are added; `remote-image` and `comment` among them."""
    pinned: str
    """The image by digest."""
    replaced_id: str | None = None
    """The container that goes first, in place."""
    stop_s: float = 60


def render_bridge(template: str, order: BridgeOrder) -> str:
    """The text of `bridge.rsc` for one entry; ValueError for an id that is none."""
    if order.replaced_id is not None and not _ID.fullmatch(order.replaced_id):
        raise ValueError(f"{order.replaced_id!r} is no id of a container")
    settings = {prop: value for prop, value in order.props.items() if prop not in ("remote-image", "comment")}
    values: Mapping[str, str] = {
        "owned": _text(f"{order.staged}".split(maxsplit=1)[0]),
        "staged": _text(str(order.staged)),
        "mine": _text(f"={order.transaction} "),
        "replaced": order.replaced_id or '""',
        "stop": str(max(1, round(2 * order.stop_s))),
        "pinned": _text(order.pinned),
        "image": _text(order.props["remote-image"]),
        "settings": " ".join(f"{prop}={_text(value)}" for prop, value in settings.items()),
        "pause": "60s",
    }
    return _SLOT.sub(lambda slot: values[slot[1]], template)


def copy_of(state_file: str) -> str:
    """Where the copy of a node's state lies for the time of a swap."""
    return f"{state_file}.mtts"


def without_marks(tag: Tag) -> Tag:
    """A staged container's tag as it was when it was added."""
    return replace(tag, armed=None, failed=None, is_aborted=False, is_restored=False, is_back=False)


def retired(tag: Tag) -> Tag:
    """What is left of the tag of a container that is not the node any more."""
    return Tag(tag.node)


def _text(value: str) -> str:
    quoted = quote(value)
    return quoted if quoted.startswith('"') else f'"{quoted}"'
