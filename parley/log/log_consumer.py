"""aiokafka's consumer, which gives Parley's records in place of its own.

Its own are made, looked at once and thrown away, which takes as long as reading them from the
broker's bytes. Where it makes them, of each batch of records that came, it is told to make ours.
"""

from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult

from parley.log.records import read_record

# What a broker sends at a time: of several partitions one after the other, so that a batch is whole
# and memory holds little more than a batch.
FETCH_BYTES: Final = 4 * 1024 * 1024


class LogConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """Its `getmany` gives LogRecords, and it reads in pieces of `fetch_bytes`."""

    def __init__(self, *, fetch_bytes: int = FETCH_BYTES, **options: Any) -> None:
        super().__init__(
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_bytes=fetch_bytes,
            max_partition_fetch_bytes=fetch_bytes,
            **options,
        )

    async def start(self) -> None:
        """Connect, and begin to fetch."""
        await super().start()
        _give_log_records(self._fetcher)


def _give_log_records(fetcher: Any) -> None:
    fetch = fetcher._proc_fetch_request

    async def fetch_ours(*request: Any) -> Any:
        found = await fetch(*request)
        for result in fetcher._records.values():
            # The others are errors.
            if isinstance(result, FetchResult) and result.has_more():
                result._partition_records._consumer_record = read_record
        return found

    fetcher._proc_fetch_request = fetch_ours
