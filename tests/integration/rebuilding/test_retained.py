"""What retention deleted stays deleted, whether or not the persister has read of it."""

import asyncio
from typing import Any

import pytest

from parley.settings import Settings
from tests.support.command import Command, said
from tests.support.processes import ServiceProcess
from tests.support.publish import TENANT, message, publish
from tests.support.wait import eventually
from tests.unit.persister.samples import at

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


async def test_what_was_deleted_while_no_persister_ran_neither_differs_nor_comes_back(
    migrated: Settings, tables: Any
) -> None:
    async def stored() -> list[str]:
        rows = await tables.fetch("SELECT content FROM conversation_messages ORDER BY 1")
        return [row["content"] for row in rows]

    async def are_both_stored() -> bool:
        return len(await stored()) == 2

    async def parley(*words: str) -> None:
        ended = await asyncio.to_thread(Command(migrated), *words, timeout_s=400)
        assert ended.returncode == 0, said(ended)

    old = message("c", "old", at=at(0), received_at=at(0), import_id="i")
    await publish(migrated, [old, message("c", "new")])
    with ServiceProcess("persister", migrated):
        await eventually(are_both_stored)
    await parley("retention", "set", TENANT, "--days", "30")
    await parley("retention", "apply")
    left = await stored()
    assert len(left) == 1
    assert await tables.fetchval("SELECT count(*) FROM retention") == 0
    await parley("verify")
    await parley("rebuild")
    assert await stored() == left
    # Whoever fills the tables on from there has the same to say.
    with ServiceProcess("persister", migrated):
        await eventually(lambda: tables.fetchval("SELECT cutoff FROM retention"))
    await parley("verify")
