"""Rights, policies and views are those of before once the tables were swapped."""

import asyncio
from typing import Any

import pytest

from parley.db.roles import Role
from parley.settings import Settings
from tests.integration.db.conftest import Connect
from tests.support.command import Command, said
from tests.support.publish import TENANT, message, publish

pytestmark = pytest.mark.integration

POLICIES = "SELECT tablename, policyname, roles, qual FROM pg_policies ORDER BY 1, 2"
RIGHTS = """
SELECT table_schema, table_name, grantee, privilege_type FROM information_schema.table_privileges
 WHERE grantee LIKE 'parley\\_%' ORDER BY 1, 2, 3, 4
"""


async def test_a_rebuild_keeps_rights_policies_and_views(
    with_roles: Any, connect: Connect, settings: Settings
) -> None:
    await with_roles.execute("CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
    await with_roles.execute("INSERT INTO alembic_version VALUES ('0001')")
    await with_roles.execute("INSERT INTO tenants VALUES ('default', '', true, 'me', now())")
    await publish(settings, [message("c", number, user_id="ada") for number in range(20)])
    before = [await with_roles.fetch(query) for query in (POLICIES, RIGHTS)]
    ended = await asyncio.to_thread(Command(settings), "rebuild", "-o", "json")
    assert ended.returncode == 0, said(ended)
    assert [await with_roles.fetch(query) for query in (POLICIES, RIGHTS)] == before
    reader = await connect(Role.READER, TENANT)
    assert await reader.fetchval("SELECT messages FROM daily_counts") == 20
    assert await reader.fetchval("SELECT count(*) FROM tenants") == 1
    stranger = await connect(Role.READER, "another")
    assert await stranger.fetchval("SELECT count(*) FROM conversation_messages") == 0
    writer = await connect(Role.WRITER, TENANT)
    await writer.execute("SELECT record_message('c', 'user', 'hello')")
