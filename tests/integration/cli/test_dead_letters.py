"""`parley dead-letters`: records that could not be used, looked at, redriven and discarded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parley import clock
from parley.codec import Outgoing, decode_event, encode_event, event_key
from parley.codec.events import EVENT_HEADERS, glance_at
from parley.codec.validity import RECEIVED_AT_TOLERANCE
from parley.db import pool as database
from parley.events import Content, Event, MessageRecorded, RecordRejected, Role
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.persister.reading import ledger
from tests.support.command import Command, said
from tests.support.processes import ServiceProcess
from tests.support.publish import TENANT, event, message, outgoing
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

REFUSED_ID = message("c", "refused").event_id


@pytest.fixture
async def tables(migrated: Settings) -> AsyncIterator[Any]:
    """Connections to the command's database."""
    made = await database.connect(migrated, max_size=2)
    yield made
    await made.close()


async def publish(settings: Settings, *records: Outgoing) -> None:
    producer = Producer(settings)
    await producer.start()
    try:
        for record in records:
            await producer.send(record)
    finally:
        await producer.stop()


def wrong_key(settings: Settings, one: Event) -> Outgoing:
    topic = settings.topic(Topic.EVENTS)
    return Outgoing(topic, event_key(TENANT, "another"), encode_event(one), EVENT_HEADERS)


def unreadable(settings: Settings) -> Outgoing:
    topic = settings.topic(Topic.EVENTS)
    return Outgoing(topic, event_key(TENANT, "c"), b"\xff\xff a secret", EVENT_HEADERS)


async def letters(tables: Any, count: int) -> dict[str, int]:
    """The letters' ids by reason, once there are so many."""

    async def are_there() -> dict[str, int] | None:
        rows = await tables.fetch("SELECT id, reason FROM dead_letters ORDER BY id")
        return {row["reason"]: row["id"] for row in rows} if len(rows) >= count else None

    return await eventually(are_there) or {}


async def make_letters(settings: Settings, tables: Any) -> dict[str, int]:
    """One letter of each kind that people deal with differently."""
    await tables.execute(
        "ALTER TABLE conversation_messages ADD CONSTRAINT picky CHECK (content !~ 'refuse me')"
    )
    good = message("c", "good", "a secret")
    impostor = event("c", MessageRecorded(Role.USER, Content("other")), event_id=good.event_id)
    # Longer under way than is believed: its time is held to that of its first record.
    long_ago = clock.now() - 2 * RECEIVED_AT_TOLERANCE
    refused = message("c", "refused", "refuse me, please", received_at=long_ago)
    await publish(
        settings,
        outgoing(settings, good),
        unreadable(settings),
        outgoing(settings, impostor),
        outgoing(settings, refused),
        wrong_key(settings, message("c", "lost", "under a wrong key")),
    )
    return await letters(tables, 4)


async def is_settled(settings: Settings, tables: Any) -> bool:
    """Whether all was read, and all that follows from it is in the log and was read as well."""
    if await tables.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL"):
        return False
    now = await ledger(tables, settings, Topic.EVENTS)
    assert now.residue == 0
    return now.consumed == len(await read_records(settings, Topic.EVENTS))


async def rows(parley: Command, *arguments: str, status: int = 0) -> Any:
    return await asyncio.to_thread(parley.json, "dead-letters", *arguments, status=status)


async def contents(tables: Any) -> set[str]:
    found = await tables.fetch("SELECT content FROM conversation_messages")
    return {row["content"] for row in found}


