"""The Store port on a database: small transactions, one at a time, away from the event loop.

Invariant: samples are never deleted, but to be replaced by the same node's in the same run.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mtts.adapters.store import rows, schema
from mtts.adapters.store.database import for_writing, open_database
from mtts.adapters.store.faults import damaged, translated
from mtts.adapters.store.place import Place
from mtts.core.flash import FlashSample
from mtts.core.image import Digest, Release
from mtts.core.ledger import KnownRelease, PastResult, PastRun, Quarantined, RecordedSample
from mtts.core.outcome import NodeResult, Outcome

Done = TypeVar("Done")

_UPSERTS: Final[dict[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

_FORGET_SAMPLES: Final = delete(schema.sample).where(
    schema.sample.c.run_id == bindparam("of_run"),
    schema.sample.c.router == bindparam("of_router"),
    schema.sample.c.node == bindparam("of_node"),
)
_FORGET_RESULTS: Final = delete(schema.result).where(
    schema.result.c.run_id == bindparam("of_run"),
    schema.result.c.router == bindparam("of_router"),
    schema.result.c.node == bindparam("of_node"),
)


class SqlStore:
    """The store at one place; open until `close`."""

    def __init__(self, place: Place) -> None:
        """Open it; StoreError where it cannot be, is damaged, or is newer than this version of mtts."""
        self._place = place
        self._engine = open_database(place)
        self._turn = asyncio.Lock()

    def close(self) -> None:
        self._engine.dispose()

    async def begin(self, run: PastRun) -> None:
        await self._write(lambda connection: connection.execute(insert(schema.run), rows.row_of_run(run)))

    async def record(self, run_id: str, results: Sequence[NodeResult]) -> None:
        keys = [{"of_run": run_id, "of_router": each.router, "of_node": each.node} for each in results]
        found = [rows.row_of_result(run_id, each) for each in results]
        samples = [rows.row_of_sample(run_id, each.node, taken) for each in results for taken in each.samples]

        def write(connection: Connection) -> None:
            connection.execute(_FORGET_SAMPLES, keys)
            connection.execute(_FORGET_RESULTS, keys)
            connection.execute(insert(schema.result), found)
            if samples:
                connection.execute(insert(schema.sample), samples)

        if results:
            await self._write(write)

    async def keep(self, run_id: str, samples: Sequence[FlashSample]) -> None:
        found = [rows.row_of_sample(run_id, schema.NOBODY, taken) for taken in samples]
        if found:
            await self._write(lambda connection: connection.execute(insert(schema.sample), found))

    async def finish(self, run_id: str, *, finished_s: float, exit_code: int) -> None:
        end = update(schema.run).where(schema.run.c.id == run_id).values(finished_s=finished_s, exit_code=exit_code)
        await self._write(lambda connection: connection.execute(end))

    async def history(self, routers: Sequence[str], *, limit: int) -> list[PastResult]:
        asked = (
            select(schema.result, schema.run)
            .join(schema.run, schema.result.c.run_id == schema.run.c.id)
            .where(schema.result.c.router.in_(routers))
            .order_by(schema.run.c.started_s.desc(), schema.run.c.id, schema.result.c.router, schema.result.c.node)
            .limit(limit)
        )
        return await self._read(asked, rows.past_result)

    async def step_to(self, router: str, node: str, digest: Digest) -> PastResult | None:
        result = schema.result.c
        asked = (
            select(schema.result, schema.run)
            .join(schema.run, result.run_id == schema.run.c.id)
            .where(result.router == router, result.node == node)
            .where(result.to_digest == str(digest), result.from_digest != str(digest))
            .where(result.outcome == str(Outcome.UPDATED), schema.run.c.command != "rollback")
            .order_by(schema.run.c.started_s.desc())
            .limit(1)
        )
        return next(iter(await self._read(asked, rows.past_result)), None)

    async def unfinished(self, *, limit: int) -> list[PastRun]:
        asked = (
            select(schema.run)
            .where(schema.run.c.finished_s.is_(None))
            .order_by(schema.run.c.started_s.desc(), schema.run.c.id)
            .limit(limit)
        )
        return await self._read(asked, rows.past_run)

    async def samples(self, routers: Sequence[str], *, since_s: float) -> list[RecordedSample]:
        own = (
            (schema.result.c.run_id == schema.sample.c.run_id)
            & (schema.result.c.router == schema.sample.c.router)
            & (schema.result.c.node == schema.sample.c.node)
        )
        asked = (
            select(schema.sample, schema.run, schema.result)
            .join(schema.run, schema.sample.c.run_id == schema.run.c.id)
            .outerjoin(schema.result, own)
            .where(schema.sample.c.router.in_(routers), schema.sample.c.taken_s >= since_s)
            .order_by(schema.sample.c.taken_s, schema.sample.c.id)
        )
        return await self._read(asked, rows.recorded_sample)

    async def remember(self, release: Release, *, seen_s: float) -> None:
        first = (
            self._upsert(schema.release).values(rows.row_of_release(release, seen_s=seen_s)).on_conflict_do_nothing()
        )
        await self._write(lambda connection: connection.execute(first))

    async def known_releases(self) -> list[KnownRelease]:
        return await self._read(select(schema.release).order_by(schema.release.c.first_seen_s), rows.known_release)

    async def quarantine(self, entry: Quarantined) -> None:
        row = rows.row_of_quarantined(entry)
        newest = (
            self._upsert(schema.quarantine)
            .values(row)
            .on_conflict_do_update(
                index_elements=["digest", "router"], set_={"reason": row["reason"], "since_s": row["since_s"]}
            )
        )
        await self._write(lambda connection: connection.execute(newest))

    async def lift(self, digest: Digest, *, router: str) -> None:
        gone = delete(schema.quarantine).where(
            schema.quarantine.c.digest == str(digest), schema.quarantine.c.router.in_((schema.NOBODY, router))
        )
        await self._write(lambda connection: connection.execute(gone))

    async def quarantined(self) -> list[Quarantined]:
        return await self._read(select(schema.quarantine).order_by(schema.quarantine.c.since_s), rows.quarantined)

    def _upsert(self, into: Any) -> Any:
        return _UPSERTS[self._engine.dialect.name](into)

    async def _write(self, change: Callable[[Connection], object]) -> None:
        def write() -> None:
            with translated(self._place), for_writing(self._engine).begin() as connection:
                change(connection)

        async with self._turn:
            await asyncio.to_thread(write)

    async def _read(self, asked: Select[Any], value_of: Callable[[rows.Found], Done]) -> list[Done]:
        def read() -> list[Done]:
            with translated(self._place), self._engine.connect() as connection:
                found = connection.execute(asked).mappings().all()
            try:
                return [value_of(row) for row in found]  # type: ignore[arg-type]  # a row's keys are its columns too
            except (ValueError, TypeError) as error:
                raise damaged(self._place, str(error)) from error

        async with self._turn:
            return await asyncio.to_thread(read)
