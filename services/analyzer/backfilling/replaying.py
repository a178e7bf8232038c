"""Replays one run: holds what nobody else holds, and writes slice after slice."""

import asyncio
from collections import Counter as Counts
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from prometheus_client import Counter

from parley.backfilling.core import Pair
from parley.backfilling.runs import Run
from parley.backfilling.sources import LogSource, SegmentsSource, Source
from parley.db.errors import is_transient
from parley.db.pool import Pool
from parley.errors import UserError
from parley.log.admin import incarnation_of, topic_ends
from services.analyzer.backfilling.held import Held
from services.analyzer.backfilling.slices import (
    MOST_SEALS,
    NotRunning,
    OtherLog,
    ProgressLost,
    SliceStore,
    Wait,
)
from services.analyzer.known import Passes
from services.analyzer.settings import AnalyzerSettings

log = structlog.get_logger(__name__)

# How long others' partitions are left alone before they are asked for again.
IDLE_S: Final = 0.5
RETRY_S: Final = 2.0
LONGEST_WAIT_S: Final = 1.0

JOBS_ENQUEUED: Final = Counter(
    "parley_backfill_jobs_enqueued_total", "Jobs that backfills have inserted.", ["pass_name"]
)
SEALS_READ: Final = Counter(
    "parley_backfill_seals_read_total", "Records of the seals topic that backfills have passed."
)
WAITS: Final = Counter(
    "parley_backfill_waits_total",
    "Slices of backfills that waited, because of their rate, their concurrency, or a consumer "
    "that has still to read what they are about.",
    ["reason"],
)
SLICES_REFUSED: Final = Counter(
    "parley_backfill_slices_refused_total",
    "Slices without effect: another analyzer had taken the partition over.",
)


class Replay:
    """A run, as far as this process works on it."""

    def __init__(
        self,
        run: Run,
        slices: SliceStore,
        settings: AnalyzerSettings,
        pool: Pool,
        passes: Passes,
        ring: Callable[[], None],
    ) -> None:
        self._run = run
        self._slices = slices
        self._settings = settings
        self._pool = pool
        self._ring = ring
        self._passes = passes

    async def work(self, stop: asyncio.Event) -> None:
        """Until the run is enqueued, is to stand still, or `stop`; raises OtherLog."""
        while not stop.is_set():
            try:
                held = await self._slices.claim(self._run)
                if held is None:
                    return
                await self._replay(held, stop)
            except NotRunning:
                return
            except ProgressLost:
                SLICES_REFUSED.inc()
                log.warning("backfill_slice_refused", run_id=self._run.id)
            except UserError as error:
                log.warning("backfill_waits", run_id=self._run.id, problem=error.problem)
                await rest(stop, RETRY_S)
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("backfill_waits", run_id=self._run.id, error=type(error).__name__)
                await rest(stop, RETRY_S)

    async def _replay(self, held: Held, stop: asyncio.Event) -> None:
        await self._check_log(held)
        source = await self._source(held)
        try:
            await source.start()
            while not stop.is_set() and not await self._write_some(held, source, stop):
                pass
        finally:
            await source.stop()
            await self._let_go(held)

    async def _write_some(self, held: Held, source: Source, stop: asyncio.Event) -> bool:
        """One slice, or a wait for one; whether these partitions are done."""
        found = await source.peek(MOST_SEALS)
        if not found:
            await self._slices.finish(held)
            return True
        # Who began the run may have subscribed a tenant just before: what is not wanted as far as
        # this process knows is passed over for good.
        await self._passes.catch_up()
        written = await self._slices.write(held, found, self._passes.catalog)
        if isinstance(written, Wait):
            WAITS.labels(written.why).inc()
            await rest(stop, min(written.seconds, LONGEST_WAIT_S))
            return False
        source.drop(written.taken)
        self._count(written.taken, written.jobs)
        return written.is_over

    def _count(self, taken: int, jobs: Sequence[Pair]) -> None:
        SEALS_READ.inc(taken)
        for name, count in Counts(pair.one.name for pair in jobs).items():
            JOBS_ENQUEUED.labels(name).inc(count)
        if jobs:
            self._ring()

    async def _check_log(self, held: Held) -> None:
        """Raises OtherLog where the topic was made anew; passes over what it holds no more."""
        run = self._run
        if run.is_from_segments or run.topic is None:
            return
        if await incarnation_of(self._settings, run.topic) != held.incarnation:
            raise OtherLog
        ends = await topic_ends(self._settings, run.topic)
        lost = await self._slices.give_up_below(
            held, {one.partition: one.beginning for one in ends}
        )
        if lost:
            log.error("backfill_log_lost_its_beginning", run_id=run.id, seals=lost)

    async def _source(self, held: Held) -> Source:
        run = self._run
        assert run.topic is not None  # noqa: S101 - it is prepared
        if not run.is_from_segments:
            return LogSource(
                self._settings, run.topic, held.spans, newest_first=run.is_newest_first
            )
        assert run.prepared_at is not None  # noqa: S101 - the same
        ends = await topic_ends(self._settings, run.topic)
        return SegmentsSource(
            self._pool,
            run.prepared_at,
            len(ends),
            held.cursor,
            newest_first=run.is_newest_first,
        )

    async def _let_go(self, held: Held) -> None:
        try:
            await self._slices.release(held)
        except Exception as error:
            if not is_transient(error):
                raise
            # The lease runs out by itself.
            log.warning("backfill_not_released", run_id=held.run.id, error=type(error).__name__)


async def rest(stop: asyncio.Event, seconds: float) -> None:
    """Wait, unless it is time to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
