"""Writes the messages of one source, of which most is the same: it is worked out once."""

from datetime import datetime, timedelta
from typing import Protocol

from parley import event_time
from parley.codec import MESSAGE_KIND, InvalidRecord, event_key
from parley.codec.events import MessageTemplate
from parley.events import Policy
from parley.ids import message_ids
from services.gateway import metrics
from services.gateway.core.events import Said, Source, write
from services.gateway.core.frames import NO_CLOCKS, Utterance
from services.gateway.core.refusals import Code, Refused
from services.gateway.stream.submission import Then


class Submits(Protocol):
    """What is asked of a publisher."""

    def policy_for(self, tenant_id: str, channel: str) -> Policy:
        """The gap policy that counts now: the same object until another one does."""

    def now(self) -> datetime:
        """When what is submitted in this turn of the loop was received."""

    def partition_of(self, key: bytes) -> int:
        """Where the records of a conversation go."""

    def submit_value(
        self,
        partition: int,
        key: bytes,
        value: bytes,
        event_id: str,
        then: Then,
        kind: str,
        user_id: str,
    ) -> None:
        """Make a record durable; raises Refused where there is no room for it."""


class MessageWriter:
    """One source's messages on their way into the log."""

    def __init__(self, publisher: Submits, source: Source, max_age: timedelta) -> None:
        self._publisher = publisher
        self._source = source
        self._max_age = max_age
        self._key = event_key(source.tenant_id, source.conversation_id)
        self._partition = publisher.partition_of(self._key)
        self._ids = message_ids(
            source.tenant_id, source.conversation_id, source.sender, source.client_id
        )
        self._policy: Policy | None = None
        self._template: MessageTemplate | None = None

    def event_id(self, client_message_id: str) -> str:
        """As of the source."""
        return self._ids.of(client_message_id)

    def submit(self, said: Utterance, then: Then) -> str:
        """Make a message durable and call `then`; returns its event id.

        Raises Refused at once, and then calls nobody: invalid_frame or overloaded.
        """
        event_id = self._ids.of(said.client_message_id)
        try:
            value = self._encode(event_id, said)
        except InvalidRecord as error:
            raise Refused(Code.INVALID_FRAME, error.detail) from error
        self._publisher.submit_value(
            self._partition, self._key, value, event_id, then, MESSAGE_KIND, self._source.user_id
        )
        return event_id

    def _encode(self, event_id: str, said: Utterance) -> bytes:
        now, source = self._publisher.now(), self._source
        policy = self._publisher.policy_for(source.tenant_id, source.channel)
        if self._template is None or policy is not self._policy:
            message = Said(event_id, said.body, said.clocks, said.client_message_id)
            written = write(source, message, policy, now, self._max_age)
            self._template, self._policy = MessageTemplate(written.event), policy
        if said.clocks is NO_CLOCKS:
            # As nearly always; then it happened when it came.
            return self._template.encode(event_id, said.client_message_id, said.body, now, now)
        occurred_at, sent_at = said.clocks
        happened_at, was_clamped = event_time.live(now, occurred_at, sent_at, self._max_age)
        if was_clamped:
            metrics.TIMES_CLAMPED.inc()
        return self._template.encode(
            event_id, said.client_message_id, said.body, happened_at, now, occurred_at, sent_at
        )
