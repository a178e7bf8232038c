"""Follows partitions onward without a group, in as few requests as their reader wants."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from parley.codec import LogRecord
from parley.log.access import kafka_options
from parley.log.records import read_record
from parley.settings import Settings

log = structlog.get_logger(__name__)

# So long a broker waits for a record where there is none.
MAX_WAIT_MS: Final = 500
MAX_BYTES: Final = 50 * 1024 * 1024
MAX_PARTITION_BYTES: Final = 4 * 1024 * 1024
# A broker that is away, or does not lead the partition any more, is asked again after this.
RETRY_S: Final = 0.1
# These do not pass by themselves: the log is another one, or may not be read.
_FATAL: Final = (OffsetOutOfRangeError, TopicAuthorizationFailedError)
_UNCOMMITTED: Final = 0

Positions = Mapping[TopicPartition, int]


class Stretch(NamedTuple):
    """Records of a partition that follow one another, as the broker keeps them: in batches."""

    tp: TopicPartition
    first_offset: int
    batches: tuple[Any, ...]

    @property
    def next_offset(self) -> int:
        """The offset behind the last one."""
        return int(self.batches[-1].next_offset)

    def records(self) -> Iterator[LogRecord]:
        """The records, each read when it is asked for."""
        for batch in self.batches:
            if batch.is_control_batch:
                continue
            for record in batch:
                # A batch is given whole, although its beginning may be known.
                if record.offset >= self.first_offset:
                    yield read_record(self.tp, record)


class Follower:
    """Reads partitions from their positions on, each at the broker that leads it now.

    aiokafka's consumer fetches as soon as anything was taken, so that most of what it holds is
    old when it is asked for. This one asks when its reader does: who waits a little between two
    calls gets all that has come meanwhile in one answer, and gets it fresh.
    """

    def __init__(self, client: Any, positions: Positions) -> None:
        """`client` knows the topics; it is this follower's to close."""
        self._client = client
        self._positions = dict(positions)
        self._highwaters: dict[TopicPartition, int] = {}
        # By broker: a slow one does not hold up the others.
        self._asked: dict[int, asyncio.Task[list[Stretch]]] = {}

    @property
    def lag(self) -> int:
        """How many records lay behind those that were given, when the brokers last answered."""
        return sum(max(0, end - self._positions[tp]) for tp, end in self._highwaters.items())

    async def fetch(self, patience_s: float) -> list[Stretch]:
        """What follows, of the broker that has something first; empty after so long without.

        Raises OffsetOutOfRangeError where the log no longer is what it was, KafkaError for what
        does not pass by itself. A broker that is away is waited for.
        """
        self._ask()
        if not self._asked:
            # Nobody leads anything now.
            await asyncio.sleep(min(RETRY_S, patience_s))
            return []
        asked = set(self._asked.values())
        done, _ = await asyncio.wait(asked, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        self._asked = {node: one for node, one in self._asked.items() if one not in done}
        found = (self._unknown(stretch) for one in done for stretch in one.result())
        return [stretch for stretch in found if stretch is not None]

    def pass_over(self, tp: TopicPartition, next_offset: int) -> None:
        """What lies before this offset the reader has from elsewhere; it is not given again."""
        self._positions[tp] = max(self._positions[tp], next_offset)

    async def stop(self) -> None:
        """Ask for nothing more, and disconnect."""
        asked, self._asked = list(self._asked.values()), {}
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await self._client.close()

    def _unknown(self, stretch: Stretch) -> Stretch | None:
        """What of it is next; a partition that moves may be read by two brokers."""
        position = self._positions[stretch.tp]
        if not stretch.first_offset <= position < stretch.next_offset:
            return None
        self._positions[stretch.tp] = stretch.next_offset
        return stretch._replace(first_offset=position)

    def _ask(self) -> None:
        by_leader: defaultdict[int | None, list[TopicPartition]] = defaultdict(list)
        for tp in self._positions:
            by_leader[self._client.cluster.leader_for_partition(tp)].append(tp)
        for leader, tps in by_leader.items():
            if leader is None or leader < 0:
                self._client.force_metadata_update()
            elif leader not in self._asked:
                positions = {tp: self._positions[tp] for tp in tps}
                asking = self._fetch_from(leader, positions)
                self._asked[leader] = asyncio.create_task(asking)

    async def _fetch_from(self, node: int, positions: Positions) -> list[Stretch]:
        try:
            response = await self._client.send(node, _request(positions))
        except KafkaError as error:
            log.warning("fetch_failed", error=type(error).__name__)
            await self._look_anew()
            return []
        stretches: list[Stretch] = []
        is_refused = False
        for topic, partitions in response.topics:
            for number, error_code, highwater, *rest in partitions:
                tp = TopicPartition(topic, number)
                if _is_refused(tp, error_code):
                    is_refused = True
                    continue
                self._highwaters[tp] = highwater
                # Not as asked: meanwhile some of it may have become known.
                stretches += _stretches(tp, max(positions[tp], self._positions[tp]), rest[-1])
        if is_refused:
            await self._look_anew()
        return stretches

    async def _look_anew(self) -> None:
        """Learn who leads what: the next question is another broker's, and comes a little later."""
        self._client.force_metadata_update()
        await asyncio.sleep(RETRY_S)


async def follow(settings: Settings, client_id: str, positions: Positions) -> Follower:
    """Connect; raises KafkaError or OSError where no broker answers."""
    client = AIOKafkaClient(**kafka_options(settings), client_id=client_id)
    try:
        await client.bootstrap()
        await client.set_topics({tp.topic for tp in positions})
    except BaseException:
        await client.close()
        raise
    return Follower(client, positions)


def _request(positions: Positions) -> FetchRequest:
    topics: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for tp, offset in positions.items():
        topics[tp.topic].append((tp.partition, offset, MAX_PARTITION_BYTES))
    return FetchRequest(MAX_WAIT_MS, 1, MAX_BYTES, _UNCOMMITTED, list(topics.items()))


def _is_refused(tp: TopicPartition, error_code: int) -> bool:
    """Whether the broker does not give this partition now; raises what it will never get over."""
    failure = for_code(error_code)
    if failure in _FATAL:
        raise failure(tp)
    return error_code != 0


def _stretches(tp: TopicPartition, first_offset: int, data: bytes) -> Iterator[Stretch]:
    """The stretch in a broker's answer, if there is any; raises CorruptRecordException."""
    records, batches = MemoryRecords(data), []
    while records.has_next():
        batch = records.next_batch()
        if batch.next_offset <= first_offset:
            continue
        if not batch.validate_crc():
            raise CorruptRecordException(f"a batch of {tp} is not what was written")
        batches.append(batch)
    if batches:
        yield Stretch(tp, first_offset, tuple(batches))
