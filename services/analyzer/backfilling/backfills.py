"""Takes up the runs that people began: replays them, holds their jobs, and cancels them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from parley import clock
from parley.analyses import JobEndKind
from parley.backfilling.runs import Run, RunState, run_of
from parley.codec import Outgoing
from parley.db import outbox
from parley.db.errors import is_transient
from parley.db.fence import FenceKey
from parley.db.pool import Connection, Pool
from parley.db.sql import load
from parley.errors import UserError
from parley.log.admin import PartitionEnds, incarnation_of, topic_ends
from parley.topics import Topic
from services.analyzer import store
from services.analyzer.backfilling.replaying import Replay, rest
from services.analyzer.backfilling.slices import OtherLog, SliceStore
from services.analyzer.core.jobs import Attempt
from services.analyzer.core.outcomes import end_of
from services.analyzer.known import Passes
from services.analyzer.settings import AnalyzerSettings

log = structlog.get_logger(__name__)

_SQL: Final = load(__package__)
LOOK_EVERY_S: Final = 0.5
# Runs of which this process replays something at the same time; others wait for their turn.
MOST_RUNS: Final = 4
CANCELLED_AT_ONCE: Final = 500
CANCELLED: Final = "backfill_cancelled"
SPENT: Final = "its budget is spent"

RUNS: Final = Gauge(
    "parley_backfill_runs", "Backfills that are not over, the same for every analyzer.", ["state"]
)
SPENT_RUNS: Final = Gauge(
    "parley_backfill_spent_runs",
    "Backfills that are paused since their budget is spent, the same for every analyzer.",
)
SEALS_LEFT: Final = Gauge(
    "parley_backfill_seals_left",
    "Records (or stored segments) that backfills have still to pass, paused ones included: the "
    "same for every analyzer.",
)
ENDED: Final = Counter(
    "parley_backfill_runs_ended_total",
    "Backfills that this process found at their end: finished, cancelled, or stopped because "
    "they cannot go on.",
    ["end"],
)
# A series that has just appeared has not increased.
for _end in (RunState.FINISHED, RunState.CANCELLED, RunState.STOPPED):
    ENDED.labels(_end.value)


class Backfills:
    """The task of every analyzer that carries backfills out."""

    def __init__(
        self,
        settings: AnalyzerSettings,
        pool: Pool,
        passes: Passes,
        worker_id: str,
        ring_workers: Callable[[], None],
        ring_relay: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._passes = passes
        self._worker_id = worker_id
        self._ring_workers = ring_workers
        self._ring_relay = ring_relay
        self._slices = SliceStore(pool, settings.analyzer_lease, settings)
        self._replays: dict[str, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; what passes by itself is waited out, anything else is raised."""
        try:
            while not stop.is_set():
                try:
                    await self._look(stop)
                except UserError as error:
                    log.warning("backfills_wait", problem=error.problem)
                except Exception as error:
                    if not is_transient(error):
                        raise
                    log.warning("backfills_wait", error=type(error).__name__)
                await rest(stop, LOOK_EVERY_S)
        finally:
            await self._end_replays()

    async def _look(self, stop: asyncio.Event) -> None:
        rows = await self._pool.fetch(_SQL["working_runs"], 1_000)
        runs = [run_of(row) for row in rows]
        for state in (RunState.RUNNING, RunState.PAUSED, RunState.CANCELLING):
            RUNS.labels(state.value).set(sum(one.state is state for one in runs))
        SPENT_RUNS.set(sum(one.state is RunState.PAUSED and one.reason == SPENT for one in runs))
        SEALS_LEFT.set(await self._pool.fetchval(_SQL["count_seals_left"]) if runs else 0)
        self._collect_replays()
        for one in runs:
            await self.look_at(one, stop)

    async def look_at(self, run: Run, stop: asyncio.Event) -> None:
        """Do what the run's state asks for."""
        match run.state:
            case RunState.PAUSED:
                await self._pool.execute(_SQL["hold_jobs"], run.id)
            case RunState.CANCELLING:
                await self._cancel(run)
            case RunState.RUNNING if run.prepared_at is None:
                await self._prepare(run)
            case RunState.RUNNING:
                await self._go_on(run, stop)

    async def _go_on(self, run: Run, stop: asyncio.Event) -> None:
        freed = await self._pool.execute(_SQL["free_jobs"], run.id)
        if freed != "UPDATE 0":
            self._ring_workers()
        if run.enqueued_at is None:
            await self._pool.execute(_SQL["note_all_enqueued"], run.id)
        if run.id not in self._replays and len(self._replays) < MOST_RUNS and not run.enqueued_at:
            replay = Replay(
                run, self._slices, self._settings, self._pool, self._passes, self._ring_workers
            )
            self._replays[run.id] = asyncio.create_task(self._replay(run, replay, stop))
        if await self._pool.fetchval(_SQL["pause_spent_run"], run.id, SPENT):
            log.warning("backfill_paused", run_id=run.id, reason=SPENT)
            return
        parked = await self._pool.fetchval(_SQL["finish_run"], run.id)
        if parked is not None:
            ENDED.labels(RunState.FINISHED.value).inc()
            log.info("backfill_finished", run_id=run.id, parked=parked)

    async def _replay(self, run: Run, replay: Replay, stop: asyncio.Event) -> None:
        try:
            await replay.work(stop)
        except OtherLog:
            await self.stop(run, f"{run.topic} is not the log that it began with")

    async def stop(self, run: Run, reason: str) -> None:
        """End it where it is; the jobs that it has made are wanted all the same."""
        async with self._pool.acquire() as connection, connection.transaction():
            # After it nobody holds jobs of the run; nobody else would free them again.
            await connection.fetchrow(_SQL["lock_run"], run.id)
            if not await connection.fetchval(_SQL["stop_run"], run.id, reason):
                return
            await connection.execute(_SQL["free_jobs"], run.id)
        ENDED.labels(RunState.STOPPED.value).inc()
        log.error("backfill_stopped", run_id=run.id, reason=reason)

    def _collect_replays(self) -> None:
        """Let go of those that are done, and raise what one of them failed with."""
        for run_id, task in list(self._replays.items()):
            if task.done():
                del self._replays[run_id]
                task.result()

    async def _end_replays(self) -> None:
        """They see `stop` themselves, unless this one is cancelled."""
        for task in self._replays.values():
            task.cancel()
        await asyncio.gather(*self._replays.values(), return_exceptions=True)

    async def _prepare(self, run: Run) -> None:
        """Read up to where the run goes; of several analyzers that do it at once one counts."""
        topic = self._settings.topic(Topic.SEALS)
        incarnation = await incarnation_of(self._settings, topic)
        ends = await topic_ends(self._settings, topic)
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(_SQL["prepare_run"], run.id, topic):
                return
            if run.is_from_segments:
                count = await connection.fetchval(_COUNT_SEGMENTS, clock.now())
                ends = [PartitionEnds(0, 0, count)]
            await connection.execute(
                _SQL["insert_partitions"], run.id, incarnation, *_columns(run, ends)
            )
        log.info("backfill_began", run_id=run.id, topic=topic)

    async def _cancel(self, run: Run) -> None:
        """End what nobody is at, and tell of it; what somebody is at may still land."""
        partitions: set[int] = set()
        while ended := await self._cancel_some(run):
            partitions |= ended
        for partition in partitions:
            self._ring_relay(partition)
        if await self._pool.fetchval(_SQL["finish_cancelling"], run.id):
            ENDED.labels(RunState.CANCELLED.value).inc()
            log.info("backfill_cancelled", run_id=run.id)

    async def _cancel_some(self, run: Run) -> set[int]:
        async with self._pool.acquire() as connection, connection.transaction():
            # After it nobody inserts jobs of the run.
            await connection.fetchrow(_SQL["lock_run"], run.id)
            rows = await connection.fetch(_SQL["cancel_jobs"], run.id, CANCELLED_AT_ONCE, CANCELLED)
            return await self._publish(connection, [store.attempt_of(row) for row in rows])

    async def _publish(self, connection: Connection, attempts: list[Attempt]) -> set[int]:
        now = clock.now()
        by_partition: dict[int, list[Outgoing]] = defaultdict(list)
        for attempt in attempts:
            ended = end_of(attempt, JobEndKind.CANCELLED, CANCELLED, self._worker_id, now)
            source = attempt.job.segment.source_partition
            by_partition[source].append(store.to_outgoing(self._settings, ended))
        for partition, batch in sorted(by_partition.items()):
            key = FenceKey(store.CONSUMER, self._settings.topic(Topic.SEALS), partition)
            await outbox.enqueue(connection, key, batch)
        return set(by_partition)


_COUNT_SEGMENTS: Final = load("parley.backfilling")["count_segments"]


def _columns(run: Run, ends: list[PartitionEnds]) -> list[list[int]]:
    """Partitions, where they begin and end, where to go on, and what the log holds no more."""
    return [
        [one.partition for one in ends],
        [one.beginning for one in ends],
        [one.end for one in ends],
        [one.end if run.goes_down else one.beginning for one in ends],
        [one.beginning for one in ends],
    ]
