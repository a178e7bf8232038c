"""Writes a slice of a backfill: its jobs and its progress, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from parley import clock, ids
from parley.analyses import JobReopened, JobTrigger, Lane
from parley.backfilling.core import Found, Pair, Plan, Tally, pairs_of, plan
from parley.backfilling.judging import judge, key_of
from parley.backfilling.order import Span, places_after
from parley.backfilling.runs import Run, RunState
from parley.backfilling.sources import cursor_of
from parley.db.pool import Connection, Pool
from parley.db.sql import load
from parley.passes.catalog import Catalog
from parley.settings import Settings
from services.analyzer import store
from services.analyzer.backfilling.held import (
    Held,
    Unfinished,
    counted_in,
    held_of,
    is_at_end,
    take_over,
)
from services.analyzer.core.jobs import Attempt, Job, segment_of

_SQL: Final = load(__package__)

PERSISTER: Final = "persister-seals"
# Seals of one transaction. A live seal of the same partition waits until it is written.
MOST_SEALS: Final = 200
MOST_JOBS: Final = 500


class ProgressLost(Exception):
    """Somebody else moved the partition, or holds it: nothing was written."""


class NotRunning(Exception):
    """The run was paused, cancelled or is over: nothing was written."""


class OtherLog(Exception):
    """The topic is not the one that the run began with: its offsets mean nothing here."""


@dataclass(frozen=True, slots=True)
class Written:
    """So many records were passed, and so many jobs are there."""

    taken: int
    jobs: Sequence[Pair]
    is_over: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing was written: there is no room yet."""

    seconds: float
    why: str


