"""What a service gives the fenced consumer, and what it is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

from parley.codec import LogRecord
from parley.db.fence import Fence
from parley.db.pool import Connection

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
        """The offset of the last record."""
        return self.records[-1].offset


class BatchHandler(Protocol[Work]):
    """What a service does with its batches; `prepare` may be slow, `apply` only writes.

    `claimed` is called with a new claim before its first batch, `released` when the claim is
    gone: state kept in memory for the partition must then be forgotten.
    """

    async def claimed(self, claim: Fence) -> None:
        """Restore what memory holds for the partition."""

    async def prepare(self, batch: Batch) -> Work:
        """Decide what the batch does. Called once a batch; after a failure comes `released`."""

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
