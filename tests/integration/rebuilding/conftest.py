"""Tables as the migrations make them, which the commands ask for."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from parley.db import migrations
from parley.db import pool as database
from parley.local.stack import Endpoints
from parley.log.admin import apply_topics
from parley.settings import Settings
from tests.support.apart import database_apart, settings_apart
from tests.support.passes import apply_shipped


@pytest.fixture
async def migrated(
    stack: Endpoints, migrated_template: str, tmp_path: Path
) -> AsyncIterator[Settings]:
    """Topics and tables that no other test sees."""
    async with settings_apart(stack, tmp_path / "state", migrated_template) as made:
        await apply_topics(made)
        await apply_shipped(made)
        # Rights on the database itself are not copied.
        await migrations.upgrade(made)
        yield made


@pytest.fixture
async def tables(migrated: Settings) -> AsyncIterator[Any]:
    """Connections to those tables."""
    made = await database.connect(migrated)
    yield made
    await made.close()


@pytest.fixture
async def beside(migrated: Settings, stack: Endpoints) -> AsyncIterator[Settings]:
    """The same topics, and another database with nothing in it."""
    async with database_apart(stack) as url:
        yield migrated.model_copy(update={"database_url": SecretStr(url)})
