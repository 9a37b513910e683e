"""What is kept comes back as it was, on both databases."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from mtts.adapters.store.store import SqlStore
from mtts.core.errors import Problem, StoreError
from mtts.core.flash import Moment
from mtts.core.ledger import KnownRelease, PastResult, Quarantined, RecordedSample
from mtts.core.outcome import NodeResult, Outcome
from tests.adapters.store.examples import NEW, OLD, PROBLEM, release, result, run, sample


def past(of: NodeResult, run_id: str = "run1") -> PastResult:
    """What the store says of a result of a run that goes on."""
    return PastResult(
        run=run(run_id),
        router=of.router,
        node=of.node,
        outcome=str(of.outcome),
        strategy=of.strategy,
        from_version=of.from_version,
        to_version=of.to_version,
        from_digest=of.from_digest,
        to_digest=of.to_digest,
        downtime_s=of.downtime_s,
        evidence=of.evidence,
        code=of.problem.code if of.problem else None,
        message=of.problem.message if of.problem else None,
    )


async def test_a_result_comes_back_as_it_was_recorded_in_another_opening(opened: Callable[[], SqlStore]) -> None:
    store, kept = opened(), result(outcome=Outcome.BROKEN)
    await store.begin(run())
    await store.record("run1", [kept])
    store.close()

    assert await opened().history(["router1"], limit=9) == [past(kept)]
    assert kept.problem == PROBLEM


async def test_a_result_of_nothing_but_its_outcome_comes_back_with_none_for_the_rest(store: SqlStore) -> None:
    kept = NodeResult("router1", "tailscale", Outcome.NO_OP)
    await store.begin(run())
    await store.record("run1", [kept])

    assert await store.history(["router1"], limit=9) == [past(kept)]
    assert await store.samples(["router1"], since_s=0) == []


async def test_the_end_of_a_run_is_told_with_its_results(store: SqlStore) -> None:
    await store.begin(run())
    await store.record("run1", [result()])
    assert await store.unfinished(limit=9) == [run()]

    await store.finish("run1", finished_s=1060.5, exit_code=5)

    (found,) = await store.history(["router1"], limit=9)
    assert found.run == replace(run(), finished_s=1060.5, exit_code=5)
    assert await store.unfinished(limit=9) == []


async def test_recording_again_replaces_the_same_nodes_and_no_others(store: SqlStore) -> None:
    first, other = result(), result(node="web")
    await store.begin(run())
    await store.begin(run("run2"))
    await store.record("run1", [first, other])
    await store.record("run2", [first])
    settled = replace(first, samples=(*first.samples, sample(moment=Moment.SETTLED, taken_s=1070)))

    await store.record("run1", [settled])

    kept = await store.samples(["router1"], since_s=0)
    assert [(each.run.run_id, each.node, each.sample.moment) for each in kept if each.run.run_id == "run2"] == [
        ("run2", "tailscale", Moment.BEFORE),
        ("run2", "tailscale", Moment.COMMITTED),
    ]
    own = [each.sample for each in kept if (each.run.run_id, each.node) == ("run1", "tailscale")]
    assert tuple(own) == settled.samples
    assert len([each for each in kept if each.node == "web"]) == 2


async def test_samples_come_oldest_first_with_their_run_and_result(store: SqlStore) -> None:
    await store.begin(run())
    await store.keep("run1", [sample(moment=Moment.REPORT, taken_s=5.0), sample("router2", taken_s=6.0)])
    await store.record("run1", [result()])

    found = await store.samples(["router1"], since_s=5.0)

    before, after = result().samples
    assert found == [
        RecordedSample(run(), "", sample(moment=Moment.REPORT, taken_s=5.0)),
        RecordedSample(run(), "tailscale", before, past(result())),
        RecordedSample(run(), "tailscale", after, past(result())),
    ]
    assert [each.sample.taken_s for each in await store.samples(["router1"], since_s=5.1)] == [1001.5, 1002.5]


async def test_history_is_newest_first_for_the_routers_asked_for_and_no_longer_than_asked(store: SqlStore) -> None:
    for number in range(4):
        await store.begin(run(f"run{number}", started_s=1000.0 + number))
        await store.record(f"run{number}", [result("b"), result("a"), result("c")])

    found = await store.history(["a", "b"], limit=3)

    assert [(each.run.run_id, each.router) for each in found] == [("run3", "a"), ("run3", "b"), ("run2", "a")]
    assert await store.history([], limit=3) == []


async def test_the_first_sight_of_a_release_counts(store: SqlStore) -> None:
    await store.remember(release(), seen_s=7.0)
    await store.remember(release(tag="other"), seen_s=9.0)
    await store.remember(release(OLD, version=None), seen_s=3.0)

    oldest, newer = await store.known_releases()

    assert (oldest.manifest_digest, oldest.version, oldest.first_seen_s) == (OLD, None, 3.0)
    assert newer == KnownRelease(
        image="registry.example.net/team/mikrotik-tailscale",
        platform=release().platform,
        manifest_digest=NEW,
        index_digest=None,
        config_digest=OLD,
        version="1.1",
        compressed_bytes=5 << 20,
        extracted_bytes=2**33,
        first_seen_s=7.0,
    )


async def test_a_digest_is_quarantined_for_a_router_or_for_the_fleet_until_it_is_lifted(store: SqlStore) -> None:
    entries = [Quarantined(NEW, None, "crashed", 5.0), Quarantined(NEW, "router1", "went back", 6.0)]
    for entry in (*entries, Quarantined(OLD, None, "older", 1.0)):
        await store.quarantine(entry)
    await store.quarantine(replace(entries[0], reason="crashed again", since_s=7.0))

    assert await store.quarantined() == [
        Quarantined(OLD, None, "older", 1.0),
        entries[1],
        Quarantined(NEW, None, "crashed again", 7.0),
    ]

    await store.lift(NEW, router="router2")
    assert [entry for entry in await store.quarantined() if entry.digest == NEW] == [entries[1]]
    await store.lift(NEW, router="router1")
    assert [entry.digest for entry in await store.quarantined()] == [OLD]


async def test_hostile_text_is_kept_as_it_can_be_shown(store: SqlStore) -> None:
    text = "nul \0 escape \x1b[31m surrogate \udc80 override \u202e end\nline"
    hostile = replace(result(), from_version=text, evidence=text, problem=Problem("command-trapped", text))
    await store.begin(run())
    await store.record("run1", [hostile])

    (found,) = await store.history(["router1"], limit=1)

    assert found.message == found.evidence == found.from_version == "nul escape surrogate override end line"


async def test_many_results_are_recorded_side_by_side(store: SqlStore) -> None:
    await store.begin(run())
    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(store.record("run1", [result(f"router{number:02}")]))

    names = [f"router{number:02}" for number in range(40)]
    assert [each.router for each in await store.history(names, limit=99)] == names
    assert len(await store.samples(names, since_s=0)) == 80


async def test_a_result_of_a_run_that_never_began_is_refused(store: SqlStore) -> None:
    with pytest.raises(StoreError) as refused:
        await store.record("nobody", [result()])

    assert refused.value.problem.code == "store-unusable"
    assert await store.history(["router1"], limit=9) == []
