"""What to warn of in a router's flash: a leak, the floor, the budget, bad blocks."""

from collections.abc import Iterator, Sequence
from typing import Final

from mtts.core.errors import Problem
from mtts.core.flash import FlashDelta, FlashSample
from mtts.core.flash_forecast import Forecast
from mtts.core.flash_runs import LEAK_TOLERANCE_BYTES, RunCost
from mtts.core.inventory import Router
from mtts.core.units import day, mib, size
from mtts.core.wear import DAY_S

MONTH_S: Final = 30 * DAY_S


def flash_warnings(
    router: Router, samples: Sequence[FlashSample], runs: Sequence[RunCost], expected: Forecast
) -> Iterator[Problem]:
    """The worst first; `samples` and `runs` oldest first."""
    last = samples[-1] if samples else None
    if last is not None:
        yield from _bad_blocks(last, samples)
        yield from _floor(router, last, expected)
    yield from _leak(router, runs, last)


def budget_warning(router: Router, runs: Sequence[RunCost], *, now_s: float) -> Iterator[Problem]:
    """`runs` reach back a month at least."""
    budget = router.flash.budget_per_month
    written = sum(run.wrote_release and run.before.taken_s > now_s - MONTH_S for run in runs)
    if budget is not None and written > budget:
        yield Problem(
            "flash-budget-exceeded",
            f"{written} release{'' if written == 1 else 's'} written in the last 30 days; the budget is {budget}",
            "update it less often, or raise `flash: {budget: …}` in the inventory",
        )


def _bad_blocks(last: FlashSample, samples: Sequence[FlashSample]) -> Iterator[Problem]:
    if not last.bad_blocks_percent:
        return
    first = next(sample for sample in samples if sample.bad_blocks_percent is not None)
    rose = f", {first.bad_blocks_percent} % on {day(first.taken_s)}" if _rose(first, last) else ""
    yield Problem(
        "flash-bad-blocks", f"{last.bad_blocks_percent} % of the flash's blocks are bad{rose}", "plan to replace it"
    )


def _rose(first: FlashSample, last: FlashSample) -> bool:
    return (last.bad_blocks_percent or 0) > (first.bad_blocks_percent or 0)


def _floor(router: Router, last: FlashSample, expected: Forecast) -> Iterator[Problem]:
    """With a size unknown, the reserve alone is judged."""
    reserve, staged = router.flash.reserve_bytes, expected.staged_bytes or 0
    if last.free_bytes is None or last.free_bytes - staged >= reserve:
        return
    needed = f"the next release takes up to {mib(staged)}, and " if staged else ""
    yield Problem(
        "flash-near-floor",
        f"{mib(last.free_bytes)} are free; {needed}{mib(reserve)} stay in reserve",
        "free space on the router, or name another disk with `storage:`",
    )


def _leak(router: Router, runs: Sequence[RunCost], last_seen: FlashSample | None) -> Iterator[Problem]:
    """By what all judged runs together kept, and by the last one; space that came back since is no leak."""
    judged = [(run, run.unexplained_bytes) for run in runs if run.unexplained_bytes is not None]
    if not judged:
        return
    came_back = max(0, FlashDelta.between(judged[-1][0].after, last_seen).delta_bytes or 0) if last_seen else 0
    kept_bytes = sum(unexplained for _, unexplained in judged if unexplained is not None) - came_back
    of_the_last = (judged[-1][1] or 0) - came_back
    if max(kept_bytes, of_the_last) <= LEAK_TOLERANCE_BYTES:
        return
    leaking = [run for run, _ in judged if run.is_leak]
    last = leaking[-1] if leaking else judged[-1][0]
    bytes_lost = max(kept_bytes, last.unexplained_bytes or 0)
    which = f"{len(leaking)} of {_runs(len(judged))}" if leaking else f"{_runs(len(judged))} together"
    yield Problem(
        "flash-leak",
        f"{which} left {size(bytes_lost)} less free than the sizes of their releases explain;"
        f" the last on {day(last.after.taken_s)}",
        f'look for what should not be there: /file/print where name~"mtts" on {router.name}',
    )


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
