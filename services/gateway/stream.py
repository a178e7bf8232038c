"""Puts events into the log: in order, within bounds, and durable or refused."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog
from aiokafka.errors import KafkaError

from parley import clock
from parley.codec import InvalidRecord, Outgoing, encode_event, encode_live, event_key
from parley.codec.events import EVENT_HEADERS
from parley.codec.live import LIVE_HEADERS
from parley.codec.validity import check
from parley.events import Event
from parley.live import LiveBody, LiveFrame
from parley.position import Position
from parley.topics import Topic
from services.gateway import metrics
from services.gateway.core.events import Said, Source, write
from services.gateway.core.frames import Utterance
from services.gateway.core.refusals import Code, Refused
from services.gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)

RETRY_AFTER_MS: Final = 1_000
MAX_LIVE_PENDING: Final = 2_000
LIVE_PATIENCE_S: Final = 2.0
_LIVE_WHO: Final = ("session_id", "user_id", "sender", "client_id", "connection_id")

# Held while one record is handed to the producer: waiters are served in the order of asking, so
# the log has a connection's events in the order of its frames.
Lane = asyncio.Lock


class Accepts(Protocol):
    """The one thing that is asked of a producer."""

    async def accept(self, outgoing: Outgoing) -> Awaitable[Any]:
        """Buffer a record; what comes back is awaited for its partition and offset."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event that is durable, and where it lies."""

    event_id: str
    position: Position


class Publisher:
    """Writes events and returns when Kafka has acknowledged them.

    An event counts as unacknowledged until its producer is done with it, even after its client
    was told `not_durable`: so a broker that is away fills the bound, not the memory.
    """

    def __init__(
        self, producer: Accepts, settings: GatewaySettings, incarnation: str, gateway_id: str
    ) -> None:
        self._producer = producer
        self._settings = settings
        self.gateway_id = gateway_id
        self._topic = settings.topic(Topic.EVENTS)
        self._live_topic = settings.topic(Topic.LIVE)
        self._live_pending: set[asyncio.Task[None]] = set()
        self._incarnation = incarnation
        self._max_age = settings.gateway_max_age
        self._ack_timeout_s = settings.gateway_ack_timeout.total_seconds()
        self.max_unacknowledged = settings.gateway_max_unacknowledged
        self.unacknowledged = 0

    def source(
        self, conversation_id: str, channel: str = "", tenant_id: str | None = None, **who: str
    ) -> Source:
        """Who writes into a conversation; `who` are further fields of a Source."""
        return Source(
            tenant_id=tenant_id or self._settings.gateway_tenant,
            conversation_id=conversation_id,
            gateway_id=self.gateway_id,
            policy=self._settings.policy_for(channel),
            channel=channel,
            **who,
        )

    async def record_utterance(self, source: Source, said: Utterance, lane: Lane) -> Recorded:
        """Make a message durable under the id that its client gave it; raises Refused."""
        event_id = source.event_id(said.client_message_id)
        message = Said(event_id, said.body, said.clocks, said.client_message_id)
        return await self.record(source, message, lane)

    async def record(self, source: Source, said: Said, lane: Lane) -> Recorded:
        """Make it durable; raises Refused: invalid_frame, overloaded or not_durable."""
        started_at = clock.monotonic()
        written = write(source, said, clock.now(), self._max_age)
        outgoing = self._encode(written.event)
        if written.was_clamped:
            metrics.TIMES_CLAMPED.inc()
        metadata = await self._publish(outgoing, lane)
        metrics.ACK_SECONDS.observe(clock.monotonic() - started_at)
        position = Position(self._incarnation, metadata.partition, metadata.offset)
        return Recorded(said.event_id, position)

    def publish_live(
        self, tenant_id: str, conversation_id: str, body: LiveBody, source: Source | None = None
    ) -> bool:
        """Show something to everybody now; False where Kafka is too far behind for it."""
        if len(self._live_pending) >= MAX_LIVE_PENDING:
            metrics.LIVE_DROPPED.labels("kafka").inc()
            return False
        who = {} if source is None else {name: getattr(source, name) for name in _LIVE_WHO}
        frame = LiveFrame(tenant_id, conversation_id, self.gateway_id, clock.now(), body, **who)
        key = event_key(tenant_id, conversation_id)
        outgoing = Outgoing(self._live_topic, key, encode_live(frame), LIVE_HEADERS)
        task = asyncio.get_running_loop().create_task(self._send_live(outgoing))
        self._live_pending.add(task)
        task.add_done_callback(self._live_pending.discard)
        return True

    async def _send_live(self, outgoing: Outgoing) -> None:
        try:
            async with asyncio.timeout(LIVE_PATIENCE_S):
                await (await self._producer.accept(outgoing))
        except (TimeoutError, KafkaError):
            # Nobody was promised it, and by now it is old.
            metrics.LIVE_DROPPED.labels("kafka").inc()

    def _encode(self, event: Event) -> Outgoing:
        try:
            check(event)
        except InvalidRecord as error:
            raise Refused(Code.INVALID_FRAME, error.detail) from error
        key = event_key(event.tenant_id, event.conversation_id)
        return Outgoing(self._topic, key, encode_event(event), EVENT_HEADERS)

    async def _publish(self, outgoing: Outgoing, lane: Lane) -> Any:
        self._take_slot()
        acknowledged: asyncio.Future[Any] | None = None
        try:
            async with asyncio.timeout(self._ack_timeout_s):
                async with lane:
                    acknowledged = asyncio.ensure_future(await self._producer.accept(outgoing))
                # Shielded, since giving up the wait does not take the record back.
                return await asyncio.shield(acknowledged)
        except (TimeoutError, KafkaError) as error:
            raise Refused(
                Code.NOT_DURABLE,
                "Kafka has not acknowledged it: the same id may be sent again",
                RETRY_AFTER_MS,
            ) from error
        finally:
            self._release_slot_once_done(acknowledged)

    def _take_slot(self) -> None:
        if self.unacknowledged >= self.max_unacknowledged:
            raise Refused(
                Code.OVERLOADED, "too many events wait for Kafka's acknowledgement", RETRY_AFTER_MS
            )
        self.unacknowledged += 1
        metrics.UNACKNOWLEDGED.set(self.unacknowledged)

    def _release_slot_once_done(self, acknowledged: asyncio.Future[Any] | None) -> None:
        if acknowledged is None:
            self._release_slot()
        elif acknowledged.done():
            self._note_outcome(acknowledged)
        else:
            acknowledged.add_done_callback(self._note_outcome)

    def _note_outcome(self, acknowledged: asyncio.Future[Any]) -> None:
        self._release_slot()
        if not acknowledged.cancelled() and (error := acknowledged.exception()) is not None:
            log.warning("not_durable", error=type(error).__name__)

    def _release_slot(self) -> None:
        self.unacknowledged -= 1
        metrics.UNACKNOWLEDGED.set(self.unacknowledged)
