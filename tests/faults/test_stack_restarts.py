"""The broker and the database die under load and come back: nothing is lost, nothing doubled."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from parley.db import pool as database
from parley.local.stack import Stack
from parley.log.admin import apply_topics
from parley.settings import Settings
from tests.support.counting_worker import CREATE
from tests.support.processes import ROOT, ServiceProcess
from tests.support.publish import message, publish
from tests.support.wait import eventually

pytestmark = [pytest.mark.faults, pytest.mark.integration]

WORKER = "tests.support.counting_worker"


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """An embedded stack that this test may kill."""
    stack = Stack(tmp_path / "stack", cache_dir=ROOT / ".parley")
    stack.up(print)
    yield stack
    stack.down()


@pytest.fixture
async def own_settings(own_stack: Stack, tmp_path: Path) -> Settings:
    endpoints = own_stack.endpoints()
    settings = Settings(
        kafka_bootstrap=endpoints.kafka_bootstrap,
        database_url=SecretStr(endpoints.database_url),
        state_dir=tmp_path / "state",
        session_timeout=timedelta(seconds=3),
        http_port=0,
    )
    await apply_topics(settings)
    return settings


async def send(settings: Settings, start: int, count: int) -> None:
    numbers = range(start, start + count)
    await publish(settings, [message(f"c{number % 20}", number) for number in numbers])


async def count_of(settings: Settings) -> int:
    pool = await database.connect(settings)
    try:
        counted: int = await pool.fetchval("SELECT coalesce(sum(n), 0) FROM counts")
        return counted
    finally:
        await pool.close()


async def create_tables(settings: Settings, schema: str) -> None:
    pool: Any = await database.connect(settings)
    await pool.execute(schema)
    await pool.execute(CREATE)
    await pool.close()


@pytest.mark.parametrize("victim", ["postgres", "kafka"])
async def test_kill_9_of_a_server_under_load_loses_and_doubles_nothing(
    own_stack: Stack, own_settings: Settings, schema: str, victim: str
) -> None:
    await create_tables(own_settings, schema)
    server = {"postgres": own_stack.postgres, "kafka": own_stack.kafka}[victim]
    with ServiceProcess(WORKER, own_settings) as worker:
        pid = worker.pid
        for round_number in range(3):
            await send(own_settings, 1_000 * round_number, 1_000)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(own_stack.up, print)

        async def all_counted() -> bool:
            return await count_of(own_settings) >= 3_000

        await eventually(all_counted, timeout=90, every=0.5)
        assert await count_of(own_settings) == 3_000
        assert worker.pid == pid
        assert worker.stop() == 0, "the very process that was there at the start"


async def test_a_service_stops_when_told_although_the_broker_is_away(
    own_stack: Stack, own_settings: Settings, schema: str
) -> None:
    await create_tables(own_settings, schema)
    with ServiceProcess(WORKER, own_settings) as worker:
        await send(own_settings, 0, 2_000)
        await asyncio.to_thread(own_stack.kafka.kill)
        started_at = time.monotonic()
        await asyncio.to_thread(stop_within(worker, 25))
        assert time.monotonic() - started_at < 25


def stop_within(worker: ServiceProcess, seconds: float) -> Callable[[], int]:
    return lambda: worker.stop(seconds)
