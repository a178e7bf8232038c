"""Writes imports into the log: a start in every partition, messages with their past, an end.

Whether an import was ever started, or is over, is in the log alone, and no table of the gateway's
tells it: so it is only checked that the id is this tenant's. A message of an import that nobody
started is stored all the same, and sealed once nothing of that import came for long.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from aiokafka.errors import KafkaError

from parley import clock, event_time, ids
from parley.codec import InvalidRecord, Outgoing, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.codec.validity import check
from parley.events import (
    Body,
    Event,
    ImportFinished,
    ImportOutcome,
    ImportStarted,
    MessageRecorded,
    Policy,
)
from parley.importing.past import SENDER, event_id_of
from parley.position import Position
from parley.topics import Topic
from services.gateway.core.refusals import Code, Refused
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Outcome, Then

STARTED: Final = "import-started"
FINISHED: Final = "import-finished"
RETRY_AFTER_MS: Final = 1_000
_TAG_CHARS: Final = 12


class Submits(Protocol):
    """What is asked of the publisher."""

    def policy_for(self, tenant_id: str, channel: str) -> Policy:
        """The gap policy of an event that is written now."""

    def partition_of(self, key: bytes) -> int:
        """Where the records of a conversation go."""

    def submit_value(
        self, partition: int, key: bytes, value: bytes, event_id: str, then: Then
    ) -> None:
        """Make an event durable and call `then`; raises Refused (overloaded)."""


class SendsBatches(Protocol):
    """What is asked of the producer, for the records that have no key."""

    async def send_batch(self, partition: int, batch: Sequence[Outgoing]) -> list[int]:
        """Make records durable; returns their offsets."""


@dataclass(frozen=True, slots=True)
class PastMessage:
    """A message of an import; `message_id` is its source's own."""

    conversation_id: str
    message_id: str
    body: MessageRecorded
    occurred_at: datetime
    user_id: str = ""
    channel: str = ""


class ImportLog:
    """The imports of all tenants; everything may be done again, and comes out the same."""

    def __init__(
        self,
        publisher: Submits,
        producer: SendsBatches,
        settings: GatewaySettings,
        incarnation: str,
        partition_count: int,
    ) -> None:
        self._publisher = publisher
        self._producer = producer
        self._settings = settings
        self._topic = settings.topic(Topic.EVENTS)
        self._incarnation = incarnation
        self._partition_count = partition_count

    async def start(self, tenant_id: str, source: str) -> tuple[str, list[Position]]:
        """Begin the import of a source: its id, and where it begins. Raises Refused.

        The same source, by its name, is the same import.
        """
        import_id = _import_id(tenant_id, ids.derived_id("import", tenant_id, source))
        return import_id, await self._mark_all(STARTED, import_id, ImportStarted(SENDER))

    def may_exist(self, tenant_id: str, import_id: str) -> bool:
        """Whether the id is one that was, or could be, given to this tenant."""
        return import_id == _import_id(tenant_id, import_id)

    async def record_all(
        self, tenant_id: str, import_id: str, messages: Sequence[PastMessage]
    ) -> list[Outcome]:
        """Make messages of the past durable, each or not; in their order. Raises nothing."""
        return await asyncio.gather(
            *[self._submitted(tenant_id, import_id, one) for one in messages]
        )

    async def finish(self, import_id: str, outcome: ImportOutcome) -> list[Position]:
        """Say that nothing more comes; raises Refused. Twice with one outcome is as good as once.

        Its counts are 0, which is unknown: the messages came through any number of gateways.
        """
        return await self._mark_all(f"{FINISHED}:{outcome}", import_id, ImportFinished(outcome))

    def _submitted(
        self, tenant_id: str, import_id: str, message: PastMessage
    ) -> "asyncio.Future[Outcome]":
        """What will have become of it; handed over at once, so that the order is the calls'."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def note(known: Outcome) -> None:
            if not outcome.done():
                outcome.set_result(known)

        try:
            self._submit(self._event(tenant_id, import_id, message), note)
        except Refused as refused:
            outcome.set_result(refused)
        return outcome

    def _submit(self, event: Event, then: Then) -> None:
        try:
            check(event)
        except InvalidRecord as error:
            raise Refused(Code.INVALID_FRAME, error.detail) from error
        key = event_key(event.tenant_id, event.conversation_id)
        partition = self._publisher.partition_of(key)
        self._publisher.submit_value(partition, key, encode_event(event), event.event_id, then)

    def _event(self, tenant_id: str, import_id: str, message: PastMessage) -> Event:
        return Event(
            event_id=event_id_of(tenant_id, message.conversation_id, message.message_id),
            body=message.body,
            event_time=event_time.imported(message.occurred_at).moment,
            received_at=clock.now(),
            tenant_id=tenant_id,
            conversation_id=message.conversation_id,
            user_id=message.user_id,
            sender=SENDER,
            client_message_id=message.message_id,
            channel=message.channel,
            occurred_at=message.occurred_at,
            policy=self._publisher.policy_for(tenant_id, message.channel),
            import_id=import_id,
        )

    async def _mark_all(self, kind: str, import_id: str, body: Body) -> list[Position]:
        marks = (self._mark(kind, import_id, body, one) for one in range(self._partition_count))
        try:
            async with asyncio.timeout(self._settings.gateway_ack_timeout.total_seconds()):
                return await asyncio.gather(*marks)
        except (TimeoutError, KafkaError) as error:
            raise Refused(
                Code.NOT_DURABLE,
                "Kafka has not acknowledged it: the same may be sent again",
                RETRY_AFTER_MS,
            ) from error

    async def _mark(self, kind: str, import_id: str, body: Body, partition: int) -> Position:
        now = clock.now()
        event_id = ids.derived_id(kind, import_id, str(partition))
        event = Event(event_id, body, now, now, sender=SENDER, import_id=import_id)
        mark = Outgoing(self._topic, None, encode_event(event), EVENT_HEADERS, partition)
        [offset] = await self._producer.send_batch(partition, [mark])
        return Position(self._incarnation, partition, offset)


def _import_id(tenant_id: str, text: str) -> str:
    """An id whose last part follows from its tenant and the rest: no tenant ends another's."""
    name = text[:-_TAG_CHARS]
    return name + ids.derived_id("import-of", tenant_id, name)[-_TAG_CHARS:]
