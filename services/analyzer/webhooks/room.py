"""Puts the webhooks' part of the analyzer together: its consumer and its sender."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from parley.db.pool import Pool
from parley.lifecycle import Task
from parley.log.admin import hints
from parley.log.consumer import Batching, FencedConsumer
from parley.log.producer import Producer
from parley.topics import Topic
from parley.webhooks.resting import Resting
from services.analyzer.known import Passes
from services.analyzer.webhooks import store
from services.analyzer.webhooks.handler import CONSUMER, VerdictsHandler
from services.analyzer.webhooks.sender import Sender, SendingRules
from services.analyzer.webhooks.settings import WebhookSettings
from services.analyzer.webhooks.store import DeliveryStore

BATCHING: Final = Batching(max_records=1_000, linger=timedelta(milliseconds=100))
LONGEST_REST: Final = timedelta(hours=1)
# Of a request's whole time, so that a slow database does not let it go out twice.
_LEASES: Final = 3


@dataclass(frozen=True, slots=True)
class WebhooksRoom:
    """What runs beside the workers."""

    consumer: FencedConsumer
    sender: Sender

    @property
    def tasks(self) -> tuple[Task, Task]:
        """What is to run until the service stops."""
        return self.consumer.run, self.sender.run


async def open_room(
    settings: WebhookSettings,
    pool: Pool,
    producer: Producer,
    worker_id: str,
    ends: Mapping[int, int],
    passes: Passes,
) -> WebhooksRoom:
    """Make ready, before the first verdict of this process: `ends` are those of the topic now."""
    topic = settings.topic(Topic.ANALYSES)
    known = await hints(settings, CONSUMER, topic)
    await store.note_starts(pool, CONSUMER, topic, ends, known)
    bell = asyncio.Event()
    handler = VerdictsHandler(passes, bell)
    consumer = FencedConsumer(
        CONSUMER, topic, handler, settings, pool, producer, BATCHING, worker_id
    )
    lease = settings.analyzer_webhook_timeout * _LEASES
    deliveries = DeliveryStore(pool, topic, lease)
    return WebhooksRoom(consumer, Sender(deliveries, rules_of(settings), bell))


def rules_of(settings: WebhookSettings) -> SendingRules:
    """How the settings want requests to be sent."""
    key = settings.webhook_key
    return SendingRules(
        server_key=None if key is None else key.get_secret_value(),
        timeout_s=settings.analyzer_webhook_timeout.total_seconds(),
        networks=settings.analyzer_webhook_networks,
        per_receiver=settings.analyzer_webhook_requests,
        resting=Resting(
            settings.analyzer_webhook_attempts, settings.analyzer_webhook_rest, LONGEST_REST
        ),
        disable_after=settings.analyzer_webhook_disable_after,
        kept=settings.webhook_log_kept,
    )
