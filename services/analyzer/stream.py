"""Reads the seals topic: a seal makes a job for each pass that is due, and ends stale ones."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from prometheus_client import Counter

from parley import clock
from parley.analyses import JobEndKind
from parley.codec import InvalidRecord, LogRecord, decode_seal
from parley.db import outbox
from parley.db.fence import Fence, FenceKey
from parley.db.pool import Connection
from parley.log.consumer import Batch
from parley.position import Position
from parley.seals import SegmentSealed
from services.analyzer import store
from services.analyzer.core.jobs import (
    Attempt,
    Job,
    Stale,
    facts_of,
    jobs_of,
    segment_of,
    stale_after,
)
from services.analyzer.core.outcomes import end_of
from services.analyzer.known import Passes
from services.analyzer.metrics import JOBS_ENDED
from services.analyzer.settings import AnalyzerSettings

log = structlog.get_logger(__name__)

SEALS_SKIPPED: Final = Counter(
    "parley_analyzer_seals_skipped_total",
    "Records of the seals topic that are no valid seals; the persister keeps them whole.",
    ["reason"],
)


@dataclass(frozen=True, slots=True)
class _Found:
    """A seal, when it was appended, and where it lies; a copy also where it lay first."""

    sealed: SegmentSealed
    sealed_at: datetime
    places: tuple[Position, ...]


@dataclass(slots=True)
class SealsWork:
    """What a batch of seals does; `superseded` is known once it is written."""

    source: FenceKey
    decided_at: datetime
    jobs: list[Job] = field(default_factory=list)
    stale: list[Stale] = field(default_factory=list)
    superseded: list[tuple[Attempt, str]] = field(default_factory=list)


class SealsHandler:
    """Writes jobs under the fence of the seals topic, and rings `bell` for the workers."""

    def __init__(
        self,
        settings: AnalyzerSettings,
        passes: Passes,
        bell: asyncio.Event,
        worker_id: str,
    ) -> None:
        self._settings = settings
        self._passes = passes
        self._bell = bell
        self._worker_id = worker_id

    async def claimed(self, claim: Fence) -> None:
        """Nothing is kept in memory for a partition."""

    def released(self, partition: int) -> None:
        """Nothing is kept in memory for a partition."""

    async def prepare(self, batch: Batch) -> SealsWork:
        """Decide which jobs there are to be, and which no longer.

        Who enables a pass says so in the log, and reads the ends of the seals topic after that. So
        who has a seal from beyond those ends, and then reads that log up to its end, knows of it.
        """
        await self._passes.catch_up()
        work = SealsWork(batch.fence.key, clock.now())
        for record in batch.records:
            found = _read(record, batch.fence.incarnation)
            if found is not None:
                segment = segment_of(found.sealed, record.partition, found.sealed_at)
                due = self._passes.catalog.due(facts_of(found.sealed), found.places)
                work.jobs += jobs_of(segment, due.passes)
                work.stale += stale_after(found.sealed)
        return work

    async def apply(self, connection: Connection, work: SealsWork) -> None:
        """Insert first: a revision may be made stale by a later one of the same batch."""
        await store.insert_jobs(connection, work.jobs)
        work.superseded = await store.end_stale(connection, work.stale)
        ends = [
            end_of(attempt, JobEndKind.SUPERSEDED, reason, self._worker_id, work.decided_at)
            for attempt, reason in work.superseded
        ]
        records = [store.to_outgoing(self._settings, ended) for ended in ends]
        await outbox.enqueue(connection, work.source, records)

    async def committed(self, work: SealsWork) -> None:
        """Wake the workers."""
        for attempt, reason in work.superseded:
            JOBS_ENDED.labels(attempt.job.pass_name, "superseded", reason).inc()
        if work.jobs:
            self._bell.set()


def _read(record: LogRecord, incarnation: str) -> _Found | None:
    """The record's sealed segment; None for what makes no jobs."""
    try:
        seal, sealed_at, source = decode_seal(record.value), record.append_time(), record.source()
    except InvalidRecord as error:
        SEALS_SKIPPED.labels(error.reason).inc()
        log.warning(
            "seal_skipped", partition=record.partition, offset=record.offset, reason=error.reason
        )
        return None
    if not isinstance(seal, SegmentSealed):
        return None
    place = Position(incarnation, record.partition, record.offset)
    return _Found(seal, sealed_at, (place,) if source is None else (place, source))
