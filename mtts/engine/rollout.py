"""Drives a rollout: wave after wave over a fleet, as the pure decision in core/rollout.py asks for.

Within a wave too a router is only begun while the failure budget lasts, so that what a bad release can reach beyond
it is what runs at that moment: `--parallel` routers. Every router gets results, those that are left out as well,
except those that a drain skips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult
from mtts.core.rollout import Finished, Rollout, Stopped, Wave, leave_out, next_wave, stopped_by, waiting_after
from mtts.engine.fleet import Fleet, Work, contained


async def roll_out(
    fleet: Fleet, routers: Sequence[Router], rollout: Rollout, work: Work, *, found: Mapping[str, Sequence[NodeResult]]
) -> list[NodeResult]:
    """The results of all routers in the order given; `work` swaps one of them.

    `found` holds what was found out about each by its name, which stays the result of those whose turn does not come.
    """
    by_name = {router.name: router for router in routers}
    so_far: list[NodeResult] = []

    async def while_budget_lasts(router: Router) -> Sequence[NodeResult]:
        stopped = stopped_by(rollout, len(routers), so_far)
        if stopped is not None:
            return leave_out(found[router.name], stopped)
        results = await contained(router, work)
        so_far.extend(results)
        return results

    async def run(names: Sequence[str]) -> list[NodeResult]:
        return await fleet.run([by_name[name] for name in names], while_budget_lasts)

    done: list[Wave] = []
    results: list[NodeResult] = []
    while True:
        match next_wave(rollout, list(by_name), done):
            case Wave() as wave:
                came = await run(wave.routers)
                done.append(replace(wave, results=tuple(came)))
                results += came
            case Stopped():
                return results + await run(waiting_after(list(by_name), done))
            case Finished():
                return results
