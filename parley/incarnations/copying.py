"""Brings a planned incarnation into its topic, and sees that it holds exactly what was planned.

The plan follows from the source alone, so a copy that was killed goes on where its topic ends:
what is there already is planned again and not sent. Nothing is taken for granted by that; the
whole copy is read back and compared.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zlib import crc32

from parley.codec import Header, InvalidRecord, LogRecord, Outgoing
from parley.codec.record import APPEND_TIME
from parley.db.fence import Tail
from parley.errors import UserError
from parley.incarnations.broker import read_partition
from parley.incarnations.plan import NO_TIME
from parley.log.admin import topic_ends
from parley.log.producer import Producer
from parley.log.records import tail_of
from parley.settings import Settings

# Of one partition; some of the largest records at the most.
BATCH_RECORDS: Final = 1_000
BATCH_BYTES: Final = 4 * 1024 * 1024

Progress = Callable[[int], None]


@dataclass(slots=True)
class Copied:
    """What a partition of the plan holds: how many records, and their checksum."""

    count: int = 0
    checksum: int = 0
    waiting: list[Outgoing] = field(default_factory=list)
    waiting_bytes: int = 0

    def add(self, key: bytes | None, value: bytes, headers: tuple[Header, ...]) -> None:
        """Take the next record into the checksum."""
        self.count += 1
        self.checksum = _checksum(self.checksum, key, value, headers)


async def send_plan(
    settings: Settings,
    producer: Producer,
    topic: str,
    plan: AsyncIterator[Outgoing],
) -> list[Copied]:
    """Send what the topic does not hold yet; returns what it must hold then, by partition."""
    ends = [one.end for one in await topic_ends(settings, topic)]
    copied = [Copied() for _ in ends]
    async for record in plan:
        assert record.partition is not None  # noqa: S101 - a plan names it
        own = copied[record.partition]
        own.add(record.key, record.value, record.headers)
        if own.count > ends[record.partition]:
            own.waiting.append(record)
            own.waiting_bytes += len(record.value)
            if len(own.waiting) >= BATCH_RECORDS or own.waiting_bytes >= BATCH_BYTES:
                await _flush(producer, record.partition, own)
    for partition, own in enumerate(copied):
        await _flush(producer, partition, own)
    return copied


async def _flush(producer: Producer, partition: int, own: Copied) -> None:
    if own.waiting:
        await producer.send_batch(partition, own.waiting)
        own.waiting, own.waiting_bytes = [], 0


@dataclass(frozen=True, slots=True)
class Verified:
    """What was seen of a copy: the record before each fence, and how many came in which minute."""

    tails: Mapping[tuple[int, int], Tail]
    minutes: Mapping[tuple[int, datetime], int]


async def verify(
    settings: Settings,
    topic: str,
    planned: list[Copied],
    fences: Collection[tuple[int, int]],
    accounted: Mapping[int, int],
    progress: Progress,
) -> Verified:
    """Read the copy back; raises UserError unless it is the plan, record by record.

    `fences` are partitions with offsets at which readers will begin, `accounted` the offset up to
    which the ledger is to know a partition.
    """
    wanted = {(partition, offset - 1) for partition, offset in fences}
    tails: dict[tuple[int, int], Tail] = {}
    minutes: Counter[tuple[int, datetime]] = Counter()
    for partition, expected in enumerate(planned):
        found = Copied()
        async for record in read_partition(settings, topic, partition, 0, expected.count):
            found.add(record.key, record.value or b"", record.headers)
            _check_time(record)
            if (partition, record.offset) in wanted:
                tails[partition, record.offset + 1] = tail_of(record)
            if record.offset < accounted.get(partition, 0):
                minutes[partition, record.broker_time.replace(second=0, microsecond=0)] += 1
            progress(1)
        if found.checksum != expected.checksum:
            raise UserError(
                f"{topic}/{partition} does not hold what was to be copied: another program wrote "
                "into it, or a copy was killed while its last records were on their way.",
                "Begin it anew with --start-over, which deletes it first.",
            )
    return Verified(tails, minutes)


def _check_time(record: LogRecord) -> None:
    if (APPEND_TIME, NO_TIME) in record.headers:
        return
    try:
        record.append_time()
    except InvalidRecord as error:
        raise UserError(
            f"{record.topic}/{record.partition} has a copy of a record from the future: the "
            "broker's clock is behind the one that made the log.",
            "Set the broker's clock, and begin anew with --start-over.",
        ) from error


def _checksum(before: int, key: bytes | None, value: bytes, headers: tuple[Header, ...]) -> int:
    checksum = crc32(value, crc32(b"\1" + key if key is not None else b"\0", before))
    for name, header in headers:
        checksum = crc32(header, crc32(name.encode(), checksum))
    return checksum