async def test_letters_are_listed_by_reason_topic_and_time_and_shown_without_content(
    migrated: Settings, parley: Command, tables: Any, tmp_path: Path
) -> None:
    with ServiceProcess("persister", migrated):
        ids = await make_letters(migrated, tables)
        assert ids.keys() == {"protobuf", "id_conflict", "refused", "key"}
        listed = await rows(parley, "list")
        assert {row["reason"] for row in listed} == ids.keys()
        assert [row["id"] for row in listed] == sorted(ids.values(), reverse=True)
        one = await rows(parley, "list", "--reason", "refused", "--topic", "events")
        assert [row["id"] for row in one] == [ids["refused"]]
        assert (one[0]["conversation"], one[0]["state"]) == ("c", "open")
        assert len(await rows(parley, "list", "--since", "1h", "--service", "persister")) == 4
        assert await rows(parley, "list", "--until", "1h") == []
        assert await rows(parley, "list", "--topic", "seals") == []
        for letter_id in ids.values():
            text = (await asyncio.to_thread(parley, "dead-letters", "show", str(letter_id))).stdout
            assert b"secret" not in text
            assert b"refuse me" not in text
        shown = await rows(parley, "show", str(ids["refused"]))
        assert (shown["kind"], shown["record"]["eventId"]) == ("messageRecorded", REFUSED_ID)
        assert (shown["detail"], shown["objection"]) == ("CheckViolationError", None)
        shown = await rows(parley, "show", str(ids["refused"]), "--content")
        said_then = shown["record"]["messageRecorded"]["content"]["plain"]["text"]
        assert said_then == "refuse me, please"
        bad = await rows(parley, "show", str(ids["protobuf"]))
        assert (bad["record"], bad["value_bytes"]) == (None, 11)
        assert "would be refused again: protobuf" in bad["objection"]
        file = tmp_path / "bytes"
        show = ("dead-letters", "show", str(ids["protobuf"]), "--raw", str(file))
        assert (await asyncio.to_thread(parley, *show)).returncode == 0
        assert file.read_bytes() == b"\xff\xff a secret"
        assert file.stat().st_mode & 0o077 == 0
        again = await asyncio.to_thread(parley, *show)
        assert (again.returncode, file.read_bytes()) == (1, b"\xff\xff a secret")


async def test_a_redrive_is_a_new_record_that_keeps_its_age_and_names_where_it_came_from(
    migrated: Settings, parley: Command, tables: Any
) -> None:
    with ServiceProcess("persister", migrated):
        ids = await make_letters(migrated, tables)
        refused = str(ids["refused"])
        await eventually(lambda: is_settled(migrated, tables))
        before = await read_records(migrated, Topic.EVENTS)
        # Still the same table: nothing is lost by trying, it is a dead letter once more.
        assert (await rows(parley, "redrive", refused))[0]["result"] == "redriven"
        await letters(tables, 5)
        shown = await rows(parley, "show", refused)
        assert "a dead letter again" in shown["redriven"]["outcome"]
        await tables.execute("ALTER TABLE conversation_messages DROP CONSTRAINT picky")
        await eventually(lambda: is_settled(migrated, tables))
        dry = await rows(parley, "redrive", "--reason", "refused", "--dry-run")
        assert [row["result"] for row in dry] == ["ready"]
        assert len(await read_records(migrated, Topic.EVENTS)) == len(before) + 2
        nobody = await asyncio.to_thread(parley, "dead-letters", "redrive", "--reason", "refused")
        assert nobody.returncode == 1
        assert "--yes" in said(nobody)
        done = await rows(parley, "redrive", "--reason", "refused", "--yes")
        assert [row["result"] for row in done] == ["redriven"]
        await eventually(lambda: is_settled(migrated, tables))
        assert "refuse me, please" in await contents(tables)
        glances = [(one, glance_at(one.value)) for one in before]
        first = next(one for one, glance in glances if glance and glance.event_id == REFUSED_ID)
        stored = "SELECT event_time FROM conversation_messages WHERE id = $1"
        assert await tables.fetchval(stored, REFUSED_ID) == decode_event(first).event_time
        partition, offset = map(int, done[0]["new_place"].split("/"))
        (new,) = [
            one
            for one in await read_records(migrated, Topic.EVENTS)
            if (one.partition, one.offset) == (partition, offset)
        ]
        headers = dict(new.headers)
        assert headers["parley-redriven-reason"] == b"refused"
        assert headers["parley-redriven-from"].startswith(migrated.topic(Topic.EVENTS).encode())
        assert (await rows(parley, "show", str(done[0]["id"])))["state"] == "redriven"


