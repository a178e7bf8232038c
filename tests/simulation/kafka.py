"""A log and a consumer group with the habits of the real ones: stale members, rewinds, overruns."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from parley.codec import LogRecord, Outgoing
from parley.log.records import broker_time
from tests.simulation.life import Life

SESSION_S: Final = 3.0
REWOUND: Final = 0.02
OVERRUN: Final = 0.02
REFUSED: Final = 0.02


@dataclass(slots=True)
class Log:
    """The records of one topic by partition, and what was published to others."""

    topic: str
    partitions: list[list[LogRecord]]
    published: list[Outgoing] = field(default_factory=list)

    def append(self, partition: int, value: bytes, at_ms: int) -> None:
        records = self.partitions[partition]
        records.append(
            LogRecord(self.topic, partition, len(records), broker_time(at_ms), b"key", value)
        )


class Group:
    """Shares the partitions out among the members that it hears of."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._members: list[Consumer] = []
        self._joining: set[asyncio.Task[None]] = set()

    def join(self, member: "Consumer") -> None:
        if member not in self._members:
            self._members.append(member)
        self._share_out()

    def leave(self, member: "Consumer") -> None:
        if member in self._members:
            self._members.remove(member)
            self._share_out()

    async def watch(self) -> None:
        """Evict who was not heard for a session timeout; who is heard again comes back."""
        unheard_s: dict[Consumer, float] = {}
        while True:
            await asyncio.sleep(0.25)
            for member in list(self._members):
                unheard_s[member] = 0.0 if member.life.is_heard else unheard_s.get(member, 0) + 0.25
                if unheard_s[member] > SESSION_S:
                    self.leave(member)
                    task = asyncio.ensure_future(self._come_back(member))
                    self._joining.add(task)
                    task.add_done_callback(self._joining.discard)

    async def _come_back(self, member: "Consumer") -> None:
        # It learns of its eviction by an answer, a while after it goes on.
        await member.life.passes(2.0)
        if not member.has_left:
            self.join(member)

    def _share_out(self) -> None:
        for number, member in enumerate(self._members):
            mine = {
                TopicPartition(self.log.topic, partition)
                for partition in range(len(self.log.partitions))
                if partition % len(self._members) == number
            }
            member.assign(mine)


class Consumer:
    """What the fenced consumer asks of aiokafka's."""

    def __init__(self, group: Group, life: Life) -> None:
        self.life = life
        self.has_left = False
        self._group = group
        self._log = group.log
        self._listener: Any = None
        self._assigned: set[TopicPartition] = set()
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._assigning: asyncio.Task[None] | None = None
        self._client = self

    # --- the client, as far as the topic's id goes

    def get_random_node(self) -> int:
        return 0

    async def send(self, *_: Any) -> Any:
        await self._answers()
        return SimpleNamespace(topics=[(0, self._log.topic, UUID(int=1))])

    # --- membership

    async def start(self) -> None:
        await self.life.passes()

    async def stop(self) -> None:
        await self.life.passes()
        self.has_left = True
        self._group.leave(self)

    def subscribe(self, _: Sequence[str], listener: Any) -> None:
        self._listener = listener
        self._group.join(self)

    def assignment(self) -> set[TopicPartition]:
        return set(self._assigned)

    def assign(self, partitions: set[TopicPartition]) -> None:
        """The group has decided; the member hears of it, if it ever does."""
        if self._assigning is not None:
            self._assigning.cancel()
        self._assigning = asyncio.ensure_future(self._hear(partitions))

    async def _hear(self, partitions: set[TopicPartition]) -> None:
        await self.life.passes(0.5)
        await self._listener.on_partitions_revoked(self._assigned)
        await self.life.passes(0.2)
        # Records of the new partitions come before the listener has been told.
        self._assigned, self._paused = partitions, set()
        self._positions = dict.fromkeys(partitions, 0)
        await self.life.passes(0.2)
        await self._listener.on_partitions_assigned(partitions)

    # --- records

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int | None = None
    ) -> dict[TopicPartition, list[Any]]:
        await self.life.passes()
        wanted = self._assigned & set(partitions or self._assigned)
        fetched = {tp: self._fetch(tp, max_records or 100) for tp in sorted(wanted)}
        found = {tp: records for tp, records in fetched.items() if records}
        if not found:
            await asyncio.sleep(timeout_ms / 1000)
        await self.life.passes()
        return found

    def _fetch(self, tp: TopicPartition, max_records: int) -> list[Any]:
        if tp in self._paused:
            return []
        chance, records = self.life.chance, self._log.partitions[tp.partition]
        position = self._positions.get(tp, 0)
        if chance.random() < REWOUND:
            position = max(0, position - chance.randint(1, 5))
        elif chance.random() < OVERRUN and position + 5 < len(records):
            # Beyond the end aiokafka begins anew, and says nothing.
            position += chance.randint(1, 5)
        found = records[position : position + chance.randint(1, max_records)]
        self._positions[tp] = position + len(found)
        return found

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset

    def pause(self, tp: TopicPartition) -> None:
        self._paused.add(tp)

    def resume(self, tp: TopicPartition) -> None:
        self._paused.discard(tp)

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[Any, int]:
        await self._answers()
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[Any, int]:
        await self._answers()
        return {tp: len(self._log.partitions[tp.partition]) for tp in partitions}

    def highwater(self, tp: TopicPartition) -> int:
        return len(self._log.partitions[tp.partition])

    async def commit(self, _: dict[TopicPartition, int]) -> None:
        await self._answers()

    async def _answers(self) -> None:
        await self.life.passes()
        # Without a broker at its start a service ends, and says so.
        if self._listener is not None and self.life.chance.random() < REFUSED:
            raise KafkaConnectionError
        await self.life.passes()


class Producer:
    """Publishes into the log's list; an error may come before it, or although it is there."""

    def __init__(self, log: Log, life: Life) -> None:
        self._log = log
        self._life = life

    async def send_by_key(self, batch: Sequence[Outgoing]) -> None:
        await self._life.passes()
        if self._life.chance.random() < REFUSED:
            raise KafkaConnectionError
        self._log.published.extend(batch)
        await self._life.passes()
        if self._life.chance.random() < REFUSED:
            raise KafkaConnectionError
