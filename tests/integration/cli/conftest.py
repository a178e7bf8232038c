"""The command, and a database that only its migrations have filled."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from parley.db import migrations
from parley.local.stack import Endpoints
from parley.settings import Settings
from tests.support.apart import database_apart
from tests.support.command import Command


@pytest.fixture
async def empty(settings: Settings, stack: Endpoints) -> AsyncIterator[Settings]:
    """The same topics, and a database without any table."""
    async with database_apart(stack) as url:
        yield settings.model_copy(update={"database_url": SecretStr(url)})


@pytest.fixture
async def migrated(
    settings: Settings, stack: Endpoints, migrated_template: str
) -> AsyncIterator[Settings]:
    """The same topics, and a database that the migrations have filled."""
    async with database_apart(stack, migrated_template) as url:
        made = settings.model_copy(update={"database_url": SecretStr(url)})
        # Rights on the database itself are not copied.
        await migrations.upgrade(made)
        yield made


@pytest.fixture
def parley(migrated: Settings) -> Command:
    """The command in the settings of `migrated`."""
    return Command(migrated)