async def test_a_redrive_twice_adds_nothing_and_is_left_out_unless_forced(
    migrated: Settings, parley: Command, tables: Any
) -> None:
    with ServiceProcess("persister", migrated):
        ids = await make_letters(migrated, tables)
        await eventually(lambda: is_settled(migrated, tables))
        await tables.execute("ALTER TABLE conversation_messages DROP CONSTRAINT picky")
        await rows(parley, "redrive", str(ids["refused"]))
        await eventually(lambda: is_settled(migrated, tables))
        again = await rows(parley, "redrive", str(ids["refused"]), status=1)
        assert "redrove it already" in again[0]["why"]
        # As after a crash between the record and the note about it.
        await tables.execute("UPDATE dead_letters SET redriven_at = NULL")
        again = await rows(parley, "redrive", str(ids["refused"]), status=1)
        assert "stored already" in again[0]["why"]
        await rows(parley, "redrive", str(ids["refused"]), "--force")
        await eventually(lambda: is_settled(migrated, tables))
        found = await ledger(tables, migrated, Topic.EVENTS)
        assert (found.stored, found.duplicate, found.dead_lettered) == (2, 1, 4)


async def test_what_would_be_refused_again_is_left_out_until_it_is_mended(
    migrated: Settings, parley: Command, tables: Any, tmp_path: Path
) -> None:
    with ServiceProcess("persister", migrated):
        ids = await make_letters(migrated, tables)
        await eventually(lambda: is_settled(migrated, tables))
        hopeless = [str(ids[one]) for one in ("protobuf", "id_conflict", "key")]
        found = await rows(parley, "redrive", *hopeless, status=1)
        assert {row["result"] for row in found} == {"left out"}
        why = {row["reason"]: row["why"] for row in found}
        assert "id_conflict (other content of this id is stored" in why["id_conflict"]
        assert "protobuf" in why["protobuf"]
        assert "key" in why["key"]
        mended = tmp_path / "mended"
        mended.write_bytes(encode_event(message("c", "mended", "mended by hand")))
        await rows(parley, "redrive", str(ids["protobuf"]), "--value", str(mended))
        await rows(parley, "redrive", str(ids["key"]), "--rekey")
        await rows(parley, "redrive", str(ids["id_conflict"]), "--force")
        await letters(tables, 5)
        await eventually(lambda: is_settled(migrated, tables))
        assert await contents(tables) == {"a secret", "mended by hand", "under a wrong key"}


async def test_a_discarded_letter_says_who_and_why_and_goes_after_its_time(
    migrated: Settings, parley: Command, tables: Any
) -> None:
    with ServiceProcess("persister", migrated):
        ids = await make_letters(migrated, tables)
        no_reason = await asyncio.to_thread(parley, "dead-letters", "discard", "1", "--why", " ")
        assert no_reason.returncode == 1
        dry = await rows(parley, "discard", "--reason", "protobuf", "--why", "a probe", "--dry-run")
        assert [row["result"] for row in dry] == ["ready"]
        await rows(parley, "discard", str(ids["protobuf"]), "--why", "a probe")
        twice = await rows(parley, "discard", str(ids["protobuf"]), "--why", "another reason")
        assert [row["result"] for row in twice] == ["was discarded already"]
        shown = await rows(parley, "show", str(ids["protobuf"]))
        assert shown["discarded"]["why"] == "a probe"
        assert shown["discarded"]["by"]
        left_out = await rows(parley, "redrive", str(ids["protobuf"]), status=1)
        assert "a probe" in left_out[0]["why"]
        assert len(await rows(parley, "list")) == 3
        unknown = await asyncio.to_thread(parley, "dead-letters", "discard", "999", "--why", "x")
        assert "There is no dead letter 999" in said(unknown)
    await tables.execute("UPDATE dead_letters SET discarded_at = now() - interval '29 days'")
    await tables.execute("UPDATE dead_letters SET discarded_at = NULL WHERE discarded_why IS NULL")
    with ServiceProcess("persister", migrated):

        async def is_gone() -> bool:
            return bool(await tables.fetchval("SELECT count(*) = 3 FROM dead_letters"))

        await eventually(is_gone)


async def test_a_refused_record_is_not_redriven_before_the_word_about_it_is_in_the_log(
    migrated: Settings, parley: Command, tables: Any
) -> None:
    with ServiceProcess("persister", migrated):
        ids = await make_letters(migrated, tables)
        await eventually(lambda: is_settled(migrated, tables))
    rejected = [
        one
        for one in await read_records(migrated, Topic.EVENTS)
        if one.key is None and isinstance(decode_event(one).body, RecordRejected)
    ]
    assert len(rejected) == 1
    await tables.execute("UPDATE outbox SET published_at = NULL")
    found = await rows(parley, "redrive", str(ids["refused"]), status=1)
    assert "is not in the log yet" in found[0]["why"]
