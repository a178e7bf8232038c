"""Retention: what was said before goes, and the order of reading and deleting does not matter."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from parley.events import Event, PreferencesChanged
from parley.retaining import Kept, count, keep, keep_answers
from parley.settings import Settings
from services.persister.core.rows import ReceivedEvent
from services.persister.store.events import EventTables
from tests.integration.persister.reading import view
from tests.support.command import Command, said
from tests.support.processes import ServiceProcess
from tests.support.publish import TENANT, message, publish
from tests.support.rows import NOW, fill
from tests.support.wait import eventually
from tests.unit.persister.samples import at, event, random_events, received

pytestmark = pytest.mark.integration

SEEDS = 12


async def test_tables_that_are_filled_anew_and_kept_equal_those_that_were_kept_all_along(
    pool: Any,
) -> None:
    for seed in range(SEEDS):
        chance = Random(seed)
        events = random_events(chance, 60)
        early, late = f"early-{seed}", f"late-{seed}"
        middle = chance.randrange(60)
        # Kept after half of them, and read on from there, with repetitions of what has gone.
        await write(pool, of_tenant(early, events[:middle]))
        await keep(pool, Kept(early, at(10)))
        await write(pool, of_tenant(early, [*events[middle:], *chance.choices(events, k=20)]))
        await keep(pool, Kept(early, at(15)))
        await write(pool, of_tenant(late, events))
        await keep(pool, Kept(late, at(15)))
        assert await view(pool, early) == await view(pool, late), f"seed {seed}"


async def test_nothing_of_before_stays_and_everything_since_does(pool: Any) -> None:
    prefers = PreferencesChanged("warm", "en", "", "")
    whose = {"conversation_id": "preferences:ada", "session_id": "", "user_id": "ada"}
    events = [*random_events(Random(3), 80), event("prefers", prefers, 1, **whose)]
    for tenant in ("kept", "whole"):
        await write(pool, of_tenant(tenant, events))
    wanted = await view(pool, "whole")
    cutoff = at(15).isoformat()
    expected = [row for row in wanted["conversation_messages"] if row["event_time"] >= cutoff]
    assert 0 < len(expected) < len(wanted["conversation_messages"])
    counts = await count(pool, Kept("kept", at(15)))
    gone: list[int] = []
    await keep(pool, Kept("kept", at(15)), gone.append)
    assert sum(gone) == sum(counts.values())
    found = await view(pool, "kept")
    assert found["conversation_messages"] == expected
    for session in found["conversation_sessions"]:
        key = (session["session_id"], session["conversation_id"])
        named = [one for one in expected if (one["session_id"], one["conversation_id"]) == key]
        assert session["message_count"] == len(named)
    # Another tenant has lost nothing, and a second time there is nothing to do.
    assert await view(pool, "whole") == wanted
    assert not any((await count(pool, Kept("kept", at(15)))).values())


async def test_segments_verdicts_and_dead_letters_go_as_well(pool: Any) -> None:
    await fill(pool)
    await pool.execute("UPDATE segments SET ended_at = $1::text::timestamptz", NOW)
    for tenant in (b"acme", b"acme2"):
        await pool.execute(
            "INSERT INTO dead_letters (service, topic, incarnation, partition, log_offset, reason,"
            " detail, append_time, key, headers) VALUES ('p', $2, 'i', 0, 0, 'r', '',"
            " $3::text::timestamptz, $1, '[]')",
            tenant + b"\0c",
            tenant.decode(),
            NOW,
        )
    kept = Kept("acme", at(60 * 24 * 10_000))
    assert await count(pool, kept) == {
        **dict.fromkeys(("conversation_messages", "message_versions", "conversation_events"), 2),
        **dict.fromkeys(("segments", "segment_revisions", "verdicts"), 2),
        "dead_letters": 1,
        "answers": 0,
    }
    await keep(pool, kept)
    assert not any((await count(pool, kept)).values())
    assert await pool.fetchval("SELECT count(*) FROM verdicts WHERE tenant_id = 'other'") == 2
    assert await pool.fetchval("SELECT key FROM dead_letters") == b"acme2\0c"


async def test_what_models_said_goes_as_well(pool: Any) -> None:
    await pool.execute(
        "INSERT INTO operations.memo SELECT tenant, '', 'c', '{}', 'm', '', $1"
        " FROM unnest(ARRAY['kept', 'other']) AS tenant",
        at(1),
    )
    await pool.execute(
        "INSERT INTO operations.jobs (tenant_id, segment_id, revision, pass_name, pass_version,"
        " conversation_id, fingerprint, source_partition, incarnation, events_partition,"
        " decided_offset, started_at, ended_at, first_event_id, last_event_id, message_count,"
        " member_digest, trigger, sealed_at, raw_answer)"
        " SELECT 'kept', gen_random_uuid(), 1, 'p', 1, 'c', 'f', 0, 'i', 0, 0, $1, ended,"
        " gen_random_uuid(), gen_random_uuid(), 1, '', 'seal', $1, 'she said'"
        " FROM unnest(ARRAY[$1, $2]::timestamptz[]) AS ended",
        at(1),
        at(20),
    )
    kept = Kept("kept", at(15))
    assert (await count(pool, kept))["answers"] == 1
    await keep_answers(pool, kept)
    assert [row["tenant_id"] for row in await pool.fetch("SELECT * FROM operations.memo")] == [
        "other"
    ]
    rows = await pool.fetch("SELECT raw_answer FROM operations.jobs ORDER BY ended_at")
    assert [row["raw_answer"] for row in rows] == [None, "she said"]


async def test_the_command_counts_records_and_deletes(settings: Settings, pool: Any) -> None:
    parley = Command(settings)
    old = message("c", "old", at=at(0), received_at=at(0), import_id="i")
    await publish(settings, [old, message("c", "new")])
    with ServiceProcess("persister", settings):
        await eventually(lambda: is_count(pool, 2))
        assert (await asyncio.to_thread(parley, "retention", "set", TENANT)).returncode == 1
        await asyncio.to_thread(parley.json, "retention", "set", TENANT, "--days", "30")
        (row,) = await asyncio.to_thread(parley.json, "retention", "apply", "--dry-run")
        assert (row["tenant"], row["conversation_messages"]) == (TENANT, 1)
        assert await is_count(pool, 2)
        ended = await asyncio.to_thread(parley, "retention", "apply")
        assert ended.returncode == 0, said(ended)
        assert await is_count(pool, 1)
        cutoff = await eventually(lambda: pool.fetchval("SELECT cutoff FROM retention"))
    (row,) = await asyncio.to_thread(parley.json, "retention", "list")
    assert (row["keep_days"], row["cutoff"][:10]) == (30, f"{cutoff:%Y-%m-%d}")
    # Tables that are filled anew are kept to the same moment.
    await pool.execute("CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
    await pool.execute("INSERT INTO alembic_version VALUES ('0001')")
    ended = await asyncio.to_thread(parley, "rebuild", "-o", "json")
    assert ended.returncode == 0, said(ended)
    assert await is_count(pool, 1)
    assert await pool.fetchval("SELECT keep_days FROM retention") == 30


async def is_count(pool: Any, wanted: int) -> bool:
    return bool(await pool.fetchval("SELECT count(*) FROM conversation_messages") == wanted)


def of_tenant(tenant: str, events: Sequence[Event]) -> list[ReceivedEvent]:
    return received([replace(one, tenant_id=tenant) for one in events])


async def write(pool: Any, items: Sequence[ReceivedEvent]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await EventTables().write(connection, items)
