"""Every service does its work as its own role, with no right but its own."""

from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from parley.db import roles
from parley.db.roles import SERVICES, Login
from parley.ids import random_id
from parley.settings import Settings
from tests.support.passes import apply_shipped
from tests.support.processes import ServiceProcess
from tests.support.publish import message, publish, short_policy
from tests.support.views import residue
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def test_a_conversation_becomes_rows_segments_and_verdicts(
    with_roles: Any, settings: Settings
) -> None:
    pool, names = with_roles, {role: f"l{random_id().replace('-', '')[:12]}" for role in SERVICES}
    for role, name in names.items():
        async with pool.acquire() as connection, connection.transaction():
            await roles.create_login(connection, Login(name, role), "secret")
    own = urlsplit(settings.database_url.get_secret_value())
    place = own.netloc.rpartition("@")[2]
    with ExitStack() as running:
        for role, name in names.items():
            url = own._replace(netloc=f"{name}:secret@{place}").geturl()
            running.enter_context(ServiceProcess(role.value, settings, DATABASE_URL=url))
        await apply_shipped(settings)
        policy = short_policy()
        await publish(settings, [message("c", number, policy=policy) for number in range(5)])
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT set_config('parley.tenant_id', 'default', true)")
            await connection.execute("SELECT record_message('d', 'user', 'hello')")

        async def is_done() -> bool:
            row = await pool.fetchrow(
                "SELECT (SELECT count(*) FROM conversation_messages) AS messages,"
                " (SELECT count(*) FROM verdicts) AS verdicts"
            )
            return bool(row["messages"] == 6 and row["verdicts"] >= 2)

        await eventually(is_done, timeout=90)
        assert await residue(pool) == 0
    for name in names.values():
        async with pool.acquire() as connection, connection.transaction():
            await roles.drop_login(connection, name)
