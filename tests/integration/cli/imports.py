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
from parley.log.admin import topic_ends
from parley.settings import Settings
from parley.topics import Topic
from tests.support.command import Command
from tests.support.topics import read_records


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
