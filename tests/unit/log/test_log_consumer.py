"""What aiokafka fetches comes as Parley's records."""

import struct
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchError, FetchResult, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from parley.codec import LogRecord
from parley.codec.events import EVENT_HEADERS
from parley.log.log_consumer import _give_log_records
from parley.log.records import broker_time

AT_MS = 1_767_225_600_123
FIRST = 7
TP = TopicPartition("t", 2)
OTHER = TopicPartition("t", 3)
GIVEN = [
    (b"k", b"one", list(EVENT_HEADERS)),
    (None, b"two", []),
    (b"", None, [("a", None), ("b", b"1")]),
]


def written() -> bytes:
    """A batch of records as the broker keeps them."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for number, (key, value, headers) in enumerate(GIVEN):
        builder.append(number, AT_MS, key, value, headers)
    batch = bytearray(builder.build())
    struct.pack_into(">q", batch, 0, FIRST)
    return bytes(batch)


async def test_records_come_as_parleys_own() -> None:
    state = SimpleNamespace(paused=False, position=FIRST, consumed_to=lambda _: None)
    assignment = SimpleNamespace(active=True, state_value=lambda _: state)

    async def fetch(*_: Any) -> bool:
        records = PartitionRecords(TP, MemoryRecords(written()), [], FIRST, None, None, True, 0)
        fetcher._records[TP] = FetchResult(
            TP, assignment=assignment, partition_records=records, backoff=0
        )
        fetcher._records[OTHER] = FetchError(error=OSError(), backoff=0)
        return True

    fetcher: Any = SimpleNamespace(_records={}, _proc_fetch_request=fetch)
    _give_log_records(fetcher)
    assert await fetcher._proc_fetch_request(assignment, 0, None) is True
    at = broker_time(AT_MS)
    assert fetcher._records[TP].getall() == [
        LogRecord("t", 2, FIRST, at, b"k", b"one", EVENT_HEADERS),
        LogRecord("t", 2, FIRST + 1, at, None, b"two", ()),
        LogRecord("t", 2, FIRST + 2, at, b"", None, (("a", b""), ("b", b"1"))),
    ]
    # What was emptied before the next answer comes stays as it is.
    await fetcher._proc_fetch_request(assignment, 0, None)
