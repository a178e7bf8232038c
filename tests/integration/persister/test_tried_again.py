"""What passes by itself is tried again until it does, and health says so meanwhile."""

import asyncio
from typing import Any

import pytest

from parley.settings import Settings
from tests.support.processes import ServiceProcess, answers, health
from tests.support.publish import message, publish
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def report_of(persister: ServiceProcess) -> Any:
    return await asyncio.to_thread(health, persister.url)


async def test_a_table_that_is_locked_holds_a_batch_up_degrades_health_and_loses_nothing(
    settings: Settings, pool: Any
) -> None:
    with ServiceProcess("persister", settings) as persister:
        assert (await report_of(persister))["status"] == "healthy"
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SET idle_in_transaction_session_timeout = 0")
            await connection.execute("LOCK TABLE conversation_messages")
            await publish(settings, [message("c", number) for number in range(20)])

            async def says_so() -> Any:
                report = await report_of(persister)
                return report if report["status"] == "degraded" else None

            # lock_timeout is 10 seconds.
            told = await eventually(says_so)
            batches = told["dependencies"]["batches"]
            assert "LockNotAvailableError (55P03)" in batches["detail"]
            assert told["dependencies"]["database"]["status"] == "healthy"
            assert not await asyncio.to_thread(answers, f"{persister.url}/readyz")
            assert await asyncio.to_thread(answers, f"{persister.url}/livez")

        async def are_stored() -> bool:
            return bool(await pool.fetchval("SELECT count(*) = 20 FROM conversation_messages"))

        await eventually(are_stored, timeout=60)
        assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0
        assert (await report_of(persister))["status"] == "healthy"
        assert await asyncio.to_thread(answers, f"{persister.url}/readyz")


async def test_backends_that_are_ended_again_and_again_cost_nothing(
    settings: Settings, pool: Any
) -> None:
    with ServiceProcess("persister", settings) as persister:
        for number in range(6):
            await publish(settings, [message("c", 100 * number + n) for n in range(50)])
            await pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        async def are_stored() -> bool:
            return bool(await pool.fetchval("SELECT count(*) = 300 FROM conversation_messages"))

        await eventually(are_stored, timeout=60)
        assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0
        assert persister.is_running
