"""`parley import jsonl` against the real Kafka: ids, order, bad lines, interruptions, waiting."""

import asyncio
import gzip
import signal
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from parley.codec import decode_event
from parley.db import pool as database
from parley.events import Event, ImportFinished, ImportStarted, MessageRecorded
from parley.log.admin import topic_ends
from parley.settings import Settings
from parley.topics import Topic
from tests.support.command import Command, said
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


def rows(count: int, conversations: int = 20) -> list[dict[str, Any]]:
    """Messages whose conversations are interleaved; every second one has an id."""
    return [
        {
            "conversation_id": f"c{number % conversations}",
            "role": "user" if number % 3 else "assistant",
            "content": f"message {number}",
            "occurred_at": f"2024-05-{1 + number % 28:02}T12:{number % 60:02}:00Z",
            "author": f"a{number % 5}",
            **({"message_id": f"m{number}"} if number % 2 else {}),
        }
        for number in range(count)
    ]


def write(path: Path, lines: Sequence[Any]) -> str:
    encoded = (one if isinstance(one, bytes) else orjson.dumps(one) for one in lines)
    content = b"".join(one + b"\n" for one in encoded)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


async def events(settings: Settings) -> list[tuple[int, Event]]:
    """Every event of the topic with its partition, in the log's order."""
    records = await read_records(settings, Topic.EVENTS)
    return [(record.partition, decode_event(record)) for record in records]


def messages(found: Sequence[tuple[int, Event]]) -> list[Event]:
    return [event for _, event in found if isinstance(event.body, MessageRecorded)]


async def record_count(settings: Settings) -> int:
    ends = await topic_ends(settings, settings.topic(Topic.EVENTS))
    return sum(one.end for one in ends)


