"""What the persister does with a batch: parse, write, dead-letter and count, all or nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar, cast

import structlog

from parley import clock, metrics
from parley.codec import InvalidRecord, LogRecord, Outgoing
from parley.db.fence import Fence
from parley.db.outbox import enqueue
from parley.db.pool import Connection, Pool
from parley.log.consumer import Batch, PartitionStopped
from services.persister.core.bad_records import BadLimits, problem, remembered
from services.persister.core.rows import Received
from services.persister.core.tallies import Outcomes, Tally, by_minute, minute_of, stored_by_minute
from services.persister.metrics import (
    LEDGER_RESIDUE,
    RECEIPT_TO_ROW,
    RECORDS,
    STORED_THOUGH_REFUSED,
    forget_partition,
)
from services.persister.store.accounts import (
    SERVICE,
    DeadLetter,
    add_to_ledger,
    insert_dead_letters,
    not_dead_letters,
    recent_bad_offsets,
    refused_before,
    refused_in_former_incarnations,
)
from services.persister.stream.reading import ReadAll
from services.persister.stream.refusals import (
    CONFLICT,
    REFUSED,
    dead_letter_record,
    rejection,
)
from services.persister.stream.rejections import Rejections, concerns
from services.persister.stream.writing import Placed, Tables, Written, write_or_bisect

log = structlog.get_logger(__name__)

# A few milliseconds of parsing.
RECORDS_AT_A_STRETCH: Final = 400

Item = TypeVar("Item", bound=Placed)


@dataclass(frozen=True, slots=True)
class Work(Generic[Item]):
    """A batch, parsed."""

    batch: Batch
    items: Sequence[Item]
    invalid: Sequence[DeadLetter]
    not_for_table_count: int
    # Records of former batches that this one says were refused when they were read first.
    refused_earlier: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Applied:
    """What a batch's last transaction did, to be believed once it is committed."""

    tally: Tally
    letters: Sequence[DeadLetter]
    bad_offsets: Sequence[int]
    residue: int


class PersisterHandler(Generic[Item]):
    """Fills the tables of one topic. Everything that it writes is in the fence's transaction."""

    def __init__(
        self,
        read: ReadAll[Item],
        tables: Tables[Item],
        pool: Pool,
        limits: BadLimits,
        dead_letters_topic: str,
    ) -> None:
        self._read = read
        self._tables = tables
        self._pool = pool
        self._limits = limits
        self._dead_letters_topic = dead_letters_topic
        # By partition: the bad offsets before its fence, as far back as the limits look.
        self._bad: dict[int, Sequence[int]] = {}
        self._applied: dict[int, _Applied] = {}
        self._rejections: dict[int, Rejections] = {}
        # By partition: the topic, to stop exporting it once it is released.
        self._topics: dict[int, str] = {}
        # Two batches that are parsed by turns are done at once, and wait for the tables together.
        self._parsing = asyncio.Lock()

    async def claimed(self, claim: Fence) -> None:
        """Recall the partition's bad records: a restart must not forget that they come in a row,
        nor a replay what was refused when it was read first.
        """
        self._topics[claim.key.partition] = claim.key.topic
        first_offset = claim.next_offset - self._limits.reach
        self._bad[claim.key.partition] = await recent_bad_offsets(
            self._pool, claim, first_offset, not_counted=CONFLICT
        )
        known = await refused_before(self._pool, claim, REFUSED)
        elsewhere = await refused_in_former_incarnations(self._pool, claim, REFUSED)
        self._rejections[claim.key.partition] = Rejections(known, elsewhere)

    async def prepare(self, batch: Batch) -> Work[Item]:
        """Parse the records, of one batch after the other; the invalid ones are put aside."""
        async with self._parsing:
            return await self._parse(batch)

    async def _parse(self, batch: Batch) -> Work[Item]:
        items: list[Item] = []
        invalid: list[DeadLetter] = []
        for first in range(0, len(batch.records), RECORDS_AT_A_STRETCH):
            # Heartbeats, health and other partitions' transactions want their turn.
            await asyncio.sleep(0)
            records = batch.records[first : first + RECORDS_AT_A_STRETCH]
            for record, read in zip(
                records, self._read(records, batch.fence.incarnation), strict=True
            ):
                if isinstance(read, InvalidRecord):
                    invalid.append(DeadLetter(record, read.reason, read.detail))
                elif read is not None:
                    items.append(read)
        not_for_table_count = len(batch.records) - len(items) - len(invalid)
        rejected = self._rejections[batch.fence.key.partition].of(batch.records)
        if rejected:
            items, refused = _without(items, rejected, batch)
            invalid += refused
        earlier = [offset for offset in rejected if offset < batch.fence.next_offset]
        return Work(batch, items, invalid, not_for_table_count, earlier)

    async def apply(self, connection: Connection, work: Work[Item]) -> None:
        """Write the rows, the dead letters and the ledger; raises PartitionStopped."""
        fence = work.batch.fence
        written = await write_or_bisect(connection, self._tables, work.items)
        letters = self._letters(work, written)
        bad_offsets = [one.record.offset for one in letters if one.reason != CONFLICT]
        self._stop_if_too_many(fence, bad_offsets)
        await insert_dead_letters(connection, fence, letters)
        await self._tell_stored_though_refused(connection, work)
        tally = Tally(
            written.stored_count, len(written.duplicates), len(letters), work.not_for_table_count
        )
        minutes = _minutes(work, written, letters, tally)
        counted = await add_to_ledger(connection, fence, tally, minutes)
        await enqueue(connection, fence.key, self._following(fence, letters, written))
        residue = work.batch.last_offset + 1 - counted
        self._applied[fence.key.partition] = _Applied(tally, letters, bad_offsets, residue)

    async def committed(self, work: Work[Item]) -> None:
        """Remember and export what the batch did."""
        key = work.batch.fence.key
        applied = self._applied.pop(key.partition)
        next_offset = work.batch.last_offset + 1
        self._bad[key.partition] = remembered(
            self._bad[key.partition], applied.bad_offsets, next_offset, self._limits
        )
        _export(key.topic, key.partition, applied)
        _observe_receipts(work.items, clock.now())

    def released(self, partition: int) -> None:
        """Forget the partition."""
        self._bad.pop(partition, None)
        self._applied.pop(partition, None)
        self._rejections.pop(partition, None)
        topic = self._topics.pop(partition, None)
        if topic is not None:
            forget_partition(topic, partition)

    async def _tell_stored_though_refused(self, connection: Connection, work: Work[Item]) -> None:
        """Say which records these tables have taken that others refused: a rebuild drops them."""
        if not work.refused_earlier:
            return
        fence = work.batch.fence
        for offset in await not_dead_letters(connection, fence, work.refused_earlier):
            STORED_THOUGH_REFUSED.inc()
            place = {"topic": fence.key.topic, "partition": fence.key.partition, "offset": offset}
            log.error("stored_though_refused", remedy="parley rebuild", **place)

    def _letters(self, work: Work[Item], written: Written[Item]) -> list[DeadLetter]:
        def record_of(item: Item) -> LogRecord:
            return work.batch.records[item.place.read_offset - work.batch.fence.next_offset]

        conflicts = [
            DeadLetter(record_of(item), CONFLICT, "the same id with other content")
            for item in written.conflicts
        ]
        refused = [DeadLetter(record_of(one.item), REFUSED, one.detail) for one in written.refused]
        letters = [*work.invalid, *conflicts, *refused]
        return sorted(letters, key=lambda one: one.record.offset)

    def _stop_if_too_many(self, fence: Fence, bad_offsets: Sequence[int]) -> None:
        wrong = problem(self._bad.get(fence.key.partition, ()), bad_offsets, self._limits)
        if wrong is not None:
            raise PartitionStopped(
                f"{wrong}: a wrong deploy? The batch was not written. Start a release that can "
                "read them, or raise PARLEY_PERSISTER_MAX_BAD_IN_A_ROW or "
                "PARLEY_PERSISTER_MAX_BAD_RATIO to make dead letters of them"
            )

    def _following(
        self, fence: Fence, letters: Sequence[DeadLetter], written: Written[Item]
    ) -> list[Outgoing]:
        copies = [dead_letter_record(one, self._dead_letters_topic) for one in letters]
        event_ids = {
            one.item.place.read_offset: one.item.event_id
            for one in written.refused
            if isinstance(one.item, Received)
        }
        rejections = [
            rejection(one, event_ids[one.record.offset], fence)
            for one in letters
            if one.record.offset in event_ids
        ]
        return copies + rejections


