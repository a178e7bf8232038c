"""A topic that lost its end: a new incarnation of what the log has left, and of what tables keep.

For each partition that is: the records that are still the ones that were read; what came after
them, from PostgreSQL, each with its place and time; a Tick with the sealer's time, for the ticks
that nobody kept; and then the records that were written after the loss, which nobody has read.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from parley.codec import Outgoing
from parley.db.pool import Connection
from parley.errors import UserError
from parley.incarnations.broker import close_topic, create_like, delete_topic, read_partition
from parley.incarnations.copying import verify
from parley.incarnations.growing import Survey, Wish, copy, survey
from parley.incarnations.loss import Loss, find_loss
from parley.incarnations.plan import BEGINNING, Planner, Shape
from parley.incarnations.situation import (
    Situation,
    check_readers,
    damaged_partitions,
    is_moved,
    look,
)
from parley.incarnations.switching import SQL, Move, Moved, Standing, connect, switch
from parley.incarnations.telling import Telling
from parley.log.admin import incarnation_of
from parley.settings import Settings
from parley.topics import Topic

_PERSISTER = "persister"


@dataclass(frozen=True, slots=True)
class Mended:
    """A partition that had lost its end: what was left, what came back, what nobody has.

    `gone` are records that a reader had read and that are not in the tables: copies and ticks, and
    what `unstored` counts, which the sealer had read before the persister.
    """

    partition: int
    kept: int
    restored: int
    gone: int
    unstored: int
    added: int


@dataclass(frozen=True, slots=True)
class Repair:
    """What was made, or would be; no `mended` partition where nothing was lost."""

    source: str
    topic: str
    is_new: bool
    mended: Sequence[Mended] = field(default_factory=tuple)


async def repair(
    settings: Settings, kind: Topic, wish: Wish, tell: Telling, *, accepts_loss: bool = False
) -> Repair:
    """Build the topic anew from what is left and from PostgreSQL; raises UserError."""
    connection = await connect(settings)
    try:
        situation = await look(settings, connection, kind)
        if await is_moved(connection, situation):
            return Repair(situation.source, situation.successor, is_new=False)
        check_readers(situation)
        if not await damaged_partitions(settings, situation):
            return Repair(situation.source, situation.source, is_new=False)
        if not wish.is_dry_run:
            tell.say(f"closing {situation.source}: nothing more can be written into it")
            await close_topic(settings, situation.source)
            situation = await look(settings, connection, kind)
        losses = await _losses(settings, connection, situation)
        mended = [_mended(situation, one) for one in losses]
        if not wish.is_dry_run:
            _check_unstored(mended, accepts_loss=accepts_loss)
            await _repair(settings, connection, situation, losses, wish, tell)
        return Repair(situation.source, situation.successor, is_new=True, mended=mended)
    finally:
        await connection.close()


async def _losses(settings: Settings, connection: Connection, situation: Situation) -> list[Loss]:
    damaged = await damaged_partitions(settings, situation)
    return [await find_loss(settings, connection, situation, one) for one in damaged]


def _mended(situation: Situation, loss: Loss) -> Mended:
    stored = max(
        (
            one.next_offset
            for one in situation.readers
            if one.partition == loss.partition and one.consumer == _PERSISTER
        ),
        default=0,
    )
    end = situation.ends[loss.partition].end
    is_events = situation.kind is Topic.EVENTS
    restored = len(loss.lost) + (0 if is_events else len(loss.unplaced))
    return Mended(
        partition=loss.partition,
        kept=loss.kept,
        restored=restored,
        gone=max(0, loss.known - loss.kept - restored),
        unstored=max(0, loss.known - max(stored, loss.kept)) if is_events else 0,
        added=end - loss.kept,
    )


def _check_unstored(mended: Sequence[Mended], *, accepts_loss: bool) -> None:
    for one in mended:
        if one.unstored and not accepts_loss:
            raise UserError(
                f"{one.unstored} lost records of partition {one.partition} were read by the "
                "sealer and not stored by the persister: nobody has them.",
                "Restore the broker's log if you can. Otherwise add --accept-loss: segments may "
                "then count messages that no table has.",
            )


async def _repair(
    settings: Settings,
    connection: Connection,
    situation: Situation,
    losses: Sequence[Loss],
    wish: Wish,
    tell: Telling,
) -> None:
    if wish.starts_over:
        await delete_topic(settings, situation.successor)
    count = len(situation.ends)
    await create_like(settings, situation.source, situation.successor, count)
    is_events = situation.kind is Topic.EVENTS
    found = await survey(settings, situation, tell) if is_events else Survey()
    planner = Planner(
        Shape(situation.successor, situation.incarnation, count, count, is_events),
        found.rejected,
    )
    by_partition = {
        one.partition: one.with_marks(found.marks) if is_events else one for one in losses
    }
    floors = await _floors(connection, situation)
    moved: dict[int, Moved] = {}
    plan = _plan(settings, situation, planner, by_partition, floors, moved, tell)
    planned = await copy(settings, situation.successor, plan, situation.record_count, tell)
    incarnation = await incarnation_of(settings, situation.successor)
    places = [(one, moved[one.partition].offset(one.next_offset)) for one in situation.readers]
    fences = {(one.partition, offset) for one, offset in places}
    accounted = {
        one.partition: offset for one, offset in places if one.consumer.startswith(_PERSISTER)
    }
    tell.begin("comparing", sum(one.count for one in planned))
    seen = await verify(settings, situation.successor, planned, fences, accounted, tell.advance)
    after = [
        Standing(
            one.consumer,
            one.partition,
            incarnation,
            offset,
            seen.tails.get((one.partition, offset)),
        )
        for one, offset in places
    ]
    move = Move(
        source=situation.source,
        topic=situation.successor,
        incarnation=incarnation,
        partitions=count,
        stays=True,
        before=situation.readers,
        after=after,
        minutes=seen.minutes,
        watermarks=(),
        moved=moved if is_events else {},
    )
    await switch(connection, move)


async def _floors(connection: Connection, situation: Situation) -> list[datetime]:
    """The sealer's time in each partition: what it had closed by then stays closed in a replay."""
    rows = await connection.fetch(SQL["watermarks"], situation.source)
    known = {row["partition"]: row["watermark"] for row in rows}
    return [known.get(one.partition, BEGINNING) for one in situation.ends]


async def _plan(
    settings: Settings,
    situation: Situation,
    planner: Planner,
    losses: Mapping[int, Loss],
    floors: Sequence[datetime],
    moved: dict[int, Moved],
    tell: Telling,
) -> AsyncIterator[Outgoing]:
    """The successor's records; `moved` is told where they lie."""
    for one in situation.ends:
        loss = losses.get(one.partition, Loss(one.partition, one.end, one.end, ()))
        async for record in read_partition(settings, situation.source, one.partition, 0, loss.kept):
            tell.advance(1)
            for made in planner.copies(record):
                yield made
        places: list[tuple[int, int]] = []
        for record, has_place in loss.in_order():
            if not has_place:
                yield planner.addition(record)
                continue
            places.append((record.offset, planner.counts[one.partition]))
            for made in planner.copies(record):
                yield made
        # Readers of results know them by their keys: they read again what came back.
        is_read = situation.kind is Topic.EVENTS
        end = planner.counts[one.partition] if is_read else loss.kept
        moved[one.partition] = Moved(loss.kept, places, end)
    for made in planner.end_marks(floors):
        yield made
    for loss in losses.values():
        end = situation.ends[loss.partition].end
        async for record in read_partition(
            settings, situation.source, loss.partition, loss.kept, end
        ):
            tell.advance(1)
            yield planner.addition(record)
