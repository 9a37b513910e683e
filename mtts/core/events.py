"""What the engine tells while it works; rendering it is report/'s business."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    STARTED = "started"
    STEP = "step"
    WAITING = "waiting"
    SETTLING = "settling"
    """The work is done; its last flash sample is due later."""
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, or began, on one router."""

    kind: Kind
    router: str
    node: str
    text: str


Emit = Callable[[Event], None]
