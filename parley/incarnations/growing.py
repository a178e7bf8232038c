"""More partitions for a topic: a new incarnation, copied in the order that keeps every segment.

The order of effects, each of which may be the last before a `kill -9`, and the next run goes on:
the former topic is closed, so that nobody is told any more that something is durable; its readers
catch up; it is copied and compared; one transaction lets the tables go on with the successor.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from parley import clock
from parley.codec import LogRecord, Outgoing
from parley.db.pool import Connection
from parley.errors import UserError
from parley.incarnations.broker import (
    close_topic,
    create_like,
    delete_topic,
    open_topic,
    read_partition,
)
from parley.incarnations.copying import Copied, send_plan, verify
from parley.incarnations.merging import merged
from parley.incarnations.plan import Place, Planner, Shape, rejected_place, shared_mark
from parley.incarnations.situation import (
    Situation,
    check_readers,
    damaged_partitions,
    is_moved,
    look,
)
from parley.incarnations.switching import SQL, Move, Standing, connect, switch
from parley.incarnations.telling import Telling
from parley.log.admin import incarnation_of
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic

LOOK_EVERY_S: Final = 0.5
LINGER_MS: Final = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """How it is to be done; `patience_s` is how long readers may take to catch up."""

    is_dry_run: bool = False
    starts_over: bool = False
    patience_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """What was made, or would be: records by partition of the successor."""

    source: str
    topic: str
    is_new: bool
    source_records: int = 0
    records: Sequence[int] = field(default_factory=tuple)


@dataclass(slots=True)
class Survey:
    """What must be known of a log before its first record is copied.

    `rejected` are the places that RecordRejected name, which come after them; `marks` are by
    partition what each has of its own.
    """

    rejected: set[Place] = field(default_factory=set)
    marks: dict[int, dict[tuple[str, str], LogRecord]] = field(default_factory=dict)

    def note(self, record: LogRecord, marks: dict[tuple[str, str], LogRecord]) -> None:
        """Take in a record without a key."""
        place, mark = rejected_place(record), shared_mark(record)
        if place is not None:
            self.rejected.add(place)
        if mark is not None:
            marks[mark] = record


async def grow(
    settings: Settings, kind: Topic, partitions: int, wish: Wish, tell: Telling
) -> Result:
    """Copy the topic into one with more partitions, and let the tables go on with that one.

    Raises UserError; the former topic then stays closed until the next run, or `abort`.
    """
    connection = await connect(settings)
    try:
        situation = await look(settings, connection, kind)
        if await is_moved(connection, situation):
            return Result(situation.source, situation.successor, is_new=False)
        check_readers(situation)
        await _check(settings, connection, situation, partitions)
        if wish.is_dry_run:
            return await _try(settings, situation, partitions, tell)
        return await _grow(settings, connection, situation, partitions, wish, tell)
    finally:
        await connection.close()


async def abort(settings: Settings, kind: Topic) -> str:
    """Open the topic again and delete what was copied; raises UserError once tables moved on."""
    connection = await connect(settings)
    try:
        situation = await look(settings, connection, kind)
        if await is_moved(connection, situation):
            raise UserError(
                f"The tables read {situation.successor} already.", "There is nothing to undo."
            )
        await delete_topic(settings, situation.successor)
        await open_topic(settings, situation.source)
        return situation.source
    finally:
        await connection.close()


async def _check(
    settings: Settings, connection: Connection, situation: Situation, partitions: int
) -> None:
    count = len(situation.ends)
    if partitions <= count:
        raise UserError(
            f"{situation.source} has {count} partitions.", "Ask for more than these: never fewer."
        )
    damaged = await damaged_partitions(settings, situation)
    if damaged:
        raise UserError(
            f"{situation.source} has lost records, in partition {damaged[0]}.",
            f"First run `parley topics repair {situation.kind}`.",
        )
    if await connection.fetchval(SQL["imports_under_way"], situation.source):
        raise UserError(
            "An import is under way, or was broken off within the last hour.",
            "Let it end, or finish it with the same `parley import` command, and run this again.",
        )


async def _try(settings: Settings, situation: Situation, partitions: int, tell: Telling) -> Result:
    planner = await _planner(settings, situation, partitions, tell)
    tell.begin("planning", situation.record_count)
    async for _ in _plan(settings, situation, planner, tell):
        continue
    return _result(situation, planner.counts)


async def _grow(
    settings: Settings,
    connection: Connection,
    situation: Situation,
    partitions: int,
    wish: Wish,
    tell: Telling,
) -> Result:
    situation = await _bring_to_rest(settings, connection, situation, wish, tell)
    if wish.starts_over:
        await delete_topic(settings, situation.successor)
    await create_like(settings, situation.source, situation.successor, partitions)
    planner = await _planner(settings, situation, partitions, tell)
    ends: list[int] = []
    planned = await copy(
        settings,
        situation.successor,
        _plan(settings, situation, planner, tell, ends),
        situation.record_count,
        tell,
    )
    accounted = dict(enumerate(ends))
    tell.begin("comparing", sum(one.count for one in planned))
    seen = await verify(
        settings, situation.successor, planned, accounted.items(), accounted, tell.advance
    )
    incarnation = await incarnation_of(settings, situation.successor)
    consumers = sorted({one.consumer for one in situation.readers})
    after = [
        Standing(consumer, partition, incarnation, end, seen.tails.get((partition, end)))
        for consumer in consumers
        for partition, end in enumerate(ends)
    ]
    move = Move(
        source=situation.source,
        topic=situation.successor,
        incarnation=incarnation,
        partitions=partitions,
        stays=False,
        before=situation.readers,
        after=after,
        minutes=seen.minutes,
        watermarks=planner.marks if situation.kind is Topic.EVENTS else (),
        moved={},
    )
    await switch(connection, move)
    return _result(situation, [one.count for one in planned])


async def copy(
    settings: Settings,
    topic: str,
    plan: AsyncIterator[Outgoing],
    source_records: int,
    tell: Telling,
) -> list[Copied]:
    """Send the plan, as far as the topic does not hold it."""
    producer = Producer(settings, LINGER_MS)
    await producer.start()
    try:
        tell.begin("copying", source_records)
        return await send_plan(settings, producer, topic, plan)
    finally:
        await producer.stop()


async def _planner(
    settings: Settings, situation: Situation, partitions: int, tell: Telling
) -> Planner:
    is_events = situation.kind is Topic.EVENTS
    shape = Shape(
        situation.successor,
        situation.incarnation,
        len(situation.ends),
        partitions,
        is_events,
    )
    found = await survey(settings, situation, tell) if is_events else Survey()
    return Planner(shape, found.rejected)


async def survey(settings: Settings, situation: Situation, tell: Telling) -> Survey:
    """Read the log once before it is copied."""
    tell.begin("reading", situation.record_count)
    found = Survey()
    for one in situation.ends:
        marks = found.marks.setdefault(one.partition, {})
        async for record in read_partition(
            settings, situation.source, one.partition, one.beginning, one.end
        ):
            tell.advance(1)
            if record.key is None:
                found.note(record, marks)
    return found


async def _plan(
    settings: Settings,
    situation: Situation,
    planner: Planner,
    tell: Telling,
    ends: list[int] | None = None,
) -> AsyncIterator[Outgoing]:
    """The successor's records; `ends` is given where the copies end and the marks begin."""
    sources = [
        read_partition(settings, situation.source, one.partition, one.beginning, one.end)
        for one in situation.ends
    ]
    async for record in merged(sources, planner.merge_key):
        tell.advance(1)
        for made in planner.copies(record):
            yield made
    if ends is not None:
        ends[:] = planner.counts
    for made in planner.end_marks():
        yield made


