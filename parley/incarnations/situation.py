"""Where a topic stands before its next incarnation is made, and how that one is called."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from parley.codec import LogRecord
from parley.db.pool import Connection
from parley.errors import UserError
from parley.incarnations.broker import read_partition
from parley.incarnations.switching import SQL, Standing, standings
from parley.log.admin import PartitionEnds, incarnation_of, topic_ends
from parley.log.records import tail_of
from parley.settings import Settings
from parley.topics import Topic

# What a transaction of ours follows: these alone have fences.
READ: Final = (Topic.EVENTS, Topic.SEALS, Topic.ANALYSES)
_NUMBERED: Final = re.compile(r"(.*)-(\d+)")


@dataclass(frozen=True, slots=True)
class Situation:
    """A topic with its ends, and its readers."""

    kind: Topic
    source: str
    incarnation: str
    ends: Sequence[PartitionEnds]
    readers: Sequence[Standing]
    successor: str

    @property
    def record_count(self) -> int:
        """How many records it holds."""
        return sum(one.end - one.beginning for one in self.ends)


def successor_name(name: str) -> str:
    """The next incarnation's name: `topic`, `topic-2`, `topic-3`."""
    numbered = _NUMBERED.fullmatch(name)
    return f"{numbered[1]}-{int(numbered[2]) + 1}" if numbered else f"{name}-2"


def first_name(name: str) -> str:
    """The name of a topic's first incarnation: of `topic-3` it is `topic`."""
    numbered = _NUMBERED.fullmatch(name)
    return numbered[1] if numbered else name


async def look(settings: Settings, connection: Connection, kind: Topic) -> Situation:
    """Read it; raises UserError for a log whose beginning is gone."""
    source = settings.topic(kind)
    ends = await topic_ends(settings, source)
    for one in ends:
        if one.beginning > 0:
            raise UserError(
                f"{source}/{one.partition} begins at offset {one.beginning}: retention has "
                "deleted what was before. A copy would begin at 0, as if it were whole.",
                "Restore the topic, or go on with it as it is.",
            )
    return Situation(
        kind=kind,
        source=source,
        incarnation=await incarnation_of(settings, source),
        ends=ends,
        readers=await standings(connection, source),
        successor=successor_name(source),
    )


async def is_moved(connection: Connection, situation: Situation) -> bool:
    """Whether the tables read the successor already."""
    moved: bool = await connection.fetchval(SQL["reads"], situation.successor)
    return moved and not situation.readers


def check_readers(situation: Situation) -> None:
    """Raises UserError where the tables have read another topic of this name, or none."""
    if not situation.readers:
        raise UserError(
            f"This database has not read {situation.source}.",
            "Check DATABASE_URL and PARLEY_TOPIC_NAMES, and start the services once.",
        )
    if any(one.incarnation != situation.incarnation for one in situation.readers):
        raise UserError(
            f"This database has read another topic named {situation.source}.",
            "Check PARLEY_KAFKA_BOOTSTRAP and DATABASE_URL.",
        )


async def damaged_partitions(settings: Settings, situation: Situation) -> list[int]:
    """Partitions that do not hold the last record that a reader's tables have."""
    damaged = set()
    for one in situation.readers:
        end = situation.ends[one.partition].end
        if one.next_offset > end or not await _holds_tail(settings, situation, one):
            damaged.add(one.partition)
    return sorted(damaged)


async def _holds_tail(settings: Settings, situation: Situation, reader: Standing) -> bool:
    if reader.tail is None or reader.next_offset == 0:
        return True
    offset = reader.next_offset - 1
    record = await record_at(settings, situation.source, reader.partition, offset)
    return tail_of(record) == reader.tail


async def record_at(settings: Settings, topic: str, partition: int, offset: int) -> LogRecord:
    """The record at an offset that the partition holds."""
    [record] = [one async for one in read_partition(settings, topic, partition, offset, offset + 1)]
    return record
