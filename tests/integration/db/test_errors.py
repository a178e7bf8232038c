"""What a broken connection looks like to those who must try again."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from parley.db.errors import is_transient
from parley.local import ports
from parley.settings import Settings
from tests.support.tcp_proxy import proxied
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def test_a_connection_that_the_server_ended_between_two_statements_is_tried_again(
    settings: Settings, pool: Any
) -> None:
    url = urlsplit(settings.database_url.get_secret_value())
    async with proxied(ports.LOOPBACK, int(url.port or 0)) as proxy:
        netloc = f"{url.username}:{url.password}@{ports.LOOPBACK}:{proxy.port}"
        connection = await asyncpg.connect(url._replace(netloc=netloc).geturl())
        # The last word of the server comes alone; the end of the connection comes later.
        proxy.hold_ends()
        pid, passed_bytes = connection.get_server_pid(), proxy.passed_bytes
        await pool.execute("SELECT pg_terminate_backend($1)", pid)

        async def has_heard() -> bool:
            return proxy.passed_bytes > passed_bytes

        await eventually(has_heard)
        # The driver is in the same loop, and reads what lies in its socket when its turn comes.
        await asyncio.sleep(0.1)
        with pytest.raises(asyncpg.InternalClientError) as refused:
            await connection.execute("COMMIT")
        assert is_transient(refused.value)
        connection.terminate()
        proxy.heal()
