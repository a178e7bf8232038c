"""The tables of the config topic: of each thing the latest record, if it can be read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from parley.codec import Outgoing
from parley.codec.config import config_record
from parley.config import ApiKey, ConfigBody, ConfigChange, GapPolicy, Retention, Tenant
from parley.events import Policy
from parley.log.producer import Producer
from parley.passes.applied import AppliedPass
from parley.passes.stored import stored_catalog
from parley.settings import Settings
from parley.topics import Topic
from tests.support.processes import ServiceProcess
from tests.support.views import residue
from tests.support.wait import eventually
from tests.unit.passes.samples import CODE, PROMPT, active, applied, catalog, change, wanted

pytestmark = pytest.mark.integration

AT = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ApiKey("k1", b"x" * 32, "shop", ("agent", "reader"))


def changes() -> list[ConfigChange]:
    bodies: list[tuple[str, ConfigBody]] = [
        ("acme", Tenant("acme", "Acme")),
        ("acme", KEY),
        ("acme", Retention(30)),
        ("acme", Tenant("acme", "Acme, Inc.", is_enabled=False)),
        ("acme", replace(KEY, revoked_at=AT)),
        ("other", Tenant("other")),
        ("gone", Tenant("gone")),
        ("broken", Tenant("broken")),
        ("", GapPolicy("phone", Policy("channel:phone", 2))),
        ("", GapPolicy("phone", Policy("channel:phone", 3), is_withdrawn=True)),
        ("", GapPolicy("phone", Policy("channel:phone", 4))),
    ]
    return [ConfigChange(tenant, "me", AT, body) for tenant, body in bodies]


async def test_the_latest_record_of_each_thing_is_its_row(settings: Settings, pool: Any) -> None:
    topic = settings.topic(Topic.CONFIG)
    records = [config_record(topic, one) for one in changes()]
    unreadable = replace(records[7], value=b"\xff")
    await send(settings, [*records, unreadable], tombstones=[records[6], records[10]])
    with ServiceProcess("persister", settings) as persister:
        await read_to(pool, 14)
        assert await tables(pool) == (
            [("acme", "Acme, Inc.", False), ("other", "", True)],
            [("acme", "k1", b"x" * 32, ["agent", "reader"], AT)],
            [("acme", 30, None)],
            [("", "phone", 2, False), ("", "phone", 3, True)],
        )
        assert await pool.fetchval("SELECT reason FROM dead_letters") == "protobuf"
        # A restart reads nothing twice, and goes on after the last record.
        persister.kill()
        persister.start()
        await send(settings, [config_record(topic, ConfigChange("new", "me", AT, Tenant("new")))])
        await read_to(pool, 15)
    assert await pool.fetchval("SELECT count(*) FROM tenants") == 3
    assert await residue(pool) == 0


async def test_what_is_said_of_passes_is_in_tables_from_which_the_catalog_comes_back(
    settings: Settings, pool: Any
) -> None:
    said = [
        change(applied(CODE)),
        change(applied(CODE, version=2)),
        change(AppliedPass(PROMPT, "f" * 64)),
        change(active((1, 5))),
        change(active((1, 5), (2, None))),
        change(active((2, 0), name="summary").disabled()),
        change(wanted("summary"), "acme"),
        change(wanted("insight", category=True, on=False), "acme"),
        # As it is applied again, and these are deleted below.
        change(applied(CODE, priority=4)),
        change(active((1, 0), name="gone")),
        change(applied(CODE, name="gone")),
        change(wanted("gone"), "acme"),
    ]
    topic = settings.topic(Topic.CONFIG)
    records = [config_record(topic, one) for one in said]
    await send(settings, records, tombstones=records[-3:])
    with ServiceProcess("persister", settings):
        await read_to(pool, 15)
    stored = await stored_catalog(pool)
    assert vars(stored) == vars(catalog(*said[:-3]))
    row = await pool.fetchrow("SELECT * FROM pass_definitions WHERE pass_version = 1")
    assert (row["pass_name"], row["priority"], row["category"]) == ("turns", 4, "statistics")
    assert await residue(pool) == 0


async def tables(pool: Any) -> tuple[list[Any], ...]:
    queries = (
        "SELECT tenant_id, display_name, is_enabled FROM tenants ORDER BY 1",
        "SELECT tenant_id, key_id, key_hash, roles, revoked_at FROM api_keys ORDER BY 1, 2",
        "SELECT tenant_id, keep_days, cutoff FROM retention ORDER BY 1",
        "SELECT tenant_id, channel, version, is_withdrawn FROM gap_policies ORDER BY 1, 2, 3",
    )
    found = [await pool.fetch(query) for query in queries]
    return tuple([tuple(row) for row in rows] for rows in found)


async def read_to(pool: Any, offset: int) -> None:
    async def is_read() -> bool:
        query = "SELECT next_offset FROM fences WHERE consumer = 'persister-config'"
        return bool(await pool.fetchval(query) == offset)

    await eventually(is_read, timeout=60)


async def send(
    settings: Settings, records: list[Outgoing], tombstones: Sequence[Outgoing] = ()
) -> None:
    producer = Producer(settings)
    await producer.start()
    try:
        # One after the other: they are of one partition, and their order counts.
        for one in records:
            await producer.send(one)
        for one in tombstones:
            await producer._inner.send_and_wait(one.topic, key=one.key, value=None)
    finally:
        await producer.stop()
