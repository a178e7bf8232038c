"""What a service gives the fenced consumer, and what it is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from parley.codec import LogRecord
from parley.db.fence import Fence, Tail
from parley.db.pool import Connection
from parley.log.records import tail_of

Work = TypeVar("Work")


class PartitionStopped(Exception):
    """The partition cannot go on until somebody acts; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition, the first at the fence's offset.

    Those of a compacted topic may have gaps before and between them.
    """

    fence: Fence
    records: Sequence[LogRecord]

    @property
    def last_offset(self) -> int:
        """The offset of the last record; of no records, that of the one before the fence."""
        return self.records[-1].offset if self.records else self.fence.next_offset - 1

    @property
    def tail(self) -> Tail | None:
        """What the fence remembers once this is written."""
        return tail_of(self.records[-1]) if self.records else self.fence.tail


@dataclass(frozen=True, slots=True)
class Part:
    """What `prepare` may give where a batch has too many effects for one transaction.

    `work` covers its first `count` records, none perhaps: then it is what has to happen before the
    first one. As soon as it is durable the rest is prepared, here or, after a crash, elsewhere.
    """

    work: Any
    count: int


def divided(batch: Batch, prepared: Any) -> tuple[Batch, Any, Sequence[LogRecord]]:
    """What is to be written now, its work, and the records that come after it."""
    if not isinstance(prepared, Part):
        return batch, prepared, ()
    first, rest = batch.records[: prepared.count], batch.records[prepared.count :]
    return Batch(batch.fence, first), prepared.work, rest


class BatchHandler(Protocol[Work]):
    """What a service does with its batches; `prepare` may be slow, `apply` only writes.

    `claimed` is called with a new claim before its first batch, `released` when the claim is
    gone: state kept in memory for the partition must then be forgotten.
    """

    async def claimed(self, claim: Fence) -> None:
        """Restore what memory holds for the partition."""

    async def prepare(self, batch: Batch) -> Work | Part:
        """Decide what the batch does. Called once a batch; after a failure comes `released`.

        After a Part comes `apply`, `committed` and then `prepare` with the rest.
        """

    async def apply(self, connection: Connection, work: Work) -> None:
        """Write the effects in the fence's transaction; may be called again after a failure."""

    async def committed(self, work: Work) -> None:
        """The transaction is durable."""

    def released(self, partition: int) -> None:
        """Forget the partition."""


@dataclass(frozen=True, slots=True)
class Batching:
    """A batch closes `linger` after its first record, or earlier where it is full.

    At most `max_records` are worked on at a time; of one partition at most half of them, so that
    one batch is parsed while another is written.
    """

    max_records: int
    linger: timedelta

    @property
    def share(self) -> int:
        """The most records of one batch."""
        return self.max_records - self.max_records // 2
