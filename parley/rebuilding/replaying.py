"""What rebuilding and comparing share: a replay into a schema of its own, and how far it is."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final, Protocol

import asyncpg

from parley import clock
from parley.db import migrations
from parley.db.pool import CONNECT_TIMEOUT_S, Connection, Pool, connect, unreachable
from parley.errors import UserError
from parley.log.admin import topic_ends
from parley.log.replay.replay import begins_late
from parley.rebuilding.children import Replayer, Targets, run_all
from parley.rebuilding.seals import SealDifference
from parley.rebuilding.shadow import SQL
from parley.settings import Settings
from parley.topics import Topic

# Any constant: two commands that replay take turns.
REPLAY_LOCK: Final = 7_261_306
REPLAYED_TOPICS: Final = (Topic.EVENTS, Topic.SEALS, Topic.ANALYSES)

Consumers = Mapping[str, str]
"""The topic of each consumer that is replayed, by its name."""


class Watch(Protocol):
    """Whom a replay tells how far it is."""

    def begin(self, what: str, total: int | None) -> None:
        """Something begins that is so many records long."""

    def advance(self, record_count: int) -> None:
        """So many more are done."""

    def say(self, sentence: str) -> None:
        """Something that a person wants to know."""


class Counter:
    """Runs a replay, and counts what it read and how long that took."""

    def __init__(self, replayers: Sequence[Replayer], watch: Watch) -> None:
        self.records = 0
        self.seconds = 0.0
        self._replayers = replayers
        self._watch = watch

    async def run(self, targets: Targets) -> None:
        """Replay to the targets."""
        started_at = clock.monotonic()
        await run_all(self._replayers, targets, self._add)
        self.seconds += clock.monotonic() - started_at

    def _add(self, record_count: int) -> None:
        self.records += record_count
        self._watch.advance(record_count)


def mark() -> str:
    """What a begun replay must have been made by to be gone on with."""
    return f"Parley {version('parley')}, tables {migrations.newest()}"


def consumers_of(replayers: Sequence[Replayer]) -> Consumers:
    """Everybody who is replayed."""
    return {name: topic for one in replayers for name, topic in one.consumers.items()}


@asynccontextmanager
async def patient(settings: Settings) -> AsyncIterator[Connection]:
    """A connection without time limits; raises UserError."""
    try:
        connection = await asyncpg.connect(
            settings.database_url.get_secret_value(),
            timeout=CONNECT_TIMEOUT_S,
            server_settings={"application_name": "parley-replay", "timezone": "UTC"},
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise unreachable(error) from error
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def locked(settings: Settings) -> AsyncIterator[Connection]:
    """A connection that keeps other replays out; raises UserError."""
    async with patient(settings) as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", REPLAY_LOCK):
            raise UserError(
                "A `parley rebuild` or `parley verify` is under way on this database.",
                "Wait until it has ended, or end it.",
            )
        yield connection


@asynccontextmanager
async def pools(settings: Settings, schema: str) -> AsyncIterator[tuple[Pool, Pool]]:
    """Connections to the live tables, and to the replayed ones."""
    live = await connect(settings)
    try:
        replayed = await connect(settings, schema=schema)
        try:
            yield live, replayed
        finally:
            await replayed.close()
    finally:
        await live.close()


async def have_tables(settings: Settings) -> None:
    """Make the tables where there are none; raises UserError where they are another release's."""
    version = await migrations.version(settings)
    if version.current is None:
        await migrations.upgrade(settings)
    elif not version.is_newest:
        raise UserError(
            "The database's tables are not this release's.",
            "Bring them up to date with `parley db upgrade`.",
        )


async def check_logs(settings: Settings, topics: Sequence[Topic] = REPLAYED_TOPICS) -> None:
    """Raises UserError where the log does not begin at its beginning."""
    for topic in topics:
        name = settings.topic(topic)
        for one in await topic_ends(settings, name):
            if one.beginning > 0:
                raise begins_late(name, one.partition, one.beginning)


async def log_ends(settings: Settings, consumers: Consumers) -> dict[str, dict[int, int]]:
    """Where each consumer's topic ends now."""
    topics = sorted(set(consumers.values()))
    found = await asyncio.gather(*(topic_ends(settings, topic) for topic in topics))
    ends = {
        topic: {one.partition: one.end for one in partitions}
        for topic, partitions in zip(topics, found, strict=True)
    }
    return {name: ends[topic] for name, topic in consumers.items()}


async def positions(connection: Any, schema: str) -> dict[str, dict[int, int]]:
    """Where the consumers stand in the tables of a schema."""
    standing: dict[str, dict[int, int]] = {}
    for row in await connection.fetch(SQL["fences"].format(live=schema)):
        standing.setdefault(row["consumer"], {})[row["partition"]] = row["next_offset"]
    return standing


def distance(standing: Targets, targets: Targets) -> int:
    """How many records lie between."""
    return sum(
        max(0, end - standing.get(name, {}).get(partition, 0))
        for name, ends in targets.items()
        for partition, end in ends.items()
    )


def described(one: SealDifference) -> str:
    """In one line, by ids."""
    return f"{one.kind}: {one.subject} revision {one.revision} of {one.conversation_id}"
