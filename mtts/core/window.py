"""Whether a router's maintenance window is open: `Sat 02:00-04:00`, `Mon-Fri 22:30-05:00, 12:00-13:00`.

A span without days is of every day; one that ends before it begins goes past midnight and belongs to the day on which
it begins. The inventory's schema has checked the form.
"""

from datetime import datetime, time, timedelta
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def is_open(window: str | None, now: datetime) -> bool:
    """Whether `now`, a local time, lies in one of the spans; always without a window."""
    return window is None or any(_holds(span.strip(), now) for span in window.split(","))


def _holds(span: str, now: datetime) -> bool:
    days, _, hours = span.rpartition(" ")
    begins, ends = (time.fromisoformat(text) for text in hours.split("-"))
    if begins < ends:
        return _is_on(days, now) and begins <= now.time() < ends
    yesterday = now - timedelta(days=1)
    return (_is_on(days, now) and now.time() >= begins) or (_is_on(days, yesterday) and now.time() < ends)


def _is_on(days: str, moment: datetime) -> bool:
    first, _, last = days.partition("-")
    if not first:
        return True
    begin, end, day = _DAYS.index(first), _DAYS.index(last or first), moment.weekday()
    return begin <= day <= end if begin <= end else day >= begin or day <= end
