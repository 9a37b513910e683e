"""When a maintenance window is open."""

from datetime import datetime

import pytest

from mtts.core.window import is_open

MONDAY = "2026-11-16"


@pytest.mark.parametrize(
    ("window", "moment", "is_inside"),
    [
        (None, f"{MONDAY} 12:00", True),
        ("02:00-04:00", f"{MONDAY} 02:00", True),
        ("02:00-04:00", f"{MONDAY} 03:59", True),
        ("02:00-04:00", f"{MONDAY} 04:00", False),
        ("Sat 02:00-04:00", "2026-11-21 03:00", True),
        ("Sat 02:00-04:00", "2026-11-22 03:00", False),
        ("Mon-Fri 22:30-05:00", f"{MONDAY} 23:00", True),
        ("Mon-Fri 22:30-05:00", f"{MONDAY} 04:00", False),  # it would have begun on Sunday
        ("Mon-Fri 22:30-05:00", "2026-11-21 04:00", True),  # it began on Friday
        ("Mon-Fri 22:30-05:00", "2026-11-21 23:00", False),
        ("Fri-Mon 10:00-11:00", "2026-11-22 10:30", True),
        ("Fri-Mon 10:00-11:00", "2026-11-18 10:30", False),
        ("Sat 02:00-04:00, 12:00-13:00", f"{MONDAY} 12:30", True),
        ("Sat 02:00-04:00,12:00-13:00", f"{MONDAY} 02:30", False),
    ],
)
def test_a_window_is_open_within_its_spans(window: str | None, moment: str, is_inside: bool) -> None:
    assert is_open(window, datetime.fromisoformat(moment)) is is_inside
