"""Access control on a real log: what operators change counts within a second."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from parley import clock
from parley.api_keys import PresentedKey, make_key
from parley.codec import Outgoing
from parley.codec.config import CONFIG_HEADERS, config_key, config_record
from parley.config import ApiKey, ConfigChange, Tenant
from parley.errors import UserError
from parley.log.admin import admin_client, apply_topics
from parley.log.config_tail import ConfigTail
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from services.gateway.access import Access, Registry
from services.gateway.core.refusals import Refused
from services.gateway.settings import GatewaySettings
from tests.support.command import Command
from tests.support.processes import free_port
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

WITHIN_S = 1.0


class Gateway:
    """The part of a gateway that knows tenants and keys."""

    def __init__(self, settings: Settings, registry: Registry | None = None) -> None:
        whole = {name: getattr(settings, name) for name in Settings.model_fields}
        gateway_settings, registry = (
            GatewaySettings(**whole, gateway_access="on"),
            registry or Registry(),
        )
        self.access = Access(gateway_settings, registry)
        self._tail = ConfigTail(gateway_settings, registry)
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._tail.start()
        self._running = asyncio.create_task(self._tail.run(self._stop))

    async def stop(self) -> None:
        self._stop.set()
        if self._running is not None:
            await asyncio.wait_for(self._running, 10)

    def takes(self, key: PresentedKey) -> bool:
        try:
            return bool(self.access.identify(key.text).key_id)
        except Refused:
            return False


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[Producer]:
    made = Producer(settings)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def gateway(settings: Settings) -> AsyncIterator[Gateway]:
    made = Gateway(settings)
    await made.start()
    yield made
    await made.stop()


class Operator:
    """Sets things as the commands do, without their second of start."""

    def __init__(self, settings: Settings, producer: Producer) -> None:
        self._topic = settings.topic(Topic.CONFIG)
        self._producer = producer

    async def set(self, tenant_id: str, body: Tenant | ApiKey) -> bytes:
        """Set it; returns the record's key."""
        change = ConfigChange(tenant_id, "test", clock.now(), body)
        await self._producer.send(config_record(self._topic, change))
        return config_key(change)

    async def key(self, tenant_id: str = "acme") -> tuple[PresentedKey, ApiKey]:
        made = make_key()
        key = ApiKey(made.key_id, made.key_hash, "shop-backend", ("agent",))
        await self.set(tenant_id, key)
        return made, key

    async def write(self, key: bytes, value: bytes) -> None:
        await self._producer.send(Outgoing(self._topic, key, value, CONFIG_HEADERS))


@pytest.fixture
def operator(settings: Settings, producer: Producer) -> Operator:
    return Operator(settings, producer)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def becomes(gateway: Gateway, key: PresentedKey, *, taken: bool) -> None:
    async def has_come() -> bool:
        return gateway.takes(key) is taken

    await eventually(has_come, timeout=WITHIN_S, every=0.01)


async def test_a_key_works_within_a_second_and_a_revoked_one_not_any_more(
    gateway: Gateway, operator: Operator
) -> None:
    await operator.set("acme", Tenant("acme"))
    made, key = await operator.key()
    await becomes(gateway, made, taken=True)
    who = gateway.access.identify(made.text)
    await operator.set("acme", replace(key, revoked_at=clock.now()))
    await becomes(gateway, made, taken=False)
    assert not gateway.access.holds(who)


async def test_a_disabled_tenant_is_refused_within_a_second(
    gateway: Gateway, operator: Operator
) -> None:
    await operator.set("acme", Tenant("acme"))
    made, _ = await operator.key()
    await becomes(gateway, made, taken=True)
    await operator.set("acme", Tenant("acme", is_enabled=False))
    await becomes(gateway, made, taken=False)
    await operator.set("acme", Tenant("acme"))
    await becomes(gateway, made, taken=True)


async def test_what_the_commands_do_counts_at_the_gateway(
    settings: Settings, gateway: Gateway
) -> None:
    command = Command(settings)
    await asyncio.to_thread(command.json, "tenant", "create", "acme")
    create = ("keys", "create", "--tenant", "acme", "--subject", "shop-backend", "--role", "agent")
    answer = await asyncio.to_thread(command.json, *create)
    made = PresentedKey(answer["key_id"], bytes.fromhex(answer["key"].rpartition("_")[2]))
    await becomes(gateway, made, taken=True)
    await asyncio.to_thread(command.json, "keys", "revoke", made.key_id)
    await becomes(gateway, made, taken=False)


async def test_a_gateway_that_starts_knows_all_there_is(
    settings: Settings, operator: Operator
) -> None:
    await operator.set("acme", Tenant("acme"))
    kept = [made for made, _ in await asyncio.gather(*(operator.key() for _ in range(1_200)))]
    revoked, key = await operator.key()
    await operator.set("acme", replace(key, revoked_at=clock.now()))
    gateway = Gateway(settings)
    await gateway.start()
    try:
        # At once: there is no moment in which a good key is refused, or a revoked one taken.
        assert all(gateway.takes(one) for one in kept)
        assert not gateway.takes(revoked)
    finally:
        await gateway.stop()


async def test_a_record_that_cannot_be_read_takes_away_what_it_was_about(
    gateway: Gateway, operator: Operator
) -> None:
    await operator.set("acme", Tenant("acme"))
    (broken, key), (other, _) = await operator.key(), await operator.key()
    await becomes(gateway, broken, taken=True)
    record_key = await operator.set("acme", key)
    await operator.write(record_key, b"\xff\xff")
    await operator.write(b"no key of ours", b"\xff\xff")
    await becomes(gateway, broken, taken=False)
    assert gateway.takes(other)


async def test_past_its_bound_a_gateway_refuses_new_keys_and_tells_it(
    settings: Settings, operator: Operator
) -> None:
    gateway = Gateway(settings, Registry(max_keys=1))
    await operator.set("acme", Tenant("acme"))
    first, second = (await operator.key())[0], (await operator.key())[0]
    before = sample("parley_config_skipped_total", reason="full")
    await gateway.start()
    try:
        assert gateway.takes(first)
        assert not gateway.takes(second)
        after = sample("parley_config_skipped_total", reason="full")
        assert after == before + 1
        assert sample("parley_gateway_config_entries", kind="api_key") == 1
    finally:
        await gateway.stop()


async def test_another_topic_of_the_same_name_begins_anew(
    settings: Settings, gateway: Gateway, operator: Operator
) -> None:
    await operator.set("acme", Tenant("acme"))
    old, _ = await operator.key()
    await becomes(gateway, old, taken=True)
    async with admin_client(settings) as admin:
        await admin.delete_topics([settings.topic(Topic.CONFIG)])
    await asyncio.sleep(1)
    await apply_topics(settings)

    async def is_forgotten() -> bool:
        return not gateway.takes(old)

    await eventually(is_forgotten)
    await operator.set("acme", Tenant("acme"))
    new, _ = await operator.key()

    async def is_taken() -> bool:
        return gateway.takes(new)

    await eventually(is_taken)
    assert not gateway.takes(old)


async def test_without_kafka_or_the_topic_it_says_so(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{free_port()}"})
    with pytest.raises(UserError, match="No Kafka"):
        await Gateway(nowhere).start()
    empty = settings.model_copy(update={"topic_prefix": f"no.{settings.topic_prefix}"})
    with pytest.raises(UserError, match="parley topics apply"):
        await Gateway(empty).start()
