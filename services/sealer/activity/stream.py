"""Faust's edge: brings the newest quarter of an hour of the log, and what follows, to the counting.

Faust reads, shares partitions out among workers and says when they change. Nothing that it keeps
is relied upon: no tables, which it would fill again from topics of its own and expire by the
machine's clock; no committed offsets, which it moves past records that failed; no topics, as it
may create none. Partitions that come to this worker are read again from a quarter of an hour ago,
which gives their windows as they were.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import faust
import structlog
from faust.transport.drivers.aiokafka import Consumer, Transport

from parley import clock
from parley.codec import LogRecord
from parley.log.access import tls_context
from parley.log.admin import offsets_at, topic_ends
from parley.log.records import broker_time
from parley.settings import Settings
from parley.topics import Topic
from services.sealer.activity.core import LONGEST
from services.sealer.activity.counting import Counting

log = structlog.get_logger(__name__)

GROUP: Final = "parley-activity"
# Faust's own default of a minute keeps a dead worker's partitions uncounted for as long.
REBALANCE_S: Final = 30.0

Begin = Callable[[set[int]], Awaitable[Mapping[int, int]]]


class ActivityStream:
    """The worker's Faust app, as a task of our own process."""

    def __init__(self, settings: Settings, counting: Counting) -> None:
        self._settings = settings
        self._counting = counting
        self._topic = settings.topic(Topic.EVENTS)
        self._failure: asyncio.Future[None] | None = None
        self._app: Any = None

    async def run(self, stop: asyncio.Event) -> None:
        """Count until `stop`; raises UserError without Kafka or the topic.

        Raises what ended Faust, or what counting failed with: Faust by itself would take that
        record as done, and go on.
        """
        _quiet()
        # Faust would wait for a topic that is not there, and says nothing.
        await topic_ends(self._settings, self._topic)
        self._failure = asyncio.get_running_loop().create_future()
        self._app = app = _app(self._settings, self._begin)
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        app.agent(_raw_topic(app, self._topic), concurrency=1)(self._count)
        await app.start()
        ends = {asyncio.ensure_future(one) for one in (stop.wait(), app.wait_until_stopped())} | {
            self._failure
        }
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._counting.keep(())
            await app.stop()
            for one in ends:
                one.cancel()
        if self._failure.done() and not self._failure.cancelled():
            await self._failure
        if app.crash_reason is not None:
            raise app.crash_reason

    def check(self) -> None:
        """Raises RuntimeError until it has its partitions, and while they change."""
        if self._app is None or not self._app.started or self._app.rebalancing:
            raise RuntimeError("Kafka has not given it its partitions yet")

    async def _count(self, stream: Any) -> None:
        async for event in stream.events():
            try:
                self._counting.count(_log_record(event.message))
            except Exception as error:
                self._fail(error)
                raise

    async def _begin(self, partitions: set[int]) -> Mapping[int, int]:
        """Where these partitions are read from; what was counted of them is forgotten."""
        known = await offsets_at(self._settings, self._topic, clock.now() - LONGEST)
        offsets = {partition: known[partition] for partition in partitions}
        self._counting.begin(offsets)
        log.info("activity_begins", offsets=offsets)
        return offsets

    async def _on_revoked(self, _app: Any, revoked: set[Any], **_: Any) -> None:
        gone = {tp.partition for tp in revoked}
        self._counting.keep(set(self._counting.partitions) - gone)

    def _fail(self, error: Exception) -> None:
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)


class _RecentConsumer(Consumer):  # type: ignore[misc]
    """Goes to where this worker wants to begin, whatever was committed."""

    async def seek_to_committed(self) -> Mapping[Any, int]:
        """Faust asks for this after every change of its partitions, before it reads on."""
        assigned = self.assignment()
        offsets = await self.app.begin({tp.partition for tp in assigned})
        places = {tp: offsets[tp.partition] for tp in assigned}
        await self.seek_wait(places)
        return places


class _RecentTransport(Transport):  # type: ignore[misc]
    Consumer = _RecentConsumer


class _App(faust.App):  # type: ignore[misc]
    """A Faust app that leaves the disk alone."""

    begin: Begin

    def _create_directories(self) -> None:
        """It keeps nothing, and a container may have nowhere to keep it."""


def _app(settings: Settings, begin: Begin) -> Any:
    brokers = settings.kafka_bootstrap.split(",")
    app = _App(
        f"{settings.topic_prefix}{GROUP}",
        broker=[f"kafka://{one.strip()}" for one in brokers],
        broker_credentials=_credentials(settings),
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        broker_session_timeout=settings.session_timeout.total_seconds(),
        broker_heartbeat_interval=settings.session_timeout.total_seconds() / 3,
        broker_rebalance_timeout=REBALANCE_S,
        key_serializer="raw",
        value_serializer="raw",
    )
    # Reads only.
    app.boot_strategy.enable_kafka_producer = False
    app.begin = begin
    app.transport = _RecentTransport(app.conf.broker_consumer, app)
    return app


def _credentials(settings: Settings) -> Any:
    context = tls_context(settings) if settings.kafka_is_encrypted else None
    if settings.kafka_has_login:
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=settings.kafka_password.get_secret_value() if settings.kafka_password else "",
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism,
        )
    return faust.SSLCredentials(context) if context is not None else None


def _raw_topic(app: Any, name: str) -> Any:
    return app.topic(name, key_type=bytes, value_type=bytes)


def _log_record(message: Any) -> LogRecord:
    return LogRecord(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        broker_time=broker_time(round(message.timestamp * 1000)),
        key=message.key,
        value=message.value,
        headers=tuple(message.headers or ()),
    )


def _quiet() -> None:
    """Their lines are about themselves; what ends them reaches `run`."""
    for name in ("faust", "mode"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
