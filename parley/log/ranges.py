"""Reads given ranges of a topic, in batches, without a group."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from parley.codec import LogRecord
from parley.errors import UserError
from parley.log.access import kafka_options
from parley.log.admin import no_kafka
from parley.log.connections import stop_consumer
from parley.log.records import to_log_record
from parley.settings import Settings

BATCH_RECORDS: Final = 5_000
FETCH_MS: Final = 500
STALL_S: Final = 30.0

Ranges = Mapping[int, tuple[int, int]]
"""By partition: the first offset that is wanted, and the one behind the last."""


async def read_ranges(
    settings: Settings, topic: str, ranges: Ranges
) -> AsyncIterator[list[LogRecord]]:
    """The records within the ranges, in each partition's order; raises UserError."""
    left = {
        TopicPartition(topic, number): (begin, end)
        for number, (begin, end) in ranges.items()
        if begin < end
    }
    if not left:
        return
    consumer = AIOKafkaConsumer(
        **kafka_options(settings),
        client_id="parley",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        await consumer.start()
        consumer.assign(list(left))
        for tp, (begin, _) in left.items():
            consumer.seek(tp, begin)
        while left:
            async with asyncio.timeout(STALL_S):
                fetched = await _fetch(consumer)
            for tp, records in fetched.items():
                if tp not in left:
                    continue
                end = left[tp][1]
                yield [to_log_record(one) for one in records if one.offset < end]
                if records[-1].offset + 1 >= end:
                    del left[tp]
                    consumer.pause(tp)
    except TimeoutError as error:
        raise UserError(
            f"The records of {topic} did not come.",
            "See with `parley doctor` what is wrong with Kafka, and run the command again.",
        ) from error
    except (KafkaError, OSError) as error:
        raise no_kafka(settings, error) from error
    finally:
        await stop_consumer(consumer)


async def _fetch(consumer: Any) -> dict[TopicPartition, list[Any]]:
    while True:
        fetched: dict[TopicPartition, list[Any]] = await consumer.getmany(
            timeout_ms=FETCH_MS, max_records=BATCH_RECORDS
        )
        if fetched:
            return fetched
