"""A topic prefix and a database of one's own on a stack that others use too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from parley.ids import random_id
from parley.local.databases import create_database, drop_database
from parley.local.stack import Endpoints
from parley.log.admin import admin_client
from parley.settings import Settings


@asynccontextmanager
async def settings_apart(
    stack: Endpoints, state_dir: Path, template: str = "template1"
) -> AsyncIterator[Settings]:
    """Settings under which nobody else sees anything; all of it is deleted at the end."""
    async with database_apart(stack, template) as url:
        made = Settings(
            kafka_bootstrap=stack.kafka_bootstrap,
            database_url=SecretStr(url),
            topic_prefix=f"{name_apart()}.",
            state_dir=state_dir,
            session_timeout=timedelta(seconds=3),
            http_port=0,
        )
        try:
            yield made
        finally:
            await _delete_topics(made)


@asynccontextmanager
async def database_apart(stack: Endpoints, template: str = "template1") -> AsyncIterator[str]:
    """The address of a copy of `template`, the server's own empty one, deleted at the end."""
    name = name_apart()
    url = await asyncio.to_thread(create_database, stack, name, template)
    try:
        yield url
    finally:
        await asyncio.to_thread(drop_database, stack, name)


def name_apart() -> str:
    """A name that nobody else uses, of a database or before those of topics."""
    return f"t{random_id().replace('-', '')[:12]}"


async def _delete_topics(settings: Settings) -> None:
    # A broker with the topics of a hundred tests is slow for the next one.
    async with admin_client(settings) as admin:
        mine = [
            name for name in await admin.list_topics() if name.startswith(settings.topic_prefix)
        ]
        if mine:
            await admin.delete_topics(mine)
