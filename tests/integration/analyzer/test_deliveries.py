"""Deliveries are made and kept although what is known of passes and webhooks comes late."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parley.codec import LogRecord, encode_job_ended, event_key
from parley.config import ConfigChange
from parley.db.fence import Fence, FenceKey
from parley.log.consumer import Batch
from parley.passes.applied import AppliedPass
from parley.passes.catalog import Catalog
from parley.settings import Settings
from parley.topics import Topic
from services.analyzer.passes.sentiment import SENTIMENT
from services.analyzer.webhooks.handler import CONSUMER, VerdictsHandler
from services.analyzer.webhooks.store import DeliveryStore
from tests.unit.persister.samples import verdict

pytestmark = pytest.mark.integration

INCARNATION = "first"


class Late:
    """A view of the config topic that reconnects: it knows the passes once it has caught up."""

    def __init__(self) -> None:
        self.catalog = Catalog()

    async def catch_up(self) -> None:
        applied = AppliedPass.of(SENTIMENT.definition)
        self.catalog.apply(ConfigChange("", "tests", datetime.now(UTC), applied))


async def add_webhook(pool: Any, *categories: str, is_removed: bool = False) -> None:
    await pool.execute(
        "INSERT INTO webhooks (tenant_id, webhook_id, url, secret_version, secret_check, passes,"
        " categories, is_live_only, is_enabled, is_removed, changed_by, changed_at)"
        " VALUES ('default', 'crm', 'https://crm.example/', 1, '', '{}', $1, false, true, $2,"
        " 'tests', now())",
        *(list(categories), is_removed),
    )


async def read_a_verdict(settings: Settings, pool: Any, passes: Late) -> None:
    """What the consumer of the analyses topic does with one."""
    handler = VerdictsHandler(passes, asyncio.Event())
    ended = verdict(tenant_id="default", pass_name="sentiment")
    key = FenceKey(CONSUMER, settings.topic(Topic.ANALYSES), 0)
    record = LogRecord(
        *(key.topic, 0, 0, datetime.now(UTC)),
        event_key(ended.tenant_id, ended.conversation_id),
        encode_job_ended(ended),
    )
    batch = Batch(Fence(key, INCARNATION, 1, 0, None), [record])
    work = await handler.prepare(batch)
    async with pool.acquire() as connection, connection.transaction():
        await handler.apply(connection, work)


async def states(pool: Any) -> list[str]:
    rows = await pool.fetch("SELECT state FROM operations.webhook_deliveries")
    return [row["state"] for row in rows]


async def test_a_webhook_of_a_category_misses_no_verdict_while_the_passes_are_read_again(
    settings: Settings, pool: Any
) -> None:
    await add_webhook(pool, "sentiment", "another")
    await read_a_verdict(settings, pool, Late())
    assert await states(pool) == ["open"]


async def test_what_waits_for_a_webhook_that_has_still_to_be_read_is_not_cancelled(
    settings: Settings, pool: Any
) -> None:
    await add_webhook(pool)
    await read_a_verdict(settings, pool, Late())
    store = DeliveryStore(pool, settings.topic(Topic.ANALYSES), timedelta(seconds=5))
    # A rebuild has swapped the tables, and the config topic is being read.
    await pool.execute("DELETE FROM webhooks")
    await store.tidy(timedelta(days=1))
    assert await states(pool) == ["open"]
    await add_webhook(pool)
    await store.tidy(timedelta(days=1))
    assert await states(pool) == ["open"]
    await pool.execute("UPDATE webhooks SET is_removed = true")
    await store.tidy(timedelta(days=1))
    assert await states(pool) == ["cancelled"]
