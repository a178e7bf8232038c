"""record_message(): what people write with SQL goes into the inbox, and no further by itself."""

import json
from random import Random
from typing import Any

import asyncpg
import pytest

from parley.db.roles import Role
from parley.ids import derived_id, message_event_id
from tests.integration.db.conftest import Connect

pytestmark = pytest.mark.integration

RECORD = "SELECT record_message($1, $2, $3, message_id => $4)::text"


async def test_ids_that_the_database_derives_are_those_of_python(pool: Any) -> None:
    chance = Random(5)
    letters = "aZ:0 é漢🎈\n"
    for length in (*range(130), 600):
        parts = ["".join(chance.choices(letters, k=chance.randint(0, length))) for _ in range(4)]
        parts[0] = "x" * length
        found = await pool.fetchval("SELECT operations.derived_id(VARIADIC $1)::text", parts)
        assert found == derived_id(*parts)


async def test_a_message_takes_user_session_and_channel_from_the_open_session(
    with_roles: Any, connect: Connect
) -> None:
    await start_session(with_roles, "c", "s1", user="ada", channel="phone")
    writer = await connect(Role.WRITER, "acme")
    event_id = await writer.fetchval(RECORD, "c", "user", "hello", "1")
    row = await inbox_row(with_roles)
    assert (row["session_id"], row["user_id"], row["channel"]) == ("s1", "ada", "phone")
    login = await writer.fetchval("SELECT session_user")
    assert row["sender"] == f"sql:{login}"
    assert event_id == message_event_id("acme", "c", f"sql:{login}", "", "1")
    assert str(row["event_id"]) == event_id


async def test_what_is_said_outranks_the_open_session(with_roles: Any, connect: Connect) -> None:
    await start_session(with_roles, "c", "s1", user="ada", channel="phone")
    writer = await connect(Role.WRITER, "acme")
    await writer.execute(
        "SELECT record_message('c', 'assistant', 'hi', user_id => 'bob', session_id => 's9',"
        " channel => 'web', metadata => $1, language => 'en')",
        json.dumps({"a": 1}),
    )
    row = await inbox_row(with_roles)
    assert (row["user_id"], row["session_id"], row["channel"]) == ("bob", "s9", "web")
    assert (row["metadata_text"], row["language"]) == ('{"a": 1}', "en")


async def test_a_known_id_is_ignored_and_another_content_under_it_is_refused(
    with_roles: Any, connect: Connect
) -> None:
    writer = await connect(Role.WRITER, "acme")
    first = await writer.fetchval(RECORD, "c", "user", "hello", "1")
    assert await writer.fetchval(RECORD, "c", "user", "hello", "1") == first
    with pytest.raises(asyncpg.UniqueViolationError):
        await writer.execute(RECORD, "c", "user", "something else", "1")
    # Without an id each is a message of its own.
    for no_id in (None, None, "", ""):
        await writer.execute(RECORD, "c", "user", "hello", no_id)
    assert await with_roles.fetchval("SELECT count(*) FROM operations.inbox") == 5


async def test_an_event_that_is_stored_is_known_after_the_inbox_was_emptied(
    with_roles: Any, connect: Connect
) -> None:
    writer = await connect(Role.WRITER, "acme")
    event_id = await writer.fetchval(RECORD, "c", "user", "hello", "1")
    await with_roles.execute("DELETE FROM operations.inbox")
    await with_roles.execute(
        "INSERT INTO conversation_events (tenant_id, event_id, conversation_id, kind, incarnation,"
        " partition, log_offset, append_time, event_time, value)"
        " VALUES ('acme', $1::uuid, 'c', 'message_recorded', 'i', 0, 0, now(), now(), '')",
        event_id,
    )
    assert await writer.fetchval(RECORD, "c", "user", "hello", "1") == event_id
    assert await with_roles.fetchval("SELECT count(*) FROM operations.inbox") == 0


