"""A record that the broker rejects costs its own message, and no other on its partition."""

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from parley.ids import random_id
from parley.log.admin import admin_client
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.gateway.clients import Client, connected, logged
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

pytestmark = [pytest.mark.integration, pytest.mark.faults]

TOO_LARGE = "x" * 50_000
MESSAGES = 1_000
BATCH = 50


async def allow_bytes(settings: Settings, limit: int) -> None:
    """From now on the broker rejects larger batches of the events topic."""
    configs = {"max.message.bytes": str(limit)}
    resource = ConfigResource(ConfigResourceType.TOPIC, settings.topic(Topic.EVENTS), configs)
    async with admin_client(settings) as admin:
        await admin.alter_configs([resource])


async def until_rejected(client: Client) -> None:
    """Say something too large until the broker, which learns of its setting late, rejects it."""

    async def is_rejected() -> bool:
        await client.say(random_id(), TOO_LARGE)
        answer = await client.receive()
        return bool(answer["type"] == "error" and answer["payload"]["code"] == "not_durable")

    await eventually(is_rejected)


async def test_after_a_rejected_record_a_thousand_others_are_acknowledged(
    settings: Settings, gateway: ServiceProcess
) -> None:
    await allow_bytes(settings, 40_000)
    async with connected(gateway, "c") as client:
        await client.hello(client_id="me", deliver="none")
        await until_rejected(client)
        acknowledged = []
        for first in range(0, MESSAGES, BATCH):
            for number in range(first, first + BATCH):
                await client.say(str(number))
            for _ in range(BATCH):
                frame = await client.receive()
                assert frame["type"] == "ack", frame
                acknowledged.append(frame["payload"]["id"])
    numbers = [str(number) for number in range(MESSAGES)]
    # The first ones fail with the wedged producer and go again behind others: in any order.
    assert sorted(acknowledged) == sorted(numbers)
    kept = [event.client_message_id for _, event in await logged(settings, "c")]
    assert sorted(one for one in kept if one in numbers) == sorted(numbers)
    # Without its replacement the producer would have failed on the partition for ever.
    assert "producer_replaced" in gateway.output


async def test_what_is_on_its_way_with_a_rejected_record_is_kept_or_can_be_sent_again(
    settings: Settings, gateway: ServiceProcess
) -> None:
    await allow_bytes(settings, 40_000)
    numbers = [str(number) for number in range(60)]
    async with connected(gateway, "c") as client:
        await client.hello(client_id="me", deliver="none")
        await until_rejected(client)
        for number in numbers:
            await client.say(number, TOO_LARGE if number == "30" else "hello")
        answers = [await client.receive() for _ in numbers]
        refused = [one["payload"] for one in answers if one["type"] == "error"]
        assert "30" in {one["id"] for one in refused}
        assert all(one["retryable"] for one in refused)
        for one in refused:
            if one["id"] != "30":
                await client.said(one["id"])
    kept = {event.client_message_id for _, event in await logged(settings, "c")}
    assert kept & set(numbers) == set(numbers) - {"30"}
