"""What a model was paid for is not asked again, however the tables are made anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from parley.db import pool as database
from parley.local.stack import Endpoints
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.analyzer.provided import ASKING, ask_of_everybody, asks, reckon
from tests.integration.rebuilding.talk import Talk, running, send, settled, talking
from tests.integration.rebuilding.test_rebuild import rebuild
from tests.integration.rebuilding.test_restore import make_anew
from tests.support.acts import Answers
from tests.support.processes import ServiceProcess
from tests.support.provider import Provider, running_provider
from tests.support.topics import read_records

# Services, commands and replays are many processes for a small machine.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@asynccontextmanager
async def analysing(settings: Settings, provider: Provider) -> AsyncIterator[None]:
    """An analyzer that asks the provider, for a while."""
    analyzer = ServiceProcess("analyzer", settings, **asks(provider))
    try:
        await asyncio.to_thread(analyzer.start)
        yield
    finally:
        await asyncio.to_thread(analyzer.__exit__, None, None, None)


async def verdicts(tables: Any) -> list[Any]:
    rows = await tables.fetch(
        "SELECT * FROM verdicts WHERE pass_name = $1 ORDER BY 1, 2, 3, 4, 5", ASKING.name
    )
    return [tuple(row) for row in rows]


@pytest.mark.long
async def test_a_rebuild_calls_no_model_whether_an_analyzer_runs_meanwhile_or_starts_after_it(
    migrated: Settings, tables: Any
) -> None:
    talk = Talk(migrated)
    async with running_provider() as provider, running(migrated, "persister", "sealer"):
        provider.otherwise = Answers()
        await ask_of_everybody(migrated)
        async with analysing(migrated, provider):
            await send(migrated, talk.records(300))
            await settled(tables, talk)
            calls, before = provider.call_count, await verdicts(tables)
            ends = len(await read_records(migrated, Topic.ANALYSES))
            assert calls > 0
            assert before
            await rebuild(migrated)
            await settled(tables, talk)
            assert (provider.call_count, await verdicts(tables)) == (calls, before)
        await rebuild(migrated)
        async with analysing(migrated, provider):
            await settled(tables, talk)
            await asyncio.sleep(2)
            assert (provider.call_count, await verdicts(tables)) == (calls, before)
            assert len(await read_records(migrated, Topic.ANALYSES)) == ends
            # What is said while the tables are swapped is asked about once.
            async with talking(talk):
                await rebuild(migrated)
            await settled(tables, talk)
        assert provider.call_count > calls
        found = await reckon(migrated, tables)
    assert set(found.verdicts.values()) <= {0, 1}
    assert found.charges == provider.call_count


async def test_a_lost_database_that_is_rebuilt_calls_no_model(
    migrated: Settings, stack: Endpoints
) -> None:
    talk = Talk(migrated)
    async with running_provider() as provider:
        provider.otherwise = Answers()
        await ask_of_everybody(migrated)
        async with running(migrated, "persister", "sealer"), analysing(migrated, provider):
            before = await settled_verdicts(migrated, talk, count=200)
        calls = provider.call_count
        assert calls > 0
        ends = len(await read_records(migrated, Topic.ANALYSES))
        await asyncio.to_thread(make_anew, migrated, stack)
        await rebuild(migrated)
        async with running(migrated, "persister", "sealer"), analysing(migrated, provider):
            assert await settled_verdicts(migrated, talk) == before
            await asyncio.sleep(2)
        assert provider.call_count == calls
        assert len(await read_records(migrated, Topic.ANALYSES)) == ends


async def settled_verdicts(settings: Settings, talk: Talk, count: int = 0) -> list[Any]:
    """Verdicts, once so many records more were read, sealed and asked about."""
    tables = await database.connect(settings)
    try:
        await send(settings, talk.records(count))
        await settled(tables, talk, timeout_s=120)
        return await verdicts(tables)
    finally:
        await tables.close()
