"""What one record closes after a night without a sealer takes longer than a transaction may."""

from datetime import timedelta
from typing import Any

import pytest

from parley import clock
from parley.codec import Outgoing, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.codec.record import APPEND_TIME
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.support.processes import ServiceProcess
from tests.support.publish import TENANT, message
from tests.support.wait import eventually

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(600)]

# Each with a session: twice as many decisions, some half a minute's rows for PostgreSQL.
CONVERSATIONS = 120_000
AT_ONCE = 2_000
PATIENCE_S = 240.0


async def test_all_that_one_tick_closes_is_sealed_in_transactions_of_their_time(
    settings: Settings, pool: Any
) -> None:
    async def is_sealed() -> bool:
        sealed = await pool.fetchval("SELECT count(*) FROM sealer_segments")
        waiting = await pool.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")
        return bool(sealed == CONVERSATIONS and not waiting)

    await publish_last_nights_talk(settings)
    with ServiceProcess("sealer", settings) as sealer:
        await eventually(is_sealed, timeout=PATIENCE_S, every=1.0)
        assert "retrying" not in sealer.output
    found = await pool.fetchrow(
        "SELECT (SELECT count(*) FROM sealer_windows) AS windows,"
        "       (SELECT count(*) FROM sealer_sessions WHERE is_open) AS sessions,"
        "       (SELECT count(*) FROM sealer_members) AS members,"
        "       (SELECT next_offset FROM fences WHERE partition = 0) AS next_offset"
    )
    assert tuple(found)[:3] == (0, 0, CONVERSATIONS)
    # The talk, and the sealer's own ticks.
    assert found["next_offset"] > CONVERSATIONS


async def publish_last_nights_talk(settings: Settings) -> None:
    """One message in each of so many conversations, all in one partition, half a day ago."""
    said_at = clock.now() - timedelta(hours=12)
    microseconds = int(said_at.timestamp() * 1_000_000)
    headers = (*EVENT_HEADERS, (APPEND_TIME, str(microseconds).encode()))
    producer = Producer(settings)
    await producer.start()
    try:
        for first in range(0, CONVERSATIONS, AT_ONCE):
            batch = []
            for number in range(first, first + AT_ONCE):
                name = f"c{number}"
                said = message(name, 1, at=said_at, received_at=said_at, session_id=f"s{number}")
                key, value = event_key(TENANT, name), encode_event(said)
                batch.append(Outgoing(settings.topic(Topic.EVENTS), key, value, headers, 0))
            await producer.send_batch(0, batch)
    finally:
        await producer.stop()
