"""`parley tail`, `explain`, `status` and `doctor` on a real log and real tables."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from parley import clock
from parley.cli import facts
from parley.codec import Outgoing, encode_event, encode_seal, event_key
from parley.codec.seals import SEAL_HEADERS
from parley.db import pool as database
from parley.digests import Member, member_digest
from parley.events import SealForced, SessionStarted
from parley.ids import segment_id
from parley.log.producer import Producer
from parley.passes import publishing as passes
from parley.passes.applied import Subscription
from parley.passes.publishing import disable
from parley.seals import SealCause, SegmentSealed
from parley.settings import Settings
from parley.topics import Topic
from tests.support.command import Command, json_here, run_here, said
from tests.support.passes import apply_shipped
from tests.support.processes import ServiceProcess
from tests.support.publish import TENANT, event, message, publish
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def run(parley: Command, *arguments: str) -> str:
    ended = await asyncio.to_thread(parley, *arguments)
    assert ended.returncode == 0, said(ended)
    return ended.stdout.decode()


def records(text: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in text.splitlines()]


async def test_tail_shows_a_topic_from_its_beginning(migrated: Settings, parley: Command) -> None:
    await publish(migrated, [message(f"c{n % 3}", n, f"secret {n}") for n in range(12)])
    read = ("tail", "events", "--from", "beginning", "--no-follow")
    found = records(await run(parley, *read, "-o", "json"))
    assert len(found) == 12
    assert {one["event"]["conversationId"] for one in found} == {"c0", "c1", "c2"}
    assert "secret" not in await run(parley, *read)
    assert "secret 11" in await run(parley, *read, "--content")
    assert len(records(await run(parley, *read, "-o", "json", "-n", "5"))) == 5


async def test_tail_shows_the_last_records_of_all_partitions_or_of_a_conversation(
    migrated: Settings, parley: Command
) -> None:
    for number in range(6):
        await publish(migrated, [message(f"c{number % 3}", number)])
    tail = ("tail", "--no-follow", "-o", "json", "-n", "2")
    last = [one["event"]["clientMessageId"] for one in records(await run(parley, *tail))]
    assert last == ["4", "5"]
    for selection in (("--conversation", "c0"), ("--conversation", "c0", "--tenant", TENANT)):
        mine = [
            one["event"]["clientMessageId"] for one in records(await run(parley, *tail, *selection))
        ]
        assert mine == ["0", "3"]
    assert await run(parley, *tail, "--tenant", "acme") == ""


async def test_tail_begins_at_a_time(migrated: Settings, parley: Command) -> None:
    await publish(migrated, [message("c", 1)])
    await asyncio.sleep(0.05)
    between = clock.now().isoformat()
    await asyncio.sleep(0.05)
    await publish(migrated, [message("c", 2)])
    found = records(await run(parley, "tail", "--from", between, "--no-follow", "-o", "json"))
    assert [one["event"]["clientMessageId"] for one in found] == ["2"]


async def test_tail_follows_until_it_has_shown_enough(migrated: Settings, parley: Command) -> None:
    process = parley.start("tail", "--from", "beginning", "-n", "3", "-o", "json")
    await publish(migrated, [message("c", 1)])
    await publish(migrated, [message("c", 2), message("c", 3)])
    stdout, stderr = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == 0, stderr
    assert [one["event"]["clientMessageId"] for one in records(stdout.decode())] == ["1", "2", "3"]


async def talk(settings: Settings) -> None:
    """Two messages in a session, sealed as one segment, and all of it stored."""
    started = event("chat", SessionStarted(), session_id="s1")
    spoken = [message("chat", n, "a secret", session_id="s1", user_id="ann") for n in (1, 2)]
    await publish(settings, [started, *spoken])
    members = sorted(one.event_id for one in spoken)
    seal = SegmentSealed(
        tenant_id=TENANT,
        conversation_id="chat",
        segment_id=segment_id(TENANT, "chat", spoken[0].event_id),
        revision=1,
        previous_revision=0,
        cause=SealCause.IDLE,
        started_at=spoken[0].event_time,
        ended_at=spoken[1].event_time + timedelta(seconds=1),
        first_event_id=members[0],
        last_event_id=members[1],
        message_count=2,
        member_digest=member_digest([Member(one) for one in members]),
        first_offset=1,
        last_offset=2,
        incarnation="i",
        partition=0,
        decided_offset=3,
        watermark=clock.now(),
        policy_id="default",
        policy_version=1,
        rule_version=1,
        opening_event_id=spoken[0].event_id,
        channel="test",
        participants=("tester",),
        user_ids=("ann",),
    )
    await publish_seal(settings, seal)
    with ServiceProcess("persister", settings):
        await eventually(lambda: is_stored(settings))


async def publish_seal(settings: Settings, seal: SegmentSealed) -> None:
    key = event_key(seal.tenant_id, seal.conversation_id)
    producer = Producer(settings)
    await producer.start()
    try:
        topic = settings.topic(Topic.SEALS)
        await producer.send(Outgoing(topic, key, encode_seal(seal), SEAL_HEADERS))
    finally:
        await producer.stop()


async def is_stored(settings: Settings) -> bool:
    pool = await database.connect(settings, max_size=1)
    try:
        messages = await pool.fetchval("SELECT count(*) FROM conversation_messages")
        segments = await pool.fetchval("SELECT count(*) FROM segment_revisions")
        return bool(messages == 2 and segments == 1)
    finally:
        await pool.close()


async def test_explain_tells_everything_of_a_conversation_and_suggests_near_names(
    migrated: Settings, parley: Command
) -> None:
    await talk(migrated)
    told = await asyncio.to_thread(parley.json, "explain", "chat")
    kinds = [entry["kind"] for entry in told["entries"]]
    assert kinds == ["session", "message", "message", "sealed"]
    text = await run(parley, "explain", "chat")
    assert "2 messages · 1 session · 1 segment " in text
    assert "closed because of: idle" in text
    assert "secret" not in text
    assert "a secret" in await run(parley, "explain", "chat", "--content")
    near = await asyncio.to_thread(parley, "explain", "chit")
    assert near.returncode == 1
    assert "has no conversation chit" in said(near)
    elsewhere = await asyncio.to_thread(parley, "explain", "chat", "--tenant", "acme")
    assert elsewhere.returncode == 1
    assert "--tenant default" in said(elsewhere)
    status = await asyncio.to_thread(parley.json, "status", "-v")
    assert status["counts"]["messages"] == 2
    assert all(row["residue"] == 0 for row in status["ledger"])
    lag = {row["consumer"]: row["lag"] for row in status["consumers"]}
    assert (lag["persister"], lag["persister-seals"], lag["sealer"]) == (0, 0, 3)


@pytest.fixture
async def commanded(migrated: Settings) -> Settings:
    """A conversation with 1,005 commands: 600 in partition 3, and after a grow the rest in 0."""
    value = encode_event(event("chat", SealForced("r", "bob", "")))
    pool = await database.connect(migrated, max_size=1)
    await pool.execute(
        "INSERT INTO conversation_events (tenant_id, event_id, conversation_id, kind, incarnation,"
        " partition, log_offset, append_time, event_time, value)"
        " SELECT $1, gen_random_uuid(), 'chat', 'seal_forced', 'i',"
        "        CASE WHEN n > 600 THEN 0 ELSE 3 END, (n - 1) % 600, at, at, $2"
        "   FROM (SELECT n, timestamptz '2026-01-31 12:00Z' + make_interval(secs => n) AS at"
        "           FROM generate_series(1, 1005) AS n) AS one",
        *(TENANT, value),
    )
    await pool.execute(
        "INSERT INTO conversations (tenant_id, conversation_id, first_event_at, last_event_at)"
        " VALUES ($1, 'chat', now(), now())",
        TENANT,
    )
    await pool.close()
    return migrated


async def test_explain_shows_the_latest_acts_and_says_how_many_came_before(
    commanded: Settings,
) -> None:
    told = await json_here(commanded, "explain", "chat")
    places = [
        *(f"3/{offset}" for offset in range(5, 600)),
        *(f"0/{offset}" for offset in range(405)),
    ]
    assert [entry["position"] for entry in told["entries"]] == places
    assert told["not_shown"] == {"messages": 0, "acts": 5}
    shown = await run_here(commanded, "explain", "chat")
    assert "1,005 other acts" in shown.stdout
    assert "Not shown: 5 earlier acts (--acts shows more)." in shown.stdout
    few = await run_here(commanded, "explain", "chat", "--acts", "1004", "-o", "json")
    assert "1 earlier act (--acts" in few.stderr

    whole = await run_here(commanded, "explain", "chat", "--acts", "1005")
    assert "Not shown" not in whole.output
    none = await json_here(commanded, "explain", "chat", "--acts", "0")
    assert (none["entries"], none["not_shown"]["acts"]) == ([], 1_005)


async def test_explain_says_how_many_messages_it_does_not_show(migrated: Settings) -> None:
    await talk(migrated)
    for limit, left_out in (("0", "2 earlier messages"), ("1", "1 earlier message")):
        ended = await run_here(migrated, "explain", "chat", "-n", limit)
        assert "2 messages · 1 session" in ended.stdout
        assert f"Not shown: {left_out} (-n shows more)." in ended.stdout
    assert "Not shown" not in (await run_here(migrated, "explain", "chat")).output


async def test_explain_says_why_passes_were_not_run_over_a_segment(
    migrated: Settings, parley: Command
) -> None:
    await apply_shipped(migrated)
    await disable(migrated, "sentiment", "ops")
    unwanted = Subscription("turn_statistics", is_category=False, is_enabled=False)
    await passes.publish(migrated, [unwanted], "ops", TENANT)
    await talk(migrated)

    async def reasons() -> dict[str, str]:
        told = await asyncio.to_thread(parley.json, "explain", "chat")
        found = [entry for entry in told["entries"] if entry["kind"] == "no pass"]
        return {entry["pass_name"]: entry["reason"] for entry in found}

    async def are_told() -> bool:
        return (await reasons()).get("turn_statistics") == "not_subscribed"

    with ServiceProcess("persister", migrated):
        await eventually(are_told)
    found = await reasons()
    assert found["sentiment"] == "not_active"
    # It is due, and no analyzer runs here.
    assert found["language"] == "not_read_yet"


async def test_the_doctor_finds_what_does_not_run(migrated: Settings, parley: Command) -> None:
    await publish(migrated, [message("c", 1)])
    findings = await asyncio.to_thread(parley.json, "doctor", status=1)
    failing = [one["text"] for one in findings if one["level"] == "fail"]
    assert len(failing) == 2
    assert all("do not move" in text for text in failing)
    subjects = {one["subject"] for one in findings if one["level"] == "ok"}
    assert {"kafka", "topics", "database", "clocks", "outbox", "ledger", "disk"} <= subjects
    assert {"log disk", "sealing", "backfills", "webhooks", "locks"} <= subjects


async def test_the_doctor_tells_a_sealer_that_catches_up_from_one_that_seals_nothing(
    migrated: Settings, parley: Command
) -> None:
    await publish(migrated, [message("c", 1)])
    pool = await database.connect(migrated)
    (read,) = [
        one
        for one in await facts.partitions(migrated, pool)
        if one.consumer == "sealer" and one.lag
    ]
    await pool.execute(
        "INSERT INTO sealer_windows (tenant_id, conversation_id, segment_id, partition,"
        " opening_event_id, revision, current_revision, first_time, first_event_id, last_time,"
        " last_event_id, reach, deadline, message_count, rest)"
        " SELECT 'default', 'c', id, $1, id, 1, 0, at, id, at, id, at, at, 1, '{}'"
        "   FROM (SELECT gen_random_uuid() AS id, now() - interval '5 minutes' AS at) AS one",
        read.partition,
    )

    async def found() -> dict[str, str]:
        findings = await asyncio.to_thread(parley.json, "doctor", status=1)
        return {one["text"]: one["level"] for one in findings if one["subject"] == "sealing"}

    ((text, level),) = (await found()).items()
    assert (level, "1 segment should be sealed" in text) == ("fail", True)
    await pool.execute(
        "INSERT INTO fences (consumer, topic, partition, incarnation, next_offset, owner_epoch,"
        " owner) VALUES ('sealer', $1, $2, 'first', 0, 1, 'w')",
        *(read.topic, read.partition),
    )
    ((text, level),) = (await found()).items()
    assert (level, "catching up: 1 segment will be sealed" in text) == ("warn", True)
    await pool.close()


async def test_the_doctor_names_who_holds_a_lock_and_what_nobody_works_at(
    migrated: Settings, parley: Command
) -> None:
    pool = await database.connect(migrated)
    async with pool.acquire() as holder, pool.acquire() as other:
        await holder.execute(
            "INSERT INTO operations.backfill_runs (id, passes, is_newest_first, is_from_segments,"
            " concurrency, started_by, created_at) VALUES (gen_random_uuid(), '[]', false, false,"
            " 1, 'ada', now() - interval '5 minutes')"
        )
        async with holder.transaction():
            await holder.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            await holder.execute("SET LOCAL transaction_timeout = 0")
            await holder.execute("LOCK TABLE message_versions IN ACCESS EXCLUSIVE MODE")
            waits = asyncio.create_task(other.execute("SELECT count(*) FROM message_versions"))
            await asyncio.sleep(2.5)
            findings = await asyncio.to_thread(parley.json, "doctor", status=1)
        await waits
    await pool.close()
    told = {one["subject"]: one for one in findings if one["level"] != "ok"}
    assert "idle in transaction" in told["locks"]["text"]
    assert "no analyzer is at" in told["backfills"]["text"]


async def test_the_doctor_and_status_tell_what_they_cannot_reach(
    migrated: Settings, parley: Command
) -> None:
    nothing = {"DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/x"}
    for command in ("doctor", "status"):
        ended = await asyncio.to_thread(parley, command, variables=nothing)
        assert ended.returncode == 1
        told = said(ended) + ended.stdout.decode()
        assert "Cannot use the database" in told
        assert "hush" not in told
        assert "Traceback" not in told
        away = {"PARLEY_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
        ended = await asyncio.to_thread(parley, command, variables=away)
        assert ended.returncode == 1
        assert "No Kafka at 127.0.0.1:1" in said(ended) + ended.stdout.decode()


async def test_topics_are_listed_with_what_they_hold(migrated: Settings, parley: Command) -> None:
    await publish(migrated, [message("c", n) for n in range(3)])
    rows = await asyncio.to_thread(parley.json, "topics", "list")
    events = next(row for row in rows if row["topic"] == migrated.topic(Topic.EVENTS))
    assert (events["partitions"], events["records"]) == (migrated.partitions, 3)
    again = await asyncio.to_thread(parley.json, "topics", "apply")
    assert {row["state"] for row in again} == {"was there"}
    missing = await asyncio.to_thread(
        parley, "topics", "list", variables={"PARLEY_TOPIC_PREFIX": "nowhere."}
    )
    assert missing.returncode == 1
    assert "parley topics apply" in said(missing)
