"""Who sees and does what in the database: by roles, logins and row-level security."""

from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import pytest

from parley.db import roles, rules
from parley.db.roles import VERBS, Login, Role
from parley.ids import random_id
from parley.settings import Settings
from tests.integration.db.conftest import Connect
from tests.support.rights import attempts, documented_rights, found_rights
from tests.support.rows import fill

pytestmark = pytest.mark.integration

SEEN: Final = (
    *("conversations", "conversation_sessions", "conversation_messages", "message_versions"),
    *("conversation_events", "user_preferences", "segments", "segment_revisions", "verdicts"),
)


async def test_every_table_with_a_tenant_has_a_policy(with_roles: Any) -> None:
    unprotected = await with_roles.fetch(
        """
        SELECT class.oid::regclass::text FROM pg_class AS class
          JOIN pg_attribute ON attrelid = class.oid AND attname = 'tenant_id'
         WHERE relkind IN ('r', 'p') AND relpersistence = 'p'
           AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
           AND NOT (relrowsecurity AND EXISTS (
                 SELECT FROM pg_policy WHERE polrelid = class.oid AND polname = 'tenant_rows'))
        """
    )
    assert unprotected == []
    assert len(rules.tenant_tables()) >= 18


async def test_every_view_asks_with_the_rights_of_who_asks(with_roles: Any) -> None:
    rows = await with_roles.fetch(
        """
        SELECT relname::text FROM pg_class
         WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace
           AND reloptions @> '{security_invoker=true}'
        """
    )
    assert {row["relname"] for row in rows} == set(rules.VIEWS)


@pytest.mark.parametrize("role", Role)
async def test_a_role_may_do_what_the_matrix_says_and_nothing_else(
    with_roles: Any, role: Role
) -> None:
    async with with_roles.acquire() as connection:
        await connection.execute(f"SET ROLE {role.pg_name}")
        try:
            assert await found_rights(connection) == documented_rights(role)
        finally:
            await connection.execute("RESET ROLE")


def test_the_verbs_that_are_tried_are_those_of_the_matrix() -> None:
    assert set(VERBS) | {"TRUNCATE"} == set(attempts("t", "c"))


async def test_a_service_login_is_made_once_and_then_given_another_password(
    with_roles: Any, settings: Settings
) -> None:
    name = f"l{random_id().replace('-', '')[:12]}"
    own = urlsplit(settings.database_url.get_secret_value())
    place = own.netloc.rpartition("@")[2]
    async with with_roles.acquire() as connection:
        for password, is_new in (("first", True), ("second", False)):
            login = Login(name, Role.SEALER)
            async with connection.transaction():
                assert await roles.put_login(connection, login, password) is is_new
            url = own._replace(netloc=f"{name}:{password}@{place}").geturl()
            came = await asyncpg.connect(url)
            assert await found_rights(came) == documented_rights(Role.SEALER)
            await came.close()
        # Nobody else's password is changed, and no role is added to another.
        for taken in (Login(name, Role.GATEWAY), Login("parley_sealer", Role.SEALER)):
            with pytest.raises(ValueError, match=taken.name):
                await roles.put_login(connection, taken, "third")
        owner = await connection.fetchval("SELECT current_user::text")
        with pytest.raises(ValueError, match=owner):
            await roles.put_login(connection, Login(owner, Role.SEALER), "third")
        await roles.drop_login(connection, name)


async def test_roles_are_given_the_same_rights_again_after_somebody_gave_them_more(
    with_roles: Any,
) -> None:
    await with_roles.execute("GRANT ALL ON conversation_messages TO parley_analyzer")
    async with with_roles.acquire() as connection, connection.transaction():
        await roles.create(connection)
    assert not await with_roles.fetchval(
        "SELECT has_table_privilege('parley_analyzer', 'conversation_messages', 'INSERT')"
    )


async def test_a_reader_sees_the_rows_of_its_tenant_in_every_table(
    with_roles: Any, connect: Connect
) -> None:
    await fill(with_roles)
    acme = await connect(Role.READER, "acme")
    assert await count(acme) == {"acme": dict.fromkeys(SEEN, 2)}
    # What its connection says changes nothing.
    await acme.execute("SELECT set_config('parley.tenant_id', 'other', false)")
    assert set(await count(acme)) == {"acme"}
    assert await acme.fetchval("SELECT count(*) FROM daily_counts") == 1
    assert await acme.fetchval("SELECT sum(messages) FROM daily_counts") == 2
    assert await acme.fetchval("SELECT count(*) FROM completed_sessions") == 2
    assert await acme.fetchval("SELECT sessions FROM average_session_duration") == 2


async def test_a_login_of_a_user_sees_that_users_rows_only(
    with_roles: Any, connect: Connect
) -> None:
    await fill(with_roles)
    ada = await connect(Role.READER, "acme", "ada")
    await ada.execute("SELECT set_config('parley.user_id', 'bob', false)")
    hidden = {"message_versions", "conversation_events"}
    assert await count(ada) == {"acme": {name: 1 for name in SEEN if name not in hidden}}
    assert await ada.fetchval("SELECT user_id FROM conversations") == "ada"
    # What nobody is named for in a conversation of hers is hers too, such as an agent's answer.
    await with_roles.execute("UPDATE conversation_messages SET user_id = NULL")
    assert await ada.fetchval("SELECT content FROM conversation_messages") == "ada says"


async def test_a_login_of_any_tenant_says_for_whom_it_asks(
    with_roles: Any, connect: Connect
) -> None:
    await fill(with_roles)
    app = await connect(Role.READER)
    assert await count(app) == {}
    async with app.transaction():
        await app.execute("SELECT set_config('parley.tenant_id', 'acme', true)")
        assert set(await count(app)) == {"acme"}
        await app.execute("SELECT set_config('parley.user_id', 'bob', true)")
        assert await app.fetchval("SELECT user_id FROM conversations") == "bob"
    assert await count(app) == {}


async def test_a_login_that_nobody_registered_sees_nothing(
    with_roles: Any, connect: Connect
) -> None:
    await fill(with_roles)
    stranger = await connect(Role.READER, "acme")
    await with_roles.execute("DELETE FROM operations.logins")
    await stranger.execute("SELECT set_config('parley.tenant_id', 'acme', false)")
    assert await count(stranger) == {}


async def test_a_service_sees_every_tenant(with_roles: Any, connect: Connect) -> None:
    await fill(with_roles)
    gateway = await connect(Role.GATEWAY)
    rows = await gateway.fetch("SELECT DISTINCT tenant_id FROM conversation_messages ORDER BY 1")
    assert [row["tenant_id"] for row in rows] == ["acme", "other"]


async def test_nobody_reads_or_writes_who_is_who(with_roles: Any, connect: Connect) -> None:
    for role in Role:
        someone = await connect(role, *(["acme"] if role in (Role.READER, Role.WRITER) else []))
        for statement in (
            "SELECT * FROM operations.logins",
            "UPDATE operations.logins SET tenant_id = 'other'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await someone.execute(statement)


async def count(connection: Any) -> dict[str, dict[str, int]]:
    """How many rows of each tenant a login sees, by table."""
    found: dict[str, dict[str, int]] = {}
    for table in SEEN:
        query = f"SELECT tenant_id, count(*) FROM {table} GROUP BY 1"  # noqa: S608
        for tenant_id, rows in await connection.fetch(query):
            found.setdefault(tenant_id, {})[table] = rows
    return found
