"""The command, and a database that only its migrations have filled."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from parley.db import migrations
from parley.ids import random_id
from parley.local.databases import create_database, drop_database
from parley.local.stack import Endpoints
from parley.settings import Settings
from tests.support.command import Command


@pytest.fixture
async def empty(settings: Settings, stack: Endpoints) -> AsyncIterator[Settings]:
    """The same topics, and a database without any table."""
    name = f"e{random_id().replace('-', '')[:12]}"
    url = await asyncio.to_thread(create_database, stack, name)
    yield settings.model_copy(update={"database_url": SecretStr(url)})
    await asyncio.to_thread(drop_database, stack, name)


@pytest.fixture
async def migrated(empty: Settings) -> Settings:
    """The same topics, and a database that the migrations have filled."""
    await migrations.upgrade(empty)
    return empty


@pytest.fixture
def parley(migrated: Settings) -> Command:
    """The command in the settings of `migrated`."""
    return Command(migrated)
