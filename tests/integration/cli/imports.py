"""What the tests of imports share: made-up messages, their files, and what came of them."""

import asyncio
import gzip
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from parley.codec import decode_event
from parley.events import Event, MessageRecorded
from parley.log.admin import incarnation_of, topic_ends
from parley.settings import Settings
from parley.topics import Topic
from tests.support.command import Command
from tests.support.topics import read_records
from tests.support.wait import eventually


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


async def pretend_services(settings: Settings, pool: Any, reason: str | None = None) -> None:
    """Fences that have read every topic to its end, or stand still for that reason."""
    consumers = (
        ("persister", Topic.EVENTS),
        ("sealer", Topic.EVENTS),
        ("persister-seals", Topic.SEALS),
        ("analyzer", Topic.SEALS),
        ("analyzer-ends", Topic.ANALYSES),
        ("analyzer-webhooks", Topic.ANALYSES),
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


async def pretend_readers(settings: Settings, pool: Any, reason: str | None = None) -> None:
    """The same, of the topic as it is: an import waits for them where they do not move."""
    await pretend_services(settings, pool, reason)
    incarnation = await incarnation_of(settings, settings.topic(Topic.EVENTS))
    await pool.execute("UPDATE fences SET incarnation = $1", incarnation)


BOOKMARKED = "SELECT sum(event_count)::int FROM operations.import_bookmarks"


async def killed_halfway(settings: Settings, pool: Any, parley: Command, *arguments: str) -> int:
    """Kill an import that waits for readers, once it has a bookmark; returns what that marks.

    Whoever runs after it is not held back.
    """
    await pretend_readers(settings, pool)
    process = parley.start(*arguments, "--max-lag", "1000")

    async def stands_still() -> int:
        assert process.poll() is None, "the import was over before it could be killed"
        before = await pool.fetchval(BOOKMARKED)
        await asyncio.sleep(2)
        return int(before or 0) if before == await pool.fetchval(BOOKMARKED) else 0

    known = await eventually(stands_still, timeout=90)
    process.kill()
    await asyncio.to_thread(process.communicate)
    await pool.execute("DELETE FROM fences")
    return known