async def _bring_to_rest(
    settings: Settings,
    connection: Connection,
    situation: Situation,
    wish: Wish,
    tell: Telling,
) -> Situation:
    """Close the topic, and wait until all that it holds is in the tables; raises UserError."""
    tell.say(f"closing {situation.source}: nothing more can be written into it")
    await close_topic(settings, situation.source)
    give_up_at = clock.monotonic() + wish.patience_s
    while True:
        now = await look(settings, connection, situation.kind)
        behind = [one for one in now.readers if one.next_offset < now.ends[one.partition].end]
        unread = _unread(now)
        waiting = await connection.fetchval(SQL["unpublished"], situation.source)
        if not behind and not unread and not waiting:
            return now
        if clock.monotonic() > give_up_at:
            await open_topic(settings, situation.source)
            raise UserError(
                _why_not_at_rest(now, behind, unread, waiting),
                "Stop what writes (the gateways), let the persister, the sealer and the analyzer "
                "run until `parley status` shows no lag, and run this again. The topic is open.",
            )
        if await connection.fetchval(SQL["unpublished_into"], situation.source):
            # What the tables owe the topic has to go into it first.
            await open_topic(settings, situation.source)
            await asyncio.sleep(LOOK_EVERY_S)
            await close_topic(settings, situation.source)
        await asyncio.sleep(LOOK_EVERY_S)


def _unread(situation: Situation) -> list[tuple[str, int]]:
    """Readers without a fence in a partition that holds something."""
    known = {(one.consumer, one.partition) for one in situation.readers}
    consumers = sorted({one.consumer for one in situation.readers})
    return [
        (consumer, one.partition)
        for consumer in consumers
        for one in situation.ends
        if one.end > 0 and (consumer, one.partition) not in known
    ]


def _why_not_at_rest(
    situation: Situation,
    behind: Sequence[Standing],
    unread: Sequence[tuple[str, int]],
    waiting: int,
) -> str:
    if behind:
        one = behind[0]
        end = situation.ends[one.partition].end
        return (
            f"{one.consumer} has read {one.next_offset} of {end} records of "
            f"{situation.source}/{one.partition}, and does not catch up."
        )
    if unread:
        consumer, partition = unread[0]
        return f"{consumer} has not begun to read {situation.source}/{partition}."
    return f"{waiting} records that follow from {situation.source} are not published yet."


def _result(situation: Situation, records: Sequence[int]) -> Result:
    return Result(
        situation.source,
        situation.successor,
        is_new=True,
        source_records=situation.record_count,
        records=tuple(records),
    )
