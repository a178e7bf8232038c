"""Live segments at a steady pace, and how long each waited for its verdict to be in the log."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from parley import clock
from parley.analyses import JobEnded, JobEndKind
from parley.codec import decode_analysis, event_key
from parley.log.access import kafka_options
from parley.log.admin import topic_ends
from parley.log.records import to_log_record
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.analyzer.stage import TENANT
from tests.integration.backfilling.past import Past, conversations
from tests.support.wait import eventually

SEALED_AT: Final = """
SELECT segment_id::text, sealed_at FROM segment_revisions WHERE conversation_id LIKE $1 || '%'
"""
STORED: Final = """
SELECT count(*) FROM verdicts WHERE conversation_id LIKE $1 || '%' AND pass_name = $2
"""
PATIENCE_S: Final = 120.0


async def seconds_to_verdicts(
    then: Past, name: str, pass_name: str, count: int, every_s: float
) -> list[float]:
    """Seal `count` conversations called `name-…`, one after the other, and wait for the verdicts.

    Returns of each the seconds between two moments that the broker's clock tells: of its seal's
    append, and of its verdict's. Nothing of what else is in the log at the time counts.
    """
    begins = await _ends(then.settings)
    names = conversations(count, f"{name}-")
    before = clock.monotonic()
    for number, one in enumerate(names):
        await then.seal([one], waits=False)
        rest = before + (number + 1) * every_s - clock.monotonic()
        await asyncio.sleep(max(0.0, rest))

    async def are_stored() -> bool:
        stored: int = await then.pool.fetchval(STORED, f"{name}-", pass_name)
        return stored == count

    await eventually(are_stored, PATIENCE_S, every=0.2)
    appended = await _appended(then.settings, begins, names, pass_name)
    rows = await then.pool.fetch(SEALED_AT, f"{name}-")
    return [
        (appended[row["segment_id"]] - row["sealed_at"]).total_seconds()
        for row in rows
        if row["segment_id"] in appended
    ]


async def _ends(settings: Settings) -> dict[int, int]:
    ends = await topic_ends(settings, settings.topic(Topic.ANALYSES))
    return {one.partition: one.end for one in ends}


async def _appended(
    settings: Settings, begins: Mapping[int, int], names: list[str], pass_name: str
) -> dict[str, datetime]:
    """When the verdict of each segment was appended, of those that came since `begins`."""
    topic, ends = settings.topic(Topic.ANALYSES), await _ends(settings)
    # Decoding all that a backfill says meanwhile would take longer than all the rest.
    keys = {event_key(TENANT, one) for one in names}
    found: dict[str, datetime] = {}
    kafka = AIOKafkaConsumer(**kafka_options(settings), enable_auto_commit=False)
    await kafka.start()
    try:
        left = {number for number, end in ends.items() if begins.get(number, 0) < end}
        kafka.assign([TopicPartition(topic, number) for number in sorted(left)])
        for number in left:
            kafka.seek(TopicPartition(topic, number), begins.get(number, 0))
        while left:
            for tp, records in (await kafka.getmany(timeout_ms=200)).items():
                for record in (to_log_record(one) for one in records if one.key in keys):
                    told = decode_analysis(record.value)
                    if (
                        isinstance(told, JobEnded)
                        and told.end is JobEndKind.VERDICT
                        and told.pass_name == pass_name
                    ):
                        found.setdefault(told.segment_id, record.append_time())
                if records[-1].offset + 1 >= ends[tp.partition]:
                    left.discard(tp.partition)
    finally:
        await kafka.stop()
    return found
