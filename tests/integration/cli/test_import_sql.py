"""`parley import sql`: both generations of tables, with every fault, against the real servers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from parley.db import pool as database
from parley.events import Event, ImportFinished, MessageRecorded, SessionEnded, SessionStarted
from parley.ids import random_id
from parley.local.databases import create_database, drop_database
from parley.local.stack import Endpoints
from parley.settings import Settings
from tests.integration.cli.imports import events, killed_halfway, messages, record_count, run
from tests.integration.cli.old_trackers import (
    FIRST,
    FIRST_FIGURES,
    FIRST_SESSIONS,
    MANY,
    SECOND,
    SECOND_FIGURES,
    contents,
    fill,
)
from tests.support.command import Command, said
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

SCHEMA = "Tracker 2"
STORED_SESSIONS = """
SELECT session_id, user_id, duration_seconds, is_active, end_reason, message_count
  FROM conversation_sessions
"""
SHOWN_SESSIONS = {
    ("good", "ann", 600, False, "imported", 2),
    ("active", "ann", 600, False, "imported", 1),
    ("endless", "ann", 240, False, "imported", 1),
    ("backwards", "ann", 120, False, "imported", 2),
    ("open", "ann", None, True, None, 1),
    ("silent", "ann", 60, False, "imported", 0),
    ("nobody", "bob", 300, False, "imported", 1),
    ("ghost", "eve", 180, False, "imported", 2),
}


@pytest.fixture
async def old_url(stack: Endpoints) -> AsyncIterator[str]:
    """Another database, which nobody has filled yet."""
    name = f"o{random_id().replace('-', '')[:12]}"
    yield await asyncio.to_thread(create_database, stack, name)
    await asyncio.to_thread(drop_database, stack, name)


def figures(facts: dict[str, Any]) -> dict[str, Any]:
    """What a dry run and the run itself have in common."""
    return {name: value for name, value in facts.items() if name in FIRST_FIGURES}


def moment(event: Event) -> str:
    return f"{event.event_time:%m-%d %H:%M:%S}"


def sessions(found: list[tuple[int, Event]]) -> set[tuple[str, str, str, str]]:
    """Session, user, start and end; the end is empty where none came."""
    ends = {one.session_id: moment(one) for _, one in found if isinstance(one.body, SessionEnded)}
    return {
        (one.session_id, one.user_id, moment(one), ends.get(one.session_id, ""))
        for _, one in found
        if isinstance(one.body, SessionStarted)
    }


async def test_the_first_generation_comes_in_as_its_dry_run_said_and_only_once(
    settings: Settings, parley: Command, old_url: str
) -> None:
    await fill(old_url, FIRST)
    before = await contents(old_url)
    arguments = ("import", "sql", old_url, "--skip-bad", "-o", "json")
    dry = await run(parley, *arguments, "--dry-run")
    assert dry.returncode == 0, said(dry)
    facts = orjson.loads(dry.stdout)
    assert figures(facts) == FIRST_FIGURES
    assert "session_start (start), session_end (end)" in facts["found"][0]
    assert await record_count(settings) == 0

    ended = await run(parley, *arguments, "--no-wait")
    assert ended.returncode == 0, said(ended)
    assert figures(orjson.loads(ended.stdout)) == FIRST_FIGURES
    found = await events(settings)
    assert sessions(found) == FIRST_SESSIONS
    assert len(messages(found)) == FIRST_FIGURES["messages"]
    assert len([one for _, one in found if isinstance(one.body, ImportFinished)]) == 4
    assert {one.import_id for _, one in found} == {found[0][1].import_id}
    heard = next(one for one in messages(found) if one.session_id == "active")
    assert isinstance(heard.body, MessageRecorded)
    assert heard.body.content.audio_url == "https://example.com/a.ogg"
    answer = next(one for one in messages(found) if one.client_message_id == "2")
    assert (answer.user_id, answer.conversation_id) == ("ann", "good")

    again = await run(parley, *arguments, "--no-wait")
    count = sum(FIRST_FIGURES[name] for name in ("sessions", "messages")) + 7
    assert orjson.loads(again.stdout)["already_published"] == count
    assert len(await events(settings)) == len(found) + 2 * settings.partitions
    assert await contents(old_url) == before
    password = urlsplit(old_url).password
    for one in (dry, ended, again):
        assert str(password).encode() not in one.stdout + one.stderr
        assert "secret" not in said(one)


async def test_the_second_generation_comes_in_as_its_dry_run_said(
    settings: Settings, parley: Command, old_url: str
) -> None:
    await fill(old_url, SECOND)
    before = await contents(old_url, SCHEMA)
    arguments = ("import", "sql", old_url, "--schema", SCHEMA, "--prefix", "eu-", "-o", "json")
    refused = await run(parley, *arguments, "--dry-run")
    assert refused.returncode == 1
    assert "-000000000005: another row has the same key and other content" in said(refused)
    assert figures(orjson.loads(refused.stdout)) == SECOND_FIGURES

    ended = await run(parley, *arguments, "--skip-bad", "--no-wait")
    assert ended.returncode == 0, said(ended)
    assert figures(orjson.loads(ended.stdout)) == SECOND_FIGURES
    found = await events(settings)
    talk = [one for _, one in found if one.conversation_id == "eu-talk"]
    assert [type(one.body).__name__ for one in talk] == [
        *("SessionStarted", "MessageRecorded", "MessageRecorded", "SessionEnded"),
        *("SessionStarted", "MessageRecorded", "SessionEnded"),
        "MessageRecorded",
    ]
    assert [one.session_id[-1:] for one in talk] == [*"aaaabbb", ""]
    started = [one.body for one in talk if isinstance(one.body, SessionStarted)]
    assert [one.metadata_json for one in started] == ['{"a":"x","b":1}', '{"value":[1,2]}']
    number = talk[1].body
    assert isinstance(number, MessageRecorded)
    assert number.content.metadata_json == '{"n":9007199254740993}'
    alone = {one.conversation_id for _, one in found} - {"", "eu-talk"}
    assert alone == {"eu-00000000-0000-0000-0000-00000000000c"}
    assert await contents(old_url, SCHEMA) == before


async def test_the_tables_show_what_was_put_right_and_nothing_more_after_a_second_import(
    migrated: Settings, parley: Command, old_url: str
) -> None:
    await fill(old_url, FIRST)
    pool = await database.connect(migrated)

    async def is_read() -> bool:
        ends = await record_count(migrated)
        return bool(await pool.fetchval("SELECT sum(next_offset) = $1 FROM fences", ends))

    with ServiceProcess("persister", migrated):
        for _ in range(2):
            ended = await run(parley, "import", "sql", old_url, "--skip-bad", "--no-wait")
            assert ended.returncode == 0, said(ended)
            await eventually(is_read, timeout=60)
            assert {tuple(row) for row in await pool.fetch(STORED_SESSIONS)} == SHOWN_SESSIONS
            assert await pool.fetchval("SELECT count(*) FROM conversation_messages") == 10
            assert await pool.fetchval("SELECT count(*) FROM conversations") == 8
            assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    await pool.close()


async def test_with_bad_rows_nothing_is_published_and_they_are_named(
    settings: Settings, parley: Command, old_url: str
) -> None:
    await fill(old_url, FIRST)
    ended = await run(parley, "import", "sql", old_url, "--no-wait")
    assert ended.returncode == 1
    assert "5 rows cannot be imported" in said(ended)
    assert "conversation_messages 12: its role is none of" in said(ended)
    assert "secret" not in said(ended)
    assert await record_count(settings) == 0


async def test_an_import_of_tables_that_was_killed_goes_on_where_it_was(
    settings: Settings, migrated: Settings, parley: Command, old_url: str
) -> None:
    await fill(old_url, MANY.format(sessions=1_000, messages=20_000))
    pool = await database.connect(migrated)
    known = await killed_halfway(settings, pool, parley, "import", "sql", old_url, "--no-wait")
    before = await record_count(settings)
    assert 0 < known < 22_000
    ended = await run(parley, "import", "sql", old_url, "--no-wait", "-o", "json")
    assert ended.returncode == 0, said(ended)
    assert orjson.loads(ended.stdout)["already_published"] == known
    # What was not marked before the kill, and what is new.
    assert await record_count(settings) == before + 22_000 - known + 2 * settings.partitions
    found = await events(settings)
    assert len({one.event_id for one in messages(found)}) == 20_000
    assert len({one.import_id for _, one in found}) == 1
    await pool.close()


@pytest.mark.parametrize(
    ("url", "said_of_it"),
    [
        ("postgresql://u:hush@127.0.0.1:1/x", "Cannot read the database at 127.0.0.1:1/x"),
        ("postgresql://u:hush/hush@127.0.0.1/x", "The URL is not understood"),
        ("mysql://u:hush@127.0.0.1/x", "The URL is not understood"),
        ("hush", "The URL is not understood"),
    ],
)
async def test_no_part_of_a_url_that_is_secret_is_ever_shown(
    parley: Command, url: str, said_of_it: str
) -> None:
    ended = await asyncio.to_thread(
        parley, "import", "sql", "--dry-run", variables={"SOURCE_DATABASE_URL": url}
    )
    assert ended.returncode == 1
    assert said_of_it in said(ended)
    assert b"hush" not in ended.stdout + ended.stderr
    assert "Traceback" not in said(ended)


async def test_what_is_no_trackers_database_is_named(
    migrated: Settings, parley: Command, old_url: str
) -> None:
    ended = await run(parley, "import", "sql", old_url, "--dry-run")
    assert "There is no table conversation_sessions" in said(ended)
    own = migrated.database_url.get_secret_value()
    ended = await run(parley, "import", "sql", own, "--dry-run")
    assert "These tables are Parley's own" in said(ended)
    assert ended.returncode == 1
