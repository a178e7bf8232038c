"""`parley verify` finds what somebody changed by hand, in every table, and nothing else."""
# The tables are named by ourselves.
# ruff: noqa: S608

import asyncio
from typing import Any

import orjson
import pytest

from parley.rebuilding.comparing import TABLES
from parley.settings import Settings
from tests.integration.rebuilding.talk import Talk, running, send, settled, talking
from tests.support.command import Command, said

# Services, commands and replays are many processes for a small machine.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

# A column of each table that is not part of its key, and another value for it.
EDITED = {
    "conversations": ("state", "'speaking'"),
    "conversation_sessions": ("message_count", "4711"),
    "conversation_messages": ("content", "'something else'"),
    "message_versions": ("content", "'something else'"),
    "conversation_events": ("value", "'\\x00'"),
    "user_preferences": ("voice", "'another'"),
    "segments": ("message_count", "4711"),
    "segment_revisions": ("member_digest", "'\\x00'"),
    "verdicts": ("output", "'{}'"),
}


async def verify(settings: Settings, status: int) -> list[dict[str, str]]:
    """The differences; the command must end with that status."""
    ended = await asyncio.to_thread(Command(settings), "verify", "-o", "json", timeout_s=400)
    assert ended.returncode == status, said(ended)
    found: list[dict[str, str]] = orjson.loads(ended.stdout)
    return found


async def test_a_row_deleted_edited_or_added_by_hand_is_named(
    migrated: Settings, tables: Any
) -> None:
    talk = Talk(migrated, users=("ada", "ben", "eve"))
    async with running(migrated):
        await send(migrated, talk.records(600))
        await settled(tables, talk)
        assert await verify(migrated, status=0) == []
        expected = set()
        for table in TABLES:
            expected |= await damage(tables, table.name)
        found = await verify(migrated, status=1)
        named = {(one["kind"], one["table"], one["row"]) for one in found}
        assert named == expected
        edited = {one["table"]: one["columns"] for one in found if one["kind"] == "edited row"}
        assert edited == {table: column for table, (column, _) in EDITED.items()}
        assert "something else" not in repr(found)


async def damage(tables: Any, table: str) -> set[tuple[str, str, str]]:
    """Delete one row, edit one, add one; returns what is to be found."""
    keys = [one.name for one in next(t for t in TABLES if t.name == table).primary_key.columns]
    named = " || ', ' || ".join(f"'{one}=' || {one}::text" for one in keys)
    other = "gen_random_uuid()" if keys[-1] in ("id", "event_id", "version_id") else None
    column, value = EDITED[table]
    async with tables.acquire() as connection, connection.transaction():
        # Without the foreign key: a session goes, and its messages stay.
        await connection.execute("SET LOCAL session_replication_role = replica")
        rows = await connection.fetch(f"SELECT {named} AS name, ctid FROM {table} ORDER BY 1")
        assert len(rows) >= 2, table
        gone, edited = rows[0], rows[-1]
        await connection.execute(f"DELETE FROM {table} WHERE ctid = $1", gone["ctid"])
        await connection.execute(
            f"UPDATE {table} SET {column} = {value} WHERE ctid = $1", edited["ctid"]
        )
        added = await add(connection, table, keys[-1], other, named)
    return {
        ("missing row", table, gone["name"]),
        ("edited row", table, edited["name"]),
        ("added row", table, added),
    }


async def add(connection: Any, table: str, key: str, other: str | None, named: str) -> str:
    """Add a copy of a row under another key."""
    columns = await connection.fetch(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'",
        table,
    )
    names = [row["column_name"] for row in columns]
    kind = await connection.fetchval(
        "SELECT data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = $1 AND column_name = $2",
        table,
        key,
    )
    changed = {"uuid": "gen_random_uuid()", "bigint": "4711", "text": "'added'"}[kind]
    values = ", ".join(changed if one == key else one for one in names)
    added: str = await connection.fetchval(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} LIMIT 1"
        f" RETURNING {named}"
    )
    return added


async def test_tables_that_are_being_filled_do_not_differ(migrated: Settings, tables: Any) -> None:
    talk = Talk(migrated)
    async with running(migrated), talking(talk):
        await send(migrated, talk.records(500))
        assert await verify(migrated, status=0) == []


async def test_another_position_is_told_from_another_content(
    migrated: Settings, tables: Any
) -> None:
    talk = Talk(migrated)
    async with running(migrated, "persister"):
        await send(migrated, talk.records(100))
        await settled(tables, talk, readers=["persister"])
        await tables.execute(
            "UPDATE conversation_messages SET log_offset = log_offset + 1"
            " WHERE id = (SELECT min(id::text)::uuid FROM conversation_messages)"
        )
        (found,) = await verify(migrated, status=1)
    assert (found["kind"], found["columns"]) == ("other position", "log_offset")


async def test_a_difference_is_shown_to_people_too(migrated: Settings, tables: Any) -> None:
    async with running(migrated, "persister"):
        talk = Talk(migrated)
        await send(migrated, talk.records(50))
        await settled(tables, talk, readers=["persister"])
        await tables.execute("DELETE FROM conversations")
    ended = await asyncio.to_thread(Command(migrated), "verify", "--limit", "3", timeout_s=400)
    assert ended.returncode == 1
    assert ended.stdout.decode().count("missing row") == 3
    assert "The tables and the log differ" in said(ended)
