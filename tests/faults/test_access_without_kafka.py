"""The broker dies under a gateway with access control: known keys go on, then the news counts."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from parley import clock
from parley.api_keys import make_key
from parley.codec.config import config_record
from parley.config import ApiKey, ConfigChange, Tenant
from parley.local.stack import Stack
from parley.log.admin import apply_topics
from parley.log.config_tail import ConfigTail
from parley.log.producer import Producer
from parley.topics import Topic
from services.gateway.access import Access, Registry
from services.gateway.core.refusals import Refused
from services.gateway.settings import GatewaySettings
from tests.support.processes import ROOT
from tests.support.wait import eventually

pytestmark = [pytest.mark.faults, pytest.mark.integration]


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """An embedded stack that this test may kill."""
    stack = Stack(tmp_path / "stack", cache_dir=ROOT / ".parley")
    stack.up(print)
    yield stack
    stack.down()


async def set_all(settings: GatewaySettings, *bodies: Tenant | ApiKey) -> None:
    producer = Producer(settings)
    await producer.start()
    try:
        for body in bodies:
            change = ConfigChange("acme", "test", clock.now(), body)
            await producer.send(config_record(settings.topic(Topic.CONFIG), change))
    finally:
        await producer.stop()


async def test_known_keys_go_on_while_the_broker_is_away_and_a_revocation_counts_after_it(
    own_stack: Stack,
) -> None:
    endpoints = own_stack.endpoints()
    settings = GatewaySettings(kafka_bootstrap=endpoints.kafka_bootstrap, gateway_access="on")
    await apply_topics(settings)
    kept, revoked = make_key(), make_key()
    keys = [ApiKey(one.key_id, one.key_hash, "s", ("agent",)) for one in (kept, revoked)]
    await set_all(settings, Tenant("acme"), *keys)
    registry, stop = Registry(), asyncio.Event()
    access, tail = Access(settings, registry), ConfigTail(settings, registry)
    await tail.start()
    running = asyncio.create_task(tail.run(stop))
    for _ in range(2):
        await asyncio.to_thread(own_stack.kafka.kill)
        await asyncio.sleep(3)
        assert access.identify(kept.text).subject == "s"
        assert not running.done()
        await asyncio.to_thread(own_stack.up, print)
    await set_all(settings, replace(keys[1], revoked_at=clock.now()))

    async def is_refused() -> bool:
        try:
            access.identify(revoked.text)
        except Refused:
            return True
        return False

    await eventually(is_refused, timeout=30)
    assert access.identify(kept.text).subject == "s"
    # Stopped while the broker is away, it still ends.
    await asyncio.to_thread(own_stack.kafka.kill)
    stop.set()
    await asyncio.wait_for(running, 10)
