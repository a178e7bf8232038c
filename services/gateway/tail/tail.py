"""Reads the events and the live topic by assignment, without a group, and hands every record on.

What this gateway has written itself need not be read, where nothing lies between it and the last
record that was handed on: then it is known to be the next one.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from parley.codec import LogRecord
from parley.log.admin import no_kafka, topic_ends
from parley.log.follower import Follower, Stretch, follow
from parley.log.producer import Appended, Record
from parley.log.records import broker_time, record_of
from parley.topics import Topic
from services.gateway import metrics
from services.gateway.core.room import Known
from services.gateway.settings import GatewaySettings
from services.gateway.tail.ring import Ring

log = structlog.get_logger(__name__)

# So long at most until it is seen that the gateway stops.
PATIENCE_S: Final = 1.0
# A millisecond or two of work, so that acknowledgements need not wait for a burst.
AT_ONCE: Final = 200
# Each request costs, here and at the broker, and what has gathered meanwhile comes with it.
BETWEEN_REQUESTS_S: Final = 0.015
# Where the tables' fences are not known: enough for connections that were away for a moment.
UNKNOWN_BACKLOG: Final = 2_000

# What takes longer to read than a client waits for its own frame.
MAX_LAG: Final = 10_000

TakeLive = Callable[[LogRecord], None]


class OwnRecord(Record, Known, Protocol):
    """A record that this gateway has written; without a kind it must be looked at all the same."""


class Take(Protocol):
    """Is given the records of the events topic, those of a partition in their order."""

    def __call__(self, record: LogRecord, known: Known | None = None, /) -> None:
        """`known` is what a glance would tell, where that is known without."""


class TailBehind(Exception):
    """The tail is far from the end of the log."""


class Tail:
    """Every partition's ring, kept at the end of the log."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._events = settings.topic(Topic.EVENTS)
        self._live = settings.topic(Topic.LIVE)
        self._rings: dict[int, Ring] = {}
        self._follower: Follower | None = None
        # Who is given the records, while there is somebody.
        self._take: Take | None = None
        self._advanced = asyncio.Event()
        self._lag = 0

    @property
    def partition_count(self) -> int:
        """How many partitions the events topic has."""
        return len(self._rings)

    def ring(self, partition: int) -> Ring:
        """The ring of a partition of the events topic."""
        return self._rings[partition]

    async def start(self, fences: dict[int, int]) -> None:
        """Begin at the tables' fences, as far as memory reaches; raises UserError without Kafka.

        `fences` are the next offsets that the tables do not hold yet, by partition, as far as
        they are known.
        """
        await self._make_rings(fences)
        positions = {
            TopicPartition(self._events, number): ring.next_offset
            for number, ring in self._rings.items()
        }
        for one in await topic_ends(self._settings, self._live):
            positions[TopicPartition(self._live, one.partition)] = one.end
        try:
            self._follower = await follow(self._settings, "parley-gateway-tail", positions)
        except (KafkaError, OSError) as error:
            raise no_kafka(self._settings, error) from error

    async def run(self, stop: asyncio.Event, take: Take, take_live: TakeLive) -> None:
        """Hand records on until `stop`; raises LogGap where the log is not the one that it was."""
        if self._follower is None:
            raise RuntimeError("the tail was not started")
        self._take = take
        try:
            while not stop.is_set():
                for stretch in await self._follower.fetch(PATIENCE_S):
                    is_live = stretch.tp.topic == self._live
                    await self._hand_on(stretch, take_live if is_live else self._keeping(stretch))
                self._note_progress()
                await asyncio.sleep(0 if self._lag else BETWEEN_REQUESTS_S)
        finally:
            self._take = None

    def take_own(
        self, partition: int, written: Sequence[OwnRecord], appended: Sequence[Appended]
    ) -> None:
        """Hand on what this gateway has written, as far as it follows on what was handed on.

        The rest will be read: where others write too, where the log was not read to its end yet,
        and where the broker does not say when it was appended.
        """
        first = 0
        for stretch in appended:
            self._take_stretch(partition, written[first : first + stretch.record_count], stretch)
            first += stretch.record_count

    async def reach(self, partition: int, next_offset: int, patience_s: float) -> bool:
        """Whether the tail has passed this offset, after waiting for it so long."""
        try:
            async with asyncio.timeout(patience_s):
                while self._rings[partition].next_offset < next_offset:
                    await self._advanced.wait()
        except TimeoutError:
            return False
        return True

    async def check(self) -> None:
        """Raises TailBehind while clients would be shown the past."""
        if self._lag > MAX_LAG:
            raise TailBehind(f"{self._lag} records of the log are still to be read")

    async def stop(self) -> None:
        """Disconnect."""
        follower, self._follower = self._follower, None
        if follower is not None:
            await follower.stop()

    def _take_stretch(
        self, partition: int, written: Sequence[OwnRecord], stretch: Appended
    ) -> None:
        offset, _, time_ms = stretch
        ring, take, follower = self._rings.get(partition), self._take, self._follower
        if take is None or follower is None or ring is None or time_ms is None:
            return
        if ring.next_offset != offset:
            return
        appended_at, topic = broker_time(time_ms), self._events
        for one in written:
            record: LogRecord = record_of(
                (topic, partition, offset, appended_at, one.key, one.value, one.headers)
            )
            ring.append(record)
            take(record, one if one.kind is not None else None)
            offset += 1
        follower.pass_over(TopicPartition(topic, partition), offset)
        self._wake()

    async def _hand_on(self, stretch: Stretch, take: TakeLive) -> None:
        for number, record in enumerate(stretch.records(), start=1):
            take(record)
            if number % AT_ONCE == 0:
                # Others want their turn even while the log is full of records.
                await asyncio.sleep(0)

    def _keeping(self, stretch: Stretch) -> TakeLive:
        """Takes an event and keeps it in its partition's ring."""
        ring = self._rings[stretch.tp.partition]

        def keep_and_take(record: LogRecord) -> None:
            # What was written here may have come first while a stretch was handed on.
            if record.offset < ring.next_offset or self._take is None:
                return
            ring.append(record)
            self._take(record)

        return keep_and_take

    async def _make_rings(self, fences: dict[int, int]) -> None:
        ends = await topic_ends(self._settings, self._events)
        share = self._settings.gateway_ring_bytes // len(ends)
        for one in ends:
            fence = fences.get(one.partition, one.end - UNKNOWN_BACKLOG)
            # Farther back than memory reaches would only be read to be dropped.
            first = max(one.beginning, min(fence, one.end), one.end - share // 1024)
            self._rings[one.partition] = Ring(first, share)

    def _note_progress(self) -> None:
        self._wake()
        self._lag = self._follower.lag if self._follower is not None else 0
        metrics.TAIL_LAG.set(self._lag)

    def _wake(self) -> None:
        """Tell who waits for the tail to come to some offset that it went on."""
        advanced, self._advanced = self._advanced, asyncio.Event()
        advanced.set()
