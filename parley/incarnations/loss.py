"""What a partition has lost at its end: found by comparing it with what the tables hold of it.

Of an event PostgreSQL keeps the bytes, the place and the time, so it comes back as it was. Not kept
are copies of known events, which change nothing, and ticks: they closed what was due, and so does
the next record. Of imports' marks, which every partition has, another one's is taken.
"""

import base64
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from parley.codec import LogRecord, event_key, glance_at
from parley.codec.events import EVENT_HEADERS
from parley.db.pool import Connection
from parley.errors import UserError
from parley.incarnations.broker import read_partition
from parley.incarnations.lost_results import lost_results
from parley.incarnations.situation import Situation, record_at
from parley.incarnations.switching import SQL, Standing
from parley.settings import Settings
from parley.topics import Topic

# What every partition has of its own: a kind, and the import or the versions that it is about.
MarkKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Loss:
    """The partition is the log that was read up to `kept`; what it holds from there on is new.

    `known` is the offset up to which the tables hold what it was, `lost` are the records that
    they can give back with their places, `unplaced` those without: marks of other partitions,
    seals and verdicts.
    """

    partition: int
    kept: int
    known: int
    lost: Sequence[LogRecord]
    unplaced: Sequence[LogRecord] = field(default_factory=tuple)

    def in_order(self) -> Iterator[tuple[LogRecord, bool]]:
        """What was lost by time, and whether it has its place."""
        unplaced = deque(self.unplaced)
        for record in self.lost:
            while unplaced and unplaced[0].broker_time <= record.broker_time:
                yield unplaced.popleft(), False
            yield record, True
        for record in unplaced:
            yield record, False

    def with_marks(self, marks: Mapping[int, Mapping[MarkKey, LogRecord]]) -> "Loss":
        """Together with the marks that only other partitions have now."""
        own = marks.get(self.partition, {})
        others: dict[MarkKey, LogRecord] = {}
        for known in marks.values():
            others.update((key, one) for key, one in known.items() if key not in own)
        missing = sorted(others.values(), key=lambda one: one.append_time())
        return replace(
            self,
            unplaced=[
                one._replace(partition=self.partition, broker_time=one.append_time(), headers=())
                for one in missing
            ],
        )


async def find_loss(
    settings: Settings, connection: Connection, situation: Situation, partition: int
) -> Loss:
    """Compare the partition with the tables; raises UserError where these cannot mend it."""
    readers = [one for one in situation.readers if one.partition == partition]
    known = max(one.next_offset for one in readers)
    kept = await _kept(settings, connection, situation, readers)
    if situation.kind is not Topic.EVENTS:
        results = await lost_results(settings, connection, situation, partition, kept)
        return Loss(partition, kept, known, (), results)
    await _check_depth(settings, situation, partition, kept)
    lost = await _lost_records(connection, situation, partition, kept)
    return Loss(partition, kept, known, lost)


async def _kept(
    settings: Settings,
    connection: Connection,
    situation: Situation,
    readers: Sequence[Standing],
) -> int:
    """The first offset at which the log is not the one that was read."""
    partition = readers[0].partition
    end = situation.ends[partition].end
    matched, bound, until = 0, *_last_read(readers)
    log = read_partition(settings, situation.source, partition, 0, end)
    async with connection.transaction():
        stored = connection.cursor(SQL["stored_events"], situation.incarnation, partition)
        record = await anext(log, None)
        async for row in stored:
            while record is not None and record.offset < row["log_offset"]:
                record = await anext(log, None)
            if record is None or not _is_same(record, row):
                bound, until = row["log_offset"], row["append_time"]
                break
            matched = row["log_offset"] + 1
    await log.aclose()  # type: ignore[attr-defined]
    return await _following(settings, situation, partition, matched, min(bound, end), until)


def _last_read(readers: Sequence[Standing]) -> tuple[int, datetime]:
    """The offset up to which somebody read, and the time of the record before it."""
    last = max(readers, key=lambda one: one.next_offset)
    assert last.tail is not None  # noqa: S101 - a damaged partition was read
    return last.next_offset, last.tail.append_time


def _is_same(record: LogRecord, row: Any) -> bool:
    glance = glance_at(record.value)
    return (
        glance is not None
        and record.append_time() == row["append_time"]
        and glance.event_id == row["event_id"]
    )


async def _following(
    settings: Settings, situation: Situation, partition: int, first: int, end: int, until: datetime
) -> int:
    """Past the records that no row tells of, as long as they are older than what is lost."""
    kept = first
    async for record in read_partition(settings, situation.source, partition, first, end):
        if record.broker_time > until:
            break
        kept = record.offset + 1
    return kept


async def _check_depth(settings: Settings, situation: Situation, partition: int, kept: int) -> None:
    """The tables name a copy by its first place, so they cannot tell where it lay here."""
    if situation.ends[partition].end == 0:
        return
    first = await record_at(settings, situation.source, partition, 0)
    if first.source() is None:
        return
    last = await record_at(settings, situation.source, partition, max(kept - 1, 0))
    if kept == 0 or last.source() is not None:
        raise UserError(
            f"{situation.source}/{partition} has lost some of what was copied into it.",
            "Its former topic still holds that: set PARLEY_TOPIC_NAMES back to it, restore the "
            "database to a backup from before the copy, and make the copy again.",
        )


async def _lost_records(
    connection: Connection, situation: Situation, partition: int, kept: int
) -> list[LogRecord]:
    async with connection.transaction():
        rows = connection.cursor(
            SQL["lost_events"], situation.source, situation.incarnation, partition, kept
        )
        return [_record(situation, partition, row) async for row in rows]


def _record(situation: Situation, partition: int, row: Any) -> LogRecord:
    key, headers = row["key"], EVENT_HEADERS
    if row["tenant_id"] is not None:
        key = event_key(row["tenant_id"], row["conversation_id"])
    if row["headers"] is not None:
        # They may be what was wrong with it.
        pairs = json.loads(row["headers"])
        headers = tuple((name, base64.b64decode(value)) for name, value in pairs)
    return LogRecord(
        situation.source,
        partition,
        row["log_offset"],
        row["append_time"],
        key,
        row["value"],
        headers,
    )
