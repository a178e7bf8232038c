"""Takes events for the log within bounds, and tells when they are durable."""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError

from parley import clock
from parley.codec import (
    MAX_RECORD_BYTES,
    InvalidRecord,
    Outgoing,
    encode_event,
    encode_live,
    event_key,
)
from parley.codec.live import LIVE_HEADERS
from parley.codec.validity import check
from parley.live import LiveBody, LiveFrame
from parley.policies import Policies
from parley.topics import Topic, partition_of
from parley.tracing import TRACING
from services.gateway import metrics
from services.gateway.core.events import Said, Source, write
from services.gateway.core.frames import Utterance
from services.gateway.core.refusals import Code, Refused
from services.gateway.settings import GatewaySettings
from services.gateway.stream.acknowledged import Acknowledged
from services.gateway.stream.beat import Beat
from services.gateway.stream.group_commit import GroupCommit, SendsBatches
from services.gateway.stream.messages import MessageWriter
from services.gateway.stream.submission import (
    Outcome,
    Recorded,
    Submission,
    Then,
    Written,
    overloaded,
)
from services.gateway.stream.traced import trace
from services.gateway.stream.turn_clock import TurnClock

MAX_LIVE_PENDING: Final = 2_000
LIVE_PATIENCE_S: Final = 2.0
_LIVE_WHO: Final = ("session_id", "user_id", "sender", "client_id", "connection_id")


class Accepts(SendsBatches, Protocol):
    """What is asked of a producer."""

    async def accept(self, outgoing: Outgoing) -> Awaitable[Any]:
        """Buffer a record; what comes back is awaited for its partition and offset."""


class Publisher:
    """Writes events into the log, in each conversation in the order of the calls.

    An event counts as unacknowledged until its producer is done with it, even after its client
    was told `not_durable`: so a broker that is away fills the bound, not the memory.
    """

    def __init__(
        self,
        producers: Sequence[Accepts],
        settings: GatewaySettings,
        policies: Policies,
        incarnation: str,
        gateway_id: str,
        partition_count: int,
        written: Written = lambda *_: None,
    ) -> None:
        """Partitions are shared among the producers, of which each has its own beat.

        `written` is told of all that was appended, behind those who wait for it.
        """
        self._live_producer = producers[0]
        self._settings = settings
        # The gap policy of an event that is written now.
        self.policy_for = policies.policy_for
        self.gateway_id = gateway_id
        self._topic = settings.topic(Topic.EVENTS)
        self._live_topic = settings.topic(Topic.LIVE)
        self._live_pending: set[asyncio.Task[None]] = set()
        self.acknowledged = Acknowledged()
        self.now = TurnClock().now
        lanes = [(producer, Beat()) for producer in producers]
        self._groups = [
            GroupCommit(
                *lanes[partition % len(lanes)],
                incarnation,
                partition,
                self._release,
                self.acknowledged,
                written,
            )
            for partition in range(partition_count)
        ]
        self._max_age = settings.gateway_max_age
        self._ack_timeout_s = settings.gateway_ack_timeout.total_seconds()
        self.max_unacknowledged = settings.gateway_max_unacknowledged
        self.unacknowledged = 0
        metrics.UNACKNOWLEDGED.set_function(lambda: self.unacknowledged)

    def source(
        self, conversation_id: str, channel: str = "", tenant_id: str | None = None, **who: str
    ) -> Source:
        """Who writes into a conversation; `who` are further fields of a Source."""
        return Source(
            tenant_id=tenant_id or self._settings.gateway_tenant,
            conversation_id=conversation_id,
            gateway_id=self.gateway_id,
            channel=channel,
            **who,
        )

    def messages(self, source: Source) -> MessageWriter:
        """For a source that has many messages: each is cheaper than by `record_utterance`."""
        return MessageWriter(self, source, self._max_age)

    async def record_utterance(self, source: Source, said: Utterance) -> Recorded:
        """Make a message durable under the id that its client gave it; raises Refused."""
        event_id = source.event_id(said.client_message_id)
        return await self.record(
            source, Said(event_id, said.body, said.clocks, said.client_message_id)
        )

    async def record(self, source: Source, said: Said) -> Recorded:
        """Make it durable; raises Refused: invalid_frame, overloaded or not_durable."""
        answered: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()
        self.submit(source, said, partial(_resolve, answered))
        return await answered

    def submit(self, source: Source, said: Said, then: Then) -> None:
        """Make it durable and call `then`; raises Refused at once, and then calls nobody."""
        # Asked for each time: a connection outlives many a policy.
        policy = self.policy_for(source.tenant_id, source.channel)
        written = write(source, said, policy, clock.now(), self._max_age)
        event = written.event
        try:
            check(event)
        except InvalidRecord as error:
            raise Refused(Code.INVALID_FRAME, error.detail) from error
        if written.was_clamped:
            metrics.TIMES_CLAMPED.inc()
        key = event_key(event.tenant_id, event.conversation_id)
        self.submit_value(self.partition_of(key), key, encode_event(event), event.event_id, then)

    def partition_of(self, key: bytes) -> int:
        """Where the records of a conversation go."""
        return partition_of(key, len(self._groups))

    def submit_value(
        self,
        partition: int,
        key: bytes,
        value: bytes,
        event_id: str,
        then: Then,
        kind: str | None = None,
        user_id: str = "",
    ) -> None:
        """Make a valid event's bytes durable and call `then`; raises Refused (overloaded).

        `partition` is the key's; `kind` and `user_id` as of a Submission.
        """
        if self.unacknowledged >= self.max_unacknowledged:
            metrics.EVENTS.add(Code.OVERLOADED)
            raise overloaded()
        now_s = clock.monotonic()
        deadline_s = now_s + self._ack_timeout_s
        submission = Submission(
            self._topic, key, value, event_id, now_s, deadline_s, then, kind=kind, user_id=user_id
        )
        # In a batch it would be refused together with everybody else's.
        if submission.size > MAX_RECORD_BYTES:
            raise Refused(Code.INVALID_FRAME, "it is larger than a record of the log may be")
        if TRACING.is_on:
            trace(submission)
        self.unacknowledged += 1
        self._groups[partition].add(submission)

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
                await (await self._live_producer.accept(outgoing))
        except (TimeoutError, KafkaError):
            # Nobody was promised it, and by now it is old.
            metrics.LIVE_DROPPED.labels("kafka").inc()

    def _release(self, count: int) -> None:
        self.unacknowledged -= count


def _resolve(answered: "asyncio.Future[Recorded]", outcome: Outcome) -> None:
    # Who gave up waiting does not take the event back.
    if answered.done():
        return
    if isinstance(outcome, Refused):
        answered.set_exception(outcome)
    else:
        answered.set_result(outcome)
