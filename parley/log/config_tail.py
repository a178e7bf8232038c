"""Follows the config topic, so that a service knows what operators set without the database."""

import asyncio
import itertools
from typing import Any, Final, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from parley import metrics
from parley.codec import InvalidRecord, LogRecord
from parley.codec.config import decode_config, parse_config_key
from parley.config import ConfigChange, ConfigFull, ConfigKey
from parley.log.access import kafka_options
from parley.log.admin import no_kafka, topic_ends
from parley.log.connections import stop_consumer
from parley.log.records import to_log_record
from parley.settings import Settings
from parley.topics import Topic

log = structlog.get_logger(__name__)

START_TIMEOUT_S: Final = 30.0
RETRY_S: Final = 0.5
ASK_TIMEOUT_S: Final = 10.0
_POLL_MS: Final = 250
_AT_ONCE: Final = 500
_BEGINNING: Final = -1


class View(Protocol):
    """What is made of the topic: the latest record of each thing counts."""

    def apply(self, change: ConfigChange) -> None:
        """Let a record count; raises ConfigFull for one thing too many."""

    def forget(self, about: ConfigKey) -> None:
        """A record is gone, or cannot be read any more."""

    def clear(self) -> None:
        """Know nothing, as before the first record."""


class ConfigTail:
    """Applies every record to a view, from the topic's beginning on.

    While Kafka is away the view stays as it is; what was changed meanwhile counts as soon as it
    is back.
    """

    def __init__(self, settings: Settings, view: View) -> None:
        self._settings = settings
        self._topic = settings.topic(Topic.CONFIG)
        self._view = view
        # Where to go on, by partition.
        self._next: dict[TopicPartition, int] = {}
        self._consumer: Any = None
        # Asks for ends: on the other one's connection a question waits behind a fetch that waits.
        self._asker: Any = None
        self._asking = asyncio.Lock()
        # How many questions were begun, up to which one they are answered, and by what.
        self._begun_count = 0
        self._answered_count = 0
        self._ends: dict[TopicPartition, int] = {}
        self._progress = asyncio.Event()

    async def start(self) -> None:
        """Read all that is there now; raises UserError without Kafka or the topic."""
        ends = await topic_ends(self._settings, self._topic)
        self._next = {TopicPartition(self._topic, one.partition): one.beginning for one in ends}
        targets = {TopicPartition(self._topic, one.partition): one.end for one in ends}
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._connect()
                while any(self._next[tp] < end for tp, end in targets.items()):
                    await self._read()
        except (KafkaError, OSError) as error:
            await self.close()
            raise no_kafka(self._settings, error) from error

    async def run(self, stop: asyncio.Event) -> None:
        """Apply what comes, until `stop`; a Kafka that is away is waited for."""
        try:
            while not stop.is_set():
                try:
                    await self._read()
                except (KafkaError, OSError) as error:
                    await self._begin_again(error)
        finally:
            await self.close()

    async def catch_up(self) -> None:
        """Return once all is applied that the topic held when this was called; may take for ever.

        `run` does the reading. While Kafka is away this waits, since nobody could know.
        """
        ends = await self._ask_ends()
        while any(self._next[tp] < end for tp, end in ends.items()):
            await self._progress.wait()

    async def close(self) -> None:
        """Disconnect."""
        consumers, self._consumer, self._asker = (self._consumer, self._asker), None, None
        for one in consumers:
            if one is not None:
                await stop_consumer(one)

    async def _connect(self) -> None:
        self._consumer = consumer = await _started(self._settings)
        consumer.assign(list(self._next))
        for tp, offset in self._next.items():
            if offset == _BEGINNING:
                await consumer.seek_to_beginning(tp)
            else:
                consumer.seek(tp, offset)

    async def _read(self) -> None:
        if self._consumer is None:
            await self._connect()
        fetched = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        for raw in itertools.chain.from_iterable(fetched.values()):
            self._apply(to_log_record(raw))
        for tp in self._next:
            # Not the last record's offset: compaction may have left nothing after it.
            self._next[tp] = await self._consumer.position(tp)
        self._progress.set()
        self._progress = asyncio.Event()

    async def _ask_ends(self) -> dict[TopicPartition, int]:
        """The ends at some moment after this was called.

        One question is asked for all who wait: but for the one under way, whose answer may be
        older than what they have to know.
        """
        wanted = self._begun_count + 1
        while True:
            try:
                async with asyncio.timeout(ASK_TIMEOUT_S), self._asking:
                    if self._answered_count < wanted:
                        await self._ask()
                    return self._ends
            except (KafkaError, OSError) as error:
                log.warning("config_end_unknown", error=type(error).__name__)
                await asyncio.sleep(RETRY_S)

    async def _ask(self) -> None:
        self._begun_count += 1
        self._asker = self._asker or await _started(self._settings)
        self._ends = await self._asker.end_offsets([*self._next])
        self._answered_count = self._begun_count

    async def _begin_again(self, error: Exception) -> None:
        metrics.CONFIG_RECONNECTS.inc()
        log.warning("config_tail_reconnects", error=type(error).__name__)
        if isinstance(error, OffsetOutOfRangeError):
            # It is another topic, or one that has lost its end: what it said counts no more.
            self._view.clear()
            self._next = dict.fromkeys(self._next, _BEGINNING)
        await self.close()
        await asyncio.sleep(RETRY_S)

    def _apply(self, record: LogRecord) -> None:
        try:
            self._view.apply(decode_config(record))
        except InvalidRecord as error:
            self._drop(record, error.reason)
        except ConfigFull:
            self._skip(record, "full")

    def _drop(self, record: LogRecord, reason: str) -> None:
        """Compaction keeps only this record of its key: nobody will know what it was about."""
        about = parse_config_key(record.key)
        if about is None:
            return
        self._view.forget(about)
        self._skip(record, "deleted" if record.value is None else reason)

    def _skip(self, record: LogRecord, reason: str) -> None:
        metrics.CONFIG_SKIPPED.labels(reason).inc()
        log.warning("config_record_skipped", reason=reason, offset=record.offset)


def make_consumer(settings: Settings) -> Any:
    """A consumer of its own, in no group; an offset that the broker does not have is an error."""
    return AIOKafkaConsumer(
        **kafka_options(settings),
        client_id="parley-config",
        enable_auto_commit=False,
        auto_offset_reset="none",
    )


async def _started(settings: Settings) -> Any:
    consumer = make_consumer(settings)
    try:
        await consumer.start()
        # aiokafka's stop() fails while a task that start() made has not had its first turn.
        await asyncio.sleep(0)
    except BaseException:
        await stop_consumer(consumer)
        raise
    return consumer
