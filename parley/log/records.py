"""aiokafka's records as Parley's, and the checksum that recognises a record."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zlib import crc32

from aiokafka import TopicPartition

from parley.codec import Header, LogRecord
from parley.codec.record import EPOCH
from parley.db.fence import Tail


def to_log_record(record: Any) -> LogRecord:
    """A consumed record; its timestamp is the broker's append time by the topic's setting."""
    # By position: by name it takes twice as long, and every record of the log is made so.
    return LogRecord(
        record.topic,
        record.partition,
        record.offset,
        broker_time(record.timestamp),
        record.key,
        record.value,
        _headers(record.headers),
    )


def read_record(tp: TopicPartition, record: Any) -> LogRecord:
    """A record of one of aiokafka's batches, which does not say where it lies."""
    return LogRecord(
        tp.topic,
        tp.partition,
        record.offset,
        broker_time(record.timestamp),
        record.key,
        record.value,
        _headers(record.headers),
    )


def _headers(headers: Sequence[tuple[str, bytes | None]]) -> tuple[Header, ...]:
    """Kafka knows headers without a value; here they are empty."""
    for _, value in headers:
        if value is None:
            return tuple((name, one or b"") for name, one in headers)
    # As they are, which is nearly always.
    return tuple(headers)  # type: ignore[arg-type]


# The broker gives all records that it appends together the same time.
@lru_cache(maxsize=1_024)
def broker_time(timestamp_ms: int) -> datetime:
    """Kafka's milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=timestamp_ms)


def tail_of(record: LogRecord) -> Tail:
    """What a fence remembers of the last record that it passed."""
    return Tail(record.broker_time, crc32(record.value or b"", crc32(record.key or b"")))
