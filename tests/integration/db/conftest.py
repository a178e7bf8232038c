"""Roles and logins of a test's own database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from parley.db import roles
from parley.db.roles import Login, Role
from parley.ids import random_id
from parley.settings import Settings

Connect = Callable[..., Awaitable[Any]]


@pytest.fixture
async def with_roles(pool: Any) -> Any:
    """The pool of the owner, once the roles are there with their rights."""
    async with pool.acquire() as connection, connection.transaction():
        await roles.create(connection)
    return pool


@pytest.fixture
async def connect(with_roles: Any, settings: Settings) -> AsyncIterator[Connect]:
    """Makes a login of a role, of a tenant and a user or of none, and connects as it."""
    pool, opened = with_roles, []

    async def connect_as(role: Role, tenant: str | None = None, user: str | None = None) -> Any:
        name = f"l{random_id().replace('-', '')[:12]}"
        async with pool.acquire() as connection, connection.transaction():
            await roles.create_login(connection, Login(name, role, tenant, user), "secret")
        own = urlsplit(settings.database_url.get_secret_value())
        place = own.netloc.rpartition("@")[2]
        made = await asyncpg.connect(own._replace(netloc=f"{name}:secret@{place}").geturl())
        opened.append((name, made))
        return made

    yield connect_as
    for name, made in opened:
        await made.close()
        async with pool.acquire() as connection, connection.transaction():
            await roles.drop_login(connection, name)