def _without(
    items: Sequence[Item], rejected: Mapping[int, tuple[str, str]], batch: Batch
) -> tuple[list[Item], list[DeadLetter]]:
    """The items but for those that were refused before, and these as dead letters."""
    kept: list[Item] = []
    letters: list[DeadLetter] = []
    for item in items:
        offset = item.place.read_offset
        event_id = item.event_id if isinstance(item, Received) else ""
        if offset in rejected and concerns(rejected[offset], event_id):
            record = batch.records[offset - batch.fence.next_offset]
            letters.append(DeadLetter(record, REFUSED, rejected[offset][1]))
        else:
            kept.append(item)
    return kept, letters


def _minutes(
    work: Work[Item], written: Written[Item], letters: Sequence[DeadLetter], whole: Tally
) -> dict[datetime, Tally]:
    records = work.batch.records
    minute = minute_of(records[0].broker_time)
    # Nearly all batches: what was appended in one minute need not be looked at one by one.
    if minute_of(records[-1].broker_time) == minute:
        return {minute: whole}
    if whole.stored == len(records):
        return stored_by_minute(one.broker_time for one in records)
    bad = {one.record.offset for one in letters}
    known = {one.place.read_offset for one in written.duplicates} - bad
    stored = {one.place.read_offset for one in work.items} - bad - known
    times = ((one.offset, one.broker_time) for one in records)
    return by_minute(times, Outcomes(stored, known, bad))


def _export(topic: str, partition: int, applied: _Applied) -> None:
    tally = applied.tally
    RECORDS.labels(topic, "stored").inc(tally.stored)
    RECORDS.labels(topic, "duplicate").inc(tally.duplicate)
    RECORDS.labels(topic, "dead_lettered").inc(tally.dead_lettered)
    RECORDS.labels(topic, "not_for_table").inc(tally.not_for_table)
    LEDGER_RESIDUE.labels(topic, str(partition)).set(applied.residue)
    for letter in applied.letters:
        metrics.DEAD_LETTERS.labels(SERVICE, letter.reason).inc()
        log.warning(
            "dead_letter",
            topic=topic,
            partition=partition,
            offset=letter.record.offset,
            reason=letter.reason,
        )


def _observe_receipts(items: Sequence[Placed], committed_at: datetime) -> None:
    # All items of a topic are of one kind, and to ask each takes as long as to observe it.
    if not items or not isinstance(items[0], Received):
        return
    received = cast("Sequence[Received]", items)
    # An import's events were received long before their turn came, on purpose.
    moments = [one.received_at for one in received if not one.import_id]
    RECEIPT_TO_ROW.observe_many([(committed_at - one).total_seconds() for one in moments])
