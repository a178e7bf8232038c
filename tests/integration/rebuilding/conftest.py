"""Tables as the migrations make them, which the commands ask for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from parley.db import migrations
from parley.db import pool as database
from parley.ids import random_id
from parley.local.databases import create_database, drop_database
from parley.local.stack import Endpoints
from parley.log.admin import apply_topics
from parley.settings import Settings
from tests.support.passes import apply_shipped


@pytest.fixture
async def migrated(empty_settings: Settings) -> Settings:
    """Topics and tables that no other test sees."""
    await apply_topics(empty_settings)
    await apply_shipped(empty_settings)
    await migrations.upgrade(empty_settings)
    return empty_settings


@pytest.fixture
async def tables(migrated: Settings) -> AsyncIterator[Any]:
    """Connections to those tables."""
    made = await database.connect(migrated)
    yield made
    await made.close()


@pytest.fixture
async def beside(migrated: Settings, stack: Endpoints) -> AsyncIterator[Settings]:
    """The same topics, and another database with nothing in it."""
    name = f"b{random_id().replace('-', '')[:12]}"
    url = await asyncio.to_thread(create_database, stack, name)
    yield migrated.model_copy(update={"database_url": SecretStr(url)})
    await asyncio.to_thread(drop_database, stack, name)
