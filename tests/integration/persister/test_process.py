"""The persister as the process that users run: killed, poisoned, and told to stop."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from parley.analyses import JobEndKind
from parley.codec import Outgoing, decode_event, encode_job_ended, encode_seal, event_key
from parley.codec.analyses import ANALYSIS_HEADERS
from parley.codec.events import EVENT_HEADERS
from parley.codec.seals import SEAL_HEADERS
from parley.events import (
    Content,
    EndReason,
    Event,
    MessageRecorded,
    RecordRejected,
    Role,
    SessionEnded,
    SessionStarted,
)
from parley.log.producer import Producer
from parley.seals import Seal
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.persister.reading import Ledger, ledger
from tests.support.processes import ServiceProcess, health
from tests.support.publish import TENANT, event, message, outgoing
from tests.support.topics import read_records
from tests.support.wait import eventually
from tests.unit.persister.samples import retracts, sealed, settled, verdict

pytestmark = pytest.mark.integration


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[Producer]:
    made = Producer(settings)
    await made.start()
    yield made
    await made.stop()


async def read_all(pool: Any, settings: Settings, topic: Topic, count: int) -> Ledger:
    """The ledger once `count` records of the topic have been read."""

    async def is_read() -> Ledger | None:
        now = await ledger(pool, settings, topic)
        return now if now.consumed >= count else None

    # How soon a killed persister has caught up is asserted by the fault rows, on a quiet machine.
    found = await eventually(is_read, timeout=180)
    assert found is not None
    assert found.residue == 0
    return found


def invalid(settings: Settings, conversation_id: str, value: bytes = b"\xff\xff") -> Outgoing:
    """A record that is no event."""
    key = event_key(TENANT, conversation_id)
    return Outgoing(settings.topic(Topic.EVENTS), key, value, EVENT_HEADERS)


async def test_kill_9_under_load_loses_and_doubles_nothing(
    settings: Settings, pool: Any, producer: Producer
) -> None:
    chance = Random(7)
    sent: dict[str, Event] = {}
    record_count = 0
    with ServiceProcess("persister", settings) as persister:
        for round_number in range(6):
            fresh = [talk(chance, f"{round_number}-{number}") for number in range(300)]
            sent.update({one.event_id: one for one in fresh})
            again = chance.choices(list(sent.values()), k=100)
            batch = [outgoing(settings, one) for one in (*fresh, *again)]
            await producer.send_all(batch)
            record_count += len(batch)
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            persister.kill()
            persister.start(wait=False)
        found = await read_all(pool, settings, Topic.EVENTS, record_count)
    assert (found.consumed, found.stored) == (record_count, len(sent))
    assert found.duplicate == record_count - len(sent)
    await assert_stored_once(pool, sent)


def talk(chance: Random, number: str) -> Event:
    conversation = f"c{chance.randrange(40)}"
    return message(conversation, number, session_id=f"session of {conversation}", user_id="ada")


async def assert_stored_once(pool: Any, sent: dict[str, Event]) -> None:
    rows = await pool.fetch("SELECT id::text FROM conversation_messages")
    assert sorted(row["id"] for row in rows) == sorted(sent)
    assert await pool.fetchval("SELECT count(*) FROM conversation_events") == len(sent)
    wrong = await pool.fetch(
        """
        SELECT s.session_id FROM conversation_sessions s
         WHERE message_count <> (SELECT count(*) FROM conversation_messages m
                                  WHERE (m.tenant_id, m.session_id) = (s.tenant_id, s.session_id))
        """
    )
    assert wrong == []


async def test_two_processes_that_come_and_go_store_everything_once(
    settings: Settings, pool: Any, producer: Producer
) -> None:
    chance = Random(8)
    sent = [talk(chance, str(number)) for number in range(900)]
    with ServiceProcess("persister", settings):
        await producer.send_all([outgoing(settings, one) for one in sent[:300]])
        with ServiceProcess("persister", settings):
            await producer.send_all([outgoing(settings, one) for one in sent[300:600]])
        await producer.send_all([outgoing(settings, one) for one in sent[600:]])
        found = await read_all(pool, settings, Topic.EVENTS, len(sent))
    assert found.stored == len(sent)
    await assert_stored_once(pool, {one.event_id: one for one in sent})


async def test_a_session_is_stored_from_its_start_to_its_end(
    settings: Settings, pool: Any, producer: Producer
) -> None:
    session = {"session_id": "s", "user_id": "ada"}
    events = [
        event("c", SessionStarted(1, "", "10.0.0.1", "browser"), **session),
        message("c", 1, session_id="s"),
        message("c", 2, session_id="s", role=Role.ASSISTANT),
        event("c", SessionEnded(1, EndReason.EXPLICIT), **session),
    ]
    with ServiceProcess("persister", settings) as persister:
        await producer.send_all([outgoing(settings, one) for one in events])
        await read_all(pool, settings, Topic.EVENTS, 4)
        assert persister.stop() == 0
    row = await pool.fetchrow("SELECT * FROM conversation_sessions")
    assert (row["message_count"], row["is_active"], row["end_reason"]) == (2, False, "explicit")
    users = await pool.fetch("SELECT DISTINCT user_id FROM conversation_messages")
    assert [one["user_id"] for one in users] == ["ada"]


async def test_what_cannot_be_used_is_dead_lettered_and_nothing_else_is(
    settings: Settings, pool: Any, producer: Producer
) -> None:
    await pool.execute(
        "ALTER TABLE conversation_messages ADD CONSTRAINT picky CHECK (content <> 'refuse me')"
    )
    good = [message("c", number) for number in range(200)]
    other = MessageRecorded(Role.USER, Content("another text"))
    impostor = event("c", other, event_id=good[0].event_id)
    refused = message("c", "refused", "refuse me")
    lines = [
        *(outgoing(settings, one) for one in good[:100]),
        invalid(settings, "c"),
        outgoing(settings, impostor),
        outgoing(settings, refused),
        Outgoing(
            settings.topic(Topic.EVENTS), b"wrong key", outgoing(settings, good[1]).value, (), 0
        ),
        *(outgoing(settings, one) for one in good[100:]),
        outgoing(settings, good[5]),
    ]
    with ServiceProcess("persister", settings):
        await producer.send_all(lines)
        # The last one is the word about the refused record, which the persister reads as well.
        found = await read_all(pool, settings, Topic.EVENTS, len(lines) + 1)
        assert found == Ledger(200, 1, 4, 1, len(lines) + 1)
        await assert_dead_letters(settings, pool, refused)
    assert await pool.fetchval("SELECT count(*) FROM conversation_messages") == 200


async def assert_dead_letters(settings: Settings, pool: Any, refused: Event) -> None:
    rows = await pool.fetch("SELECT * FROM dead_letters")
    reasons = {row["reason"]: row for row in rows}
    assert reasons.keys() == {"protobuf", "id_conflict", "refused", "key"}
    assert reasons["protobuf"]["value"] == b"\xff\xff"

    async def copies() -> list[Any] | None:
        found = await read_records(settings, Topic.DEAD_LETTERS)
        return found if len(found) == 4 else None

    headers = [dict(one.headers) for one in await eventually(copies) or []]
    assert {one["parley-reason"].decode() for one in headers} == reasons.keys()
    row = reasons["refused"]
    assert row["detail"] == "CheckViolationError"
    (rejected,) = [
        one
        for one in await read_records(settings, Topic.EVENTS)
        if one.key is None and isinstance(decode_event(one).body, RecordRejected)
    ]
    body = decode_event(rejected).body
    assert body == RecordRejected(row["log_offset"], refused.event_id, "CheckViolationError")
    assert rejected.partition == row["partition"]


async def test_too_many_bad_records_in_a_row_stop_their_partition_and_no_other(
    settings: Settings, pool: Any, producer: Producer
) -> None:
    with ServiceProcess("persister", settings, PARLEY_PERSISTER_MAX_BAD_IN_A_ROW="20") as persister:
        await producer.send_all([invalid(settings, "c") for _ in range(15)])
        await read_all(pool, settings, Topic.EVENTS, 15)
        # A restart does not begin to count anew.
        persister.stop()
        persister.start()
        await producer.send_all([invalid(settings, "c") for _ in range(15)])

        async def is_told() -> str | None:
            report = await asyncio.to_thread(health, persister.url)
            detail: str = report["dependencies"]["partitions"]["detail"]
            return detail if report["status"] == "degraded" else None

        detail = await eventually(is_told)
        assert "20 records in a row up to offset 19 cannot be used" in str(detail)
        assert await pool.fetchval("SELECT count(*) FROM dead_letters") < 20
        await producer.send_all([outgoing(settings, message(f"c{one}", one)) for one in range(40)])

        async def others_go_on() -> bool:
            return bool(await pool.fetchval("SELECT count(*) > 10 FROM conversation_messages"))

        await eventually(others_go_on)
    with ServiceProcess("persister", settings, PARLEY_PERSISTER_MAX_BAD_IN_A_ROW="100"):
        found = await read_all(pool, settings, Topic.EVENTS, 70)
    assert (found.stored, found.dead_lettered) == (40, 30)


async def test_seals_become_segments_and_verdicts_become_rows(
    settings: Settings, pool: Any, producer: Producer
) -> None:
    key = event_key("t", "c")
    seals: list[Seal] = [
        sealed("1"),
        sealed("2"),
        sealed("1", 2, retracts("2", 1, "1")),
        settled(1, 5),
        sealed("1"),
    ]
    failed = verdict(JobEndKind.FAILED, pass_name="other")
    ends = [verdict(), verdict(), failed, verdict(revision=2)]
    sealing_topic, analysing_topic = settings.topic(Topic.SEALS), settings.topic(Topic.ANALYSES)
    records = [
        *(Outgoing(sealing_topic, key, encode_seal(one), SEAL_HEADERS) for one in seals),
        *(Outgoing(analysing_topic, key, encode_job_ended(one), ANALYSIS_HEADERS) for one in ends),
    ]
    with ServiceProcess("persister", settings):
        await producer.send_all(records)
        sealing = await read_all(pool, settings, Topic.SEALS, 5)
        analysing = await read_all(pool, settings, Topic.ANALYSES, 4)
    assert sealing == Ledger(4, 1, 0, 0, 5)
    assert analysing == Ledger(2, 1, 0, 1, 4)
    standing = await pool.fetch("SELECT revision, is_retracted FROM segments ORDER BY revision")
    assert [tuple(row) for row in standing] == [(1, True), (2, False)]
    assert await pool.fetchval("SELECT count(*) FROM segment_revisions") == 3
    row = await pool.fetchrow("SELECT generation, end_reason FROM conversation_sessions")
    assert tuple(row) == (1, "idle")
    outputs = await pool.fetch("SELECT output->>'mean' FROM verdicts")
    assert [one[0] for one in outputs] == ["0.5", "0.5"]
