"""What `parley status` and `parley doctor` find out about the running product."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.error import HTTPError

from parley.db import pool as database
from parley.db.pool import Pool
from parley.db.sql import load
from parley.local import supervisor
from parley.log.admin import topic_ends
from parley.settings import Settings
from parley.topics import Topic

SQL: Final = load(__package__)
_ANSWER_S: Final = 5.0
# The services are on this machine: a proxy from the environment must not be asked.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# Who reads what. A topic that its consumer has never read has no fence.
CONSUMERS: Final = (
    ("persister", Topic.EVENTS),
    ("persister-seals", Topic.SEALS),
    ("persister-analyses", Topic.ANALYSES),
    ("persister-config", Topic.CONFIG),
    ("sealer", Topic.EVENTS),
    ("analyzer", Topic.SEALS),
    ("analyzer-ends", Topic.ANALYSES),
    ("analyzer-webhooks", Topic.ANALYSES),
)


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A service under this machine's supervisor, and what its /health says."""

    name: str
    pid: int | None
    url: str
    restarts: int
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """How far a consumer has read a partition; without a fence it has never begun."""

    consumer: str
    topic: str
    partition: int
    next_offset: int
    end_offset: int
    has_fence: bool = False
    is_held: bool = False
    stopped_reason: str | None = None
    owner: str = ""
    seconds_since_move: float = 0.0
    last_append_time: datetime | None = None
    updated_at: datetime | None = None

    @property
    def lag(self) -> int:
        """Records that the tables do not hold yet."""
        return max(0, self.end_offset - self.next_offset)


@asynccontextmanager
async def connection_pool(settings: Settings) -> AsyncIterator[Pool]:
    """A small pool for reading; raises UserError where the database cannot be reached."""
    pool = await database.connect(settings, max_size=2)
    try:
        yield pool
    finally:
        await pool.close()


async def services(settings: Settings) -> list[ServiceFacts]:
    """The services that the supervisor of this state folder runs; none where none does."""
    record = supervisor.running(settings.state_dir) or {"services": {}}
    known = record["services"].items()
    return list(await asyncio.gather(*(_service(name, facts) for name, facts in known)))


async def _service(name: str, facts: dict[str, Any]) -> ServiceFacts:
    status, detail = await asyncio.to_thread(_health, facts["url"])
    return ServiceFacts(
        name, facts.get("pid"), facts["url"], facts.get("restarts", 0), status, detail
    )


def get(url: str) -> bytes:
    """What a service answers to a GET; raises OSError."""
    with _opener.open(url, timeout=_ANSWER_S) as answer:
        body: bytes = answer.read()
        return body


def _health(url: str) -> tuple[str, str]:
    """The status that /health gives, and what is wrong in words."""
    try:
        with _opener.open(f"{url}/health", timeout=_ANSWER_S) as answer:
            report = json.load(answer)
    except HTTPError as error:
        report = json.load(error)
    except (OSError, ValueError) as error:
        return "unreachable", str(error)
    wrong = [
        f"{name}: {one['detail']}"
        for name, one in report["dependencies"].items()
        if one["status"] != "healthy"
    ]
    return report["status"], "; ".join(wrong)


async def partitions(settings: Settings, pool: Pool) -> list[PartitionFacts]:
    """Every partition of every consumer, its fence beside the log's end. Raises UserError."""
    rows = {
        (row["consumer"], row["topic"], row["partition"]): row
        for row in await pool.fetch(SQL["fences"])
    }
    topics = list(dict.fromkeys(topic for _, topic in CONSUMERS))
    ends = await asyncio.gather(*(topic_ends(settings, settings.topic(one)) for one in topics))
    by_topic = dict(zip(topics, ends, strict=True))
    return [
        _partition(consumer, settings.topic(topic), one.partition, one.end, rows)
        for consumer, topic in CONSUMERS
        for one in by_topic[topic]
    ]


def _partition(
    consumer: str, topic: str, partition: int, end: int, rows: dict[tuple[str, str, int], Any]
) -> PartitionFacts:
    row = rows.get((consumer, topic, partition))
    if row is None:
        return PartitionFacts(consumer, topic, partition, 0, end)
    return PartitionFacts(
        consumer,
        topic,
        partition,
        row["next_offset"],
        end,
        has_fence=True,
        is_held=row["is_held"],
        stopped_reason=row["stopped_reason"],
        owner=row["owner"],
        seconds_since_move=row["seconds_since_move"],
        last_append_time=row["last_append_time"],
        updated_at=row["updated_at"],
    )