@pytest.mark.parametrize(
    "call",
    [
        "record_message('', 'user', 'x')",
        "record_message(NULL, 'user', 'x')",
        "record_message('c', 'robot', 'x')",
        "record_message('c', NULL, 'x')",
        "record_message('c', 'user', '')",
        "record_message('c', 'user', NULL)",
        "record_message('c', 'user', 'x', metadata => '[1]')",
        "record_message('c', 'user', 'x', occurred_at => '1899-12-31T23:59:59Z')",
        "record_message('c', 'user', 'x', occurred_at => '2200-01-01T00:00:00Z')",
        "record_message('c', 'user', 'x', occurred_at => '20000-01-01')",
        "record_message('c', 'user', 'x', occurred_at => '0044-03-15 BC')",
        "record_message('c', 'user', 'x', occurred_at => 'infinity')",
        "record_message('c', 'user', repeat('é', 500001))",
        "record_message('c', 'user', repeat('x', 600000), audio_url => repeat('y', 400001))",
    ],
)
async def test_what_no_message_can_be_is_refused_at_once(connect: Connect, call: str) -> None:
    writer = await connect(Role.WRITER, "acme")
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await writer.execute(f"SELECT {call}")


async def test_nobody_writes_for_another_tenant(with_roles: Any, connect: Connect) -> None:
    writer = await connect(Role.WRITER, "acme")
    await writer.execute("SELECT set_config('parley.tenant_id', 'other', false)")
    await writer.execute(RECORD, "c", "user", "hello", "1")
    assert (await inbox_row(with_roles))["tenant_id"] == "acme"
    nobody = await connect(Role.WRITER)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no tenant"):
        await nobody.execute(RECORD, "c", "user", "hello", "1")
    reader = await connect(Role.READER, "acme")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute(RECORD, "c", "user", "hello", "1")


async def test_a_user_speaks_for_itself_in_its_own_conversations(
    with_roles: Any, connect: Connect
) -> None:
    await start_session(with_roles, "of bob", "s1", user="bob")
    ada = await connect(Role.WRITER, "acme", "ada")
    for call in (
        "record_message('c', 'assistant', 'x')",
        "record_message('c', 'user', 'x', user_id => 'bob')",
        "record_message('of bob', 'user', 'x')",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="own conversations"):
            await ada.execute(f"SELECT {call}")
    await start_session(with_roles, "of nobody", "s2", user=None)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="own sessions"):
        await ada.execute("SELECT record_message('of nobody', 'user', 'x', session_id => 's2')")
    await ada.execute(RECORD, "c", "user", "hello", "1")
    assert (await inbox_row(with_roles))["user_id"] == "ada"


async def test_a_disabled_tenant_and_an_ended_conversation_take_nothing(
    with_roles: Any, connect: Connect
) -> None:
    writer = await connect(Role.WRITER, "acme")
    await start_session(with_roles, "c", "s1", user="ada")
    await with_roles.execute("UPDATE conversations SET state = 'ended'")
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
        await writer.execute(RECORD, "c", "user", "hello", "1")
    await with_roles.execute("INSERT INTO tenants VALUES ('acme', '', false, 'me', now())")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="disabled"):
        await writer.execute(RECORD, "another", "user", "hello", "1")


async def test_a_full_inbox_refuses(with_roles: Any, connect: Connect) -> None:
    writer = await connect(Role.WRITER, "acme")
    await writer.execute(RECORD, "c", "user", "hello", "1")
    await with_roles.execute("ALTER TABLE operations.inbox ALTER COLUMN id RESTART WITH 100001")
    await writer.execute(RECORD, "c", "user", "hello", "2")
    with pytest.raises(asyncpg.ConfigurationLimitExceededError):
        await writer.execute(RECORD, "c", "user", "hello", "3")


async def test_the_owner_writes_for_the_tenant_that_it_names(with_roles: Any) -> None:
    async with with_roles.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('parley.tenant_id', 'acme', true)")
        await connection.execute(RECORD, "c", "user", "hello", "1")
    assert (await inbox_row(with_roles))["tenant_id"] == "acme"


async def start_session(
    pool: Any, conversation_id: str, session_id: str, *, user: str | None, channel: str = ""
) -> None:
    await pool.execute(
        "INSERT INTO conversations (tenant_id, conversation_id, user_id, first_event_at,"
        " last_event_at) VALUES ('acme', $1, $2, now(), now())",
        conversation_id,
        user,
    )
    await pool.execute(
        "INSERT INTO conversation_sessions (tenant_id, conversation_id, session_id, generation,"
        " user_id, channel, started_at, last_event_at)"
        " VALUES ('acme', $1, $2, 1, $3, $4, now(), now())",
        conversation_id,
        session_id,
        user,
        channel,
    )


async def inbox_row(pool: Any) -> Any:
    (row,) = await pool.fetch("SELECT * FROM operations.inbox")
    return row