class SliceStore:
    """The rows of runs, as the replaying process sees them."""

    def __init__(self, pool: Pool, lease: timedelta, settings: Settings) -> None:
        self._settings = settings
        self._pool = pool
        self._lease = lease

    async def claim(self, run: Run) -> Held | None:
        """Take a partition that nobody holds, or all of them where they are read together."""
        token = ids.random_id()
        async with self._pool.acquire() as connection, connection.transaction():
            locked = await connection.fetchrow(_SQL["lock_run"], run.id)
            if locked["state"] != RunState.RUNNING:
                return None
            left = await connection.fetchval(_SQL["count_open_partitions"], run.id)
            most = left if run.is_ordered else 1
            rows = await connection.fetch(
                _SQL["claim_partitions"], run.id, most, token, self._lease
            )
            if run.is_ordered and len(rows) < left:
                # Somebody holds some of them, and so it will be all soon.
                await connection.execute(_SQL["release_partitions"], run.id, token)
                return None
        return held_of(run, token, rows) if rows else None

    async def release(self, held: Held) -> None:
        """Let others have them."""
        await self._pool.execute(_SQL["release_partitions"], held.run.id, held.token)

    async def give_up_below(self, held: Held, beginnings: Mapping[int, int]) -> int:
        """Pass over what the log holds no more, and count it; raises ProgressLost."""
        lost = 0
        for number, span in held.spans.items():
            beginning = min(max(span.begin, beginnings.get(number, 0)), span.end)
            gone = beginning - span.begin
            if gone:
                await self._give_up(held, number, beginning, gone)
                lost += gone
        return lost

    async def write(self, held: Held, found: Sequence[Found], catalog: Catalog) -> Written | Wait:
        """Insert the jobs of as many records as there is room for, and move the progress.

        A crash before the COMMIT costs nothing; raises ProgressLost, NotRunning and OtherLog.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_SQL["lock_run"], held.run.id)
            if row["state"] != RunState.RUNNING:
                raise NotRunning(row["state"])
            room = await self._room(connection, held, row)
            wait = room if isinstance(room, Wait) else await self._lag(connection, held, found)
            if wait is not None:
                await connection.execute(
                    _SQL["extend_partitions"], held.run.id, held.token, self._lease
                )
                return wait
            assert isinstance(room, int)  # noqa: S101 - by the line above
            left = None
            if row["job_limit"] is not None:
                left = row["job_limit"] - row["enqueued_count"]
            pairs = pairs_of(found, held.run.passes, held.run.filters, catalog)
            judged = await judge(connection, pairs, held.run.id)
            planned = plan(found, judged, room, left)
            reopened = await insert(connection, held.run, planned.jobs)
            await store.publish(connection, self._settings, reopened)
            moved = await self._advance(connection, held, found[: planned.taken], planned)
            await connection.execute(_SQL["note_enqueued"], held.run.id, len(planned.jobs))
            if planned.is_last:
                await connection.execute(_SQL["finish_partitions"], held.run.id, held.token)
        take_over(held, moved, planned)
        is_over = planned.is_last or all(span.is_empty for span in held.spans.values())
        return Written(planned.taken, planned.jobs, is_over)

    async def finish(self, held: Held) -> None:
        """Everything that was to be read was read."""
        await self._pool.execute(_SQL["finish_partitions"], held.run.id, held.token)

    async def _room(self, connection: Connection, held: Held, row: Any) -> int | Wait:
        """How many jobs may be inserted now, at least those of one segment.

        Unfinished ones are counted anew only where there might be no room: to count thousands of
        them for each slice would take longer than the slice.
        """
        if row["paced_s"] > 0:
            return Wait(row["paced_s"], "rate")
        run, enqueued, concurrency = held.run, row["enqueued_count"], row["concurrency"]
        most = MOST_JOBS if run.rate is None else min(MOST_JOBS, max(1, int(run.rate)))
        most = max(most, len(run.passes))
        if held.counted is None or concurrency - held.counted.at_most(enqueued) < most:
            unfinished = await connection.fetchval(_SQL["count_unfinished"], run.id)
            held.counted = Unfinished(unfinished, enqueued)
        room = min(concurrency - held.counted.at_most(enqueued), most)
        return Wait(0.1, "concurrency") if room < len(run.passes) else room

    async def _lag(self, connection: Connection, held: Held, found: Sequence[Found]) -> Wait | None:
        """Whether what is current is not known yet.

        The analyzer has to have read these seals, and the persister all that the analyzer has:
        else a later revision that is applied already would not show.
        """
        if held.run.is_from_segments:
            return None
        topic, wanted = held.run.topic, sorted({one.partition for one in found})
        fences = await connection.fetch(_SQL["lock_fences"], store.CONSUMER, topic, wanted)
        if any(row["incarnation"] != held.incarnation for row in fences):
            raise OtherLog
        read = {row["partition"]: row["next_offset"] for row in fences}
        rows = await connection.fetch(_SQL["read_fences"], PERSISTER, topic, wanted)
        stored = {row["partition"]: row["next_offset"] for row in rows}
        last = {one.partition: one.offset for one in found}
        for one in found:
            last[one.partition] = max(last[one.partition], one.offset)
        for partition in wanted:
            if read.get(partition, 0) <= last[partition]:
                return Wait(0.1, "analyzer")
            if stored.get(partition, 0) < read[partition]:
                return Wait(0.05, "persister")
        return None

    async def _advance(
        self, connection: Connection, held: Held, taken: Sequence[Found], planned: Plan
    ) -> dict[int, int]:
        """Move the partitions of these records; raises ProgressLost."""
        if held.run.is_from_segments:
            number = held.expected[0] + len(taken)
            moved = {0: number} if taken else {}
        else:
            moved = dict(places_after(taken, newest_first=held.run.is_newest_first))
        cursor = cursor_of(taken[-1]) if held.run.is_from_segments and taken else None
        for partition, place in sorted(moved.items()):
            tally = Tally.from_json(held.tallies[partition].to_json())
            tally.add(counted_in(held, planned, partition))
            status = await connection.execute(
                _SQL["advance_partition"],
                *held.key(partition),
                place,
                cursor,
                orjson.dumps(tally.to_json()).decode(),
                is_at_end(held, partition, place),
                self._lease,
            )
            if status != "UPDATE 1":
                raise ProgressLost(partition)
        return moved

    async def _give_up(self, held: Held, number: int, beginning: int, gone: int) -> None:
        span, newest_first = held.spans[number], held.run.is_newest_first
        place = span.end if newest_first else beginning
        status = await self._pool.execute(
            _SQL["give_up_below"],
            *held.key(number),
            beginning,
            newest_first,
            place,
            gone,
            beginning >= span.end,
        )
        if status != "UPDATE 1":
            raise ProgressLost(number)
        held.spans[number] = Span(beginning, span.end)
        held.expected[number] = place


async def insert(
    connection: Connection, run: Run, pairs: Sequence[Pair]
) -> list[tuple[int, JobReopened]]:
    """Write the jobs; those that a cancelled backfill has left behind are opened again.

    Returns what the log is to be told of these, by the partitions of their seals.
    """
    if not pairs:
        return []
    await store.insert_jobs(connection, [job_of(run, pair) for pair in pairs])
    key = zip(*map(key_of, pairs), strict=True)
    priorities = [pair.one.priority for pair in pairs]
    fingerprints = [pair.one.fingerprint for pair in pairs]
    rows = await connection.fetch(_SQL["reopen_jobs"], *key, run.id, priorities, fingerprints)
    now = clock.now()
    return [
        (row["source_partition"], _reopened(store.attempt_of(row), run.id, now)) for row in rows
    ]


def _reopened(attempt: Attempt, run_id: str, now: datetime) -> JobReopened:
    return JobReopened(
        attempt.job.ref,
        attempt.generation,
        attempt.attempt_count,
        JobTrigger.BACKFILL,
        f"backfill {run_id}",
        now,
    )


def job_of(run: Run, pair: Pair) -> Job:
    """The job of a pair, in the lane of backfills."""
    segment = segment_of(pair.sealed, pair.found.partition, pair.found.sealed_at)
    return Job(
        segment,
        pair.one.name,
        pair.one.version,
        pair.one.fingerprint,
        JobTrigger.BACKFILL,
        Lane.BACKFILL,
        pair.one.priority,
        run.id,
    )
