"""What a backfill would do, found by the same reading and the same judgement, and not done."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from parley import clock
from parley.backfilling.core import Pair, Standing, Tally, pairs_of, plan
from parley.backfilling.judging import judge, key_of
from parley.backfilling.order import Span
from parley.backfilling.request import BackfillRequest
from parley.backfilling.sources import LogSource, SegmentsSource, Source
from parley.db.pool import Pool
from parley.db.sql import load
from parley.errors import UserError
from parley.log.admin import PartitionEnds, topic_ends
from parley.passes.catalog import Catalog
from parley.settings import Settings
from parley.topics import Topic

_SQL: Final = load(__package__)
BATCH: Final = 500
PATIENCE_S: Final = 30.0
POLL_S: Final = 0.1
READERS: Final = ("persister-seals", "analyzer")
# A plan without a bound: nothing is written.
NO_BOUND: Final = 2**62


class Watch(Protocol):
    """Whom a dry run tells how far it is."""

    def begin(self, what: str, total: int | None) -> None:
        """Something begins that is so many records long."""

    def advance(self, count: int) -> None:
        """So many more are done."""


class Estimator(Protocol):
    """Says what jobs will cost."""

    async def add(self, jobs: Sequence[Pair]) -> None:
        """These would be made."""
        ...


@dataclass(slots=True)
class DryRun:
    """What was found. `lost` counts seals that the log holds no more.

    `seconds_each` is by pass what its newest verdicts took on average, where there are any.
    """

    tally: Tally = field(default_factory=Tally)
    jobs: int = 0
    jobs_by_pass: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    seconds_each: dict[str, float] = field(default_factory=dict)


async def dry_run(
    settings: Settings,
    pool: Pool,
    request: BackfillRequest,
    catalog: Catalog,
    watch: Watch,
    estimator: Estimator | None = None,
) -> DryRun:
    """Read all that the run would read; raises UserError."""
    request.check()
    topic = settings.topic(Topic.SEALS)
    ends = await topic_ends(settings, topic)
    await _until_read(pool, topic, ends)
    source, total = await _source(settings, pool, request, topic, ends)
    found = DryRun(lost=0 if request.is_from_segments else sum(one.beginning for one in ends))
    watch.begin("looking", total)
    try:
        await source.start()
        await _look(pool, source, request, catalog, found, watch, estimator)
    finally:
        await source.stop()
    rows = await pool.fetch(_SQL["seconds_each"], [one.name for one in request.passes])
    found.seconds_each = {row["pass_name"]: row["seconds"] for row in rows}
    return found


async def _look(
    pool: Pool,
    source: Source,
    request: BackfillRequest,
    catalog: Catalog,
    found: DryRun,
    watch: Watch,
    estimator: Estimator | None,
) -> None:
    made: set[int] = set()
    left = request.limit
    while records := await source.peek(BATCH):
        pairs = pairs_of(records, request.passes, request.filters, catalog)
        judged = _without(made, await judge(pool, pairs, ""))
        planned = plan(records, judged, NO_BOUND, left)
        made.update(hash(key_of(pair)) for pair in planned.jobs)
        _add(found, planned.tallies.values(), planned.jobs)
        if estimator is not None:
            await estimator.add(planned.jobs)
        left = None if left is None else left - len(planned.jobs)
        source.drop(planned.taken)
        watch.advance(planned.taken)
        if planned.is_last:
            return


def _without(
    made: set[int], judged: Sequence[tuple[Pair, Standing]]
) -> list[tuple[Pair, Standing]]:
    """A seal that lies in the log twice makes no second job: the run would find its own."""
    return [
        (pair, Standing.OWN if hash(key_of(pair)) in made else standing)
        for pair, standing in judged
    ]


def _add(found: DryRun, tallies: Iterable[Tally], jobs: Sequence[Pair]) -> None:
    for tally in tallies:
        found.tally.add(tally)
    found.jobs += len(jobs)
    for pair in jobs:
        found.jobs_by_pass[pair.one.name] = found.jobs_by_pass.get(pair.one.name, 0) + 1


async def _source(
    settings: Settings,
    pool: Pool,
    request: BackfillRequest,
    topic: str,
    ends: Sequence[PartitionEnds],
) -> tuple[Source, int]:
    newest_first = request.is_newest_first
    if request.is_from_segments:
        now = clock.now()
        count = await pool.fetchval(_SQL["count_segments"], now)
        return SegmentsSource(pool, now, len(ends), None, newest_first=newest_first), count
    spans = {one.partition: Span(one.beginning, one.end) for one in ends}
    if not request.is_ordered:
        newest_first = False
    source = LogSource(settings, topic, spans, newest_first=newest_first)
    return source, sum(one.end - one.beginning for one in ends)


async def _until_read(pool: Pool, topic: str, ends: Sequence[PartitionEnds]) -> None:
    """Wait until the tables know all seals: what is current would be another thing else."""
    until = clock.monotonic() + PATIENCE_S
    while behind := await _behind(pool, topic, ends):
        if clock.monotonic() > until:
            raise UserError(
                f"{behind} has still to read {topic}, so nobody knows yet what is covered.",
                "See with `parley status` how far it is, and run the command again.",
            )
        await asyncio.sleep(POLL_S)


async def _behind(pool: Pool, topic: str, ends: Sequence[PartitionEnds]) -> str | None:
    rows: list[Any] = await pool.fetch(_SQL["passed_seals"], topic, list(READERS))
    read = {(row["consumer"], row["partition"]): row["next_offset"] for row in rows}
    for consumer in READERS:
        if any(read.get((consumer, one.partition), 0) < one.end for one in ends):
            return consumer
    return None