async def run(parley: Command, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return await asyncio.to_thread(parley, *arguments)


async def test_a_file_is_imported_in_order_between_a_start_and_an_end_in_every_partition(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "chats.jsonl.gz", rows(500))
    ended = await run(parley, "import", "jsonl", file, "--no-wait")
    assert ended.returncode == 0, said(ended)
    found = await events(settings)
    import_ids = {event.import_id for _, event in found}
    assert len(import_ids) == 1
    assert None not in import_ids
    counts = 0
    for partition in range(settings.partitions):
        mine = [event for one, event in found if one == partition]
        assert isinstance(mine[0].body, ImportStarted)
        assert isinstance(mine[-1].body, ImportFinished)
        keys = [(one.conversation_id, one.event_time, one.event_id) for one in mine[1:-1]]
        assert all(one < other for one, other in pairwise(keys))
        assert mine[-1].body.event_count == len(keys)
        counts += mine[-1].body.conversation_count
    assert counts == 20
    assert len({one.event_id for one in messages(found)}) == 500


async def test_a_message_keeps_what_the_file_says(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    line = {
        **rows(2)[1],
        "occurred_at": "2004-12-26T03:21:00",
        "metadata": {"n": 9007199254740993},
        "audio_url": "https://example.com/a.ogg",
        "language": "en",
    }
    file = write(tmp_path / "one.jsonl", [line])
    ended = await run(
        parley, "import", "jsonl", file, "--no-wait", "--tenant", "acme", "--channel", "irc"
    )
    assert ended.returncode == 0, said(ended)
    (event,) = messages(await events(settings))
    assert (event.tenant_id, event.channel, event.sender) == ("acme", "irc", "importer")
    assert event.event_time.isoformat() == "2004-12-26T03:21:00+00:00"
    assert (event.client_message_id, event.user_id) == ("m1", "a1")
    assert isinstance(event.body, MessageRecorded)
    content = event.body.content
    assert orjson.loads(content.metadata_json) == {"author": "a1", "n": 9007199254740993}
    assert (content.audio_url, event.body.language) == ("https://example.com/a.ogg", "en")


async def test_a_second_import_brings_the_same_ids_of_the_same_import(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.jsonl", rows(100))
    shuffled = write(tmp_path / "b.jsonl", list(reversed(rows(100))))
    await run(parley, "import", "jsonl", file, "--no-wait")
    first = await events(settings)
    await run(parley, "import", "jsonl", shuffled, "--no-wait")
    both = await events(settings)
    assert len(messages(both)) == 2 * len(messages(first))
    assert {one.event_id for one in messages(both)} == {one.event_id for one in messages(first)}
    assert {one.import_id for _, one in both} == {one.import_id for _, one in first}


async def test_with_a_bad_line_nothing_is_published_and_the_line_is_named(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    bad = {**rows(1)[0], "role": "a secret"}
    file = write(tmp_path / "bad.jsonl", [*rows(50), b"{broken", *rows(3), bad])
    ended = await run(parley, "import", "jsonl", file, "--no-wait")
    assert ended.returncode == 1
    assert "line 51: not valid JSON" in said(ended)
    assert "line 55: role is none of" in said(ended)
    assert "secret" not in said(ended)
    assert await record_count(settings) == 0


async def test_bad_lines_can_be_left_out(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "bad.jsonl", [*rows(50), b"{broken"])
    ended = await run(parley, "import", "jsonl", file, "--no-wait", "--skip-bad", "-o", "json")
    assert ended.returncode == 0, said(ended)
    facts = orjson.loads(ended.stdout)
    assert (facts["rows"], facts["left_out"], facts["messages"]) == (51, 1, 50)
    assert len(messages(await events(settings))) == 50


async def test_a_dry_run_publishes_nothing(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.jsonl", rows(10))
    facts = await asyncio.to_thread(parley.json, "import", "jsonl", file, "--dry-run")
    assert (facts["messages"], facts["conversations"]) == (10, 10)
    assert await record_count(settings) == 0


async def test_the_standard_input_is_imported(settings: Settings, parley: Command) -> None:
    text = b"\n".join(orjson.dumps(row) for row in rows(10))
    ended = await asyncio.to_thread(
        parley, "import", "jsonl", "-", "--no-wait", standard_input=text
    )
    assert ended.returncode == 0, said(ended)
    assert len(messages(await events(settings))) == 10


NO_IMPORTS = {
    "empty.jsonl": (b"", "holds no messages"),
    "cut.gz": (gzip.compress(b"{}\n" * 99)[:-10], "not a whole gzip file"),
    "latin.jsonl": ("é".encode("latin-1"), "not UTF-8"),
    "wide.jsonl": ("{}".encode("utf-16"), "UTF-16"),
    "missing.jsonl": (None, "Cannot read"),
    ".": (None, "Is a directory"),
}


async def test_what_is_no_import_is_named_and_nothing_is_published(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    for name, (content, expected) in NO_IMPORTS.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        ended = await run(parley, "import", "jsonl", str(tmp_path / name), "--no-wait")
        assert ended.returncode == 1
        assert expected in said(ended)
        assert "Traceback" not in said(ended)
    assert await record_count(settings) == 0


async def test_what_an_import_needs_is_checked_before_the_file_is_read(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    missing = ("import", "jsonl", str(tmp_path / "missing.jsonl"))
    for variables, expected in (
        ({"PARLEY_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "No Kafka at 127.0.0.1:1"),
        ({"PARLEY_TOPIC_PREFIX": "nowhere."}, "parley topics apply"),
        ({"DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/x"}, "Cannot use the database"),
        ({"DATABASE_URL": settings.database_url.get_secret_value()}, "parley db upgrade"),
    ):
        ended = await asyncio.to_thread(parley, *missing, variables=variables)
        assert ended.returncode == 1
        assert expected in said(ended)
        assert "hush" not in said(ended)


async def begin(settings: Settings, parley: Command, file: str) -> "subprocess.Popen[bytes]":
    """Start an import, and return it paused in the middle of its publishing.

    It is paused whenever somebody looks, or on a busy machine it would be over between the look
    and the signal that is to interrupt it.
    """
    process = parley.start("import", "jsonl", file, "--no-wait")

    async def has_begun() -> bool:
        process.send_signal(signal.SIGSTOP)
        assert process.poll() is None, "the import was over before it could be interrupted"
        if await record_count(settings) > settings.partitions + 1_000:
            return True
        process.send_signal(signal.SIGCONT)
        return False

    await eventually(has_begun, every=0.1)
    return process


async def test_an_import_that_was_killed_is_simply_run_again(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "many.jsonl", rows(60_000, conversations=3_000))
    for _ in range(2):
        process = await begin(settings, parley, file)
        process.kill()
        process.communicate()
    interrupted = await events(settings)
    assert 0 < len({one.event_id for one in messages(interrupted)}) < 60_000
    ended = await run(parley, "import", "jsonl", file, "--no-wait")
    assert ended.returncode == 0, said(ended)
    found = await events(settings)
    assert len({one.event_id for one in messages(found)}) == 60_000
    assert len({one.import_id for _, one in found}) == 1
    finished = [one for _, one in found if isinstance(one.body, ImportFinished)]
    assert len(finished) == settings.partitions


async def test_ctrl_c_says_that_it_can_be_run_again(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "many.jsonl", rows(60_000, conversations=3_000))
    process = await begin(settings, parley, file)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    _, stderr = await asyncio.to_thread(process.communicate)
    assert process.returncode == 130
    assert b"Run the same command again" in stderr
    assert b"Traceback" not in stderr


async def pretend_services(settings: Settings, pool: Any, reason: str | None = None) -> None:
    """Fences that have read every topic to its end, or stand still for that reason."""
    consumers = (
        ("persister", Topic.EVENTS),
        ("sealer", Topic.EVENTS),
        ("persister-seals", Topic.SEALS),
        ("analyzer", Topic.SEALS),
        ("persister-analyses", Topic.ANALYSES),
    )
    for consumer, topic in consumers:
        for one in await topic_ends(settings, settings.topic(topic)):
            await pool.execute(
                "INSERT INTO fences (consumer, topic, partition, incarnation, next_offset, "
                "owner_epoch, owner, stopped_reason) VALUES ($1, $2, $3, 'i', $4, 1, 'test', $5)"
                "ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_offset = $4",
                consumer,
                settings.topic(topic),
                one.partition,
                one.end,
                reason,
            )


async def test_an_import_waits_until_the_services_have_read_it(
    migrated: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.jsonl", rows(40))
    process = parley.start("import", "jsonl", file, "-o", "json")

    async def is_published() -> bool:
        return await record_count(migrated) == 40 + 2 * migrated.partitions

    await eventually(is_published)
    assert process.poll() is None
    pool = await database.connect(migrated)
    try:
        await pretend_services(migrated, pool)
    finally:
        await pool.close()
    stdout, stderr = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, stderr.decode()
    facts = orjson.loads(stdout)
    assert (facts["messages"], facts["new_messages"], facts["already_known"]) == (40, 0, 40)
    assert list(facts["seconds"]) == ["read", "publish", "stored", "sealed", "analysed"]


async def test_a_partition_that_stands_still_ends_the_waiting_with_its_reason(
    migrated: Settings, parley: Command, tmp_path: Path
) -> None:
    pool = await database.connect(migrated)
    try:
        await pretend_services(migrated, pool, "too many bad records")
    finally:
        await pool.close()
    ended = await run(parley, "import", "jsonl", write(tmp_path / "a.jsonl", rows(4)))
    assert ended.returncode == 1
    assert "too many bad records" in said(ended)
    assert "safe in the log" in said(ended)
