"""The messages that every sink is given, in the form that each of them reads."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from parley import clock
from parley.codec import encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.codec.record import Header
from parley.events import Content, Event, MessageRecorded, Role

MESSAGES: Final = 200_000
CONVERSATIONS: Final = 20_000
TEXT_CHARS: Final = 400

TENANT: Final = "default"
_BEGAN_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SPACE_BETWEEN: Final = timedelta(milliseconds=5)
_LETTERS: Final = "etaoin shrdlu cmfwyp vbgkqjxz"


class Message(NamedTuple):
    """One message; the fields are the columns of the simple table."""

    id: str
    conversation_id: str
    role: str
    content: str
    event_time_us: int


class Record(NamedTuple):
    """A message as a record, ready to be published."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[Header, ...]


def messages(count: int = MESSAGES, conversations: int = CONVERSATIONS) -> Iterator[Message]:
    """The same messages each time; consecutive ones belong to any of the conversations.

    That is the hardest order for the full schema: hardly two messages of a batch share a
    conversation or a session.
    """
    chance = random.Random(20_260_101)  # noqa: S311 - the same each time
    letters = "".join(chance.choices(_LETTERS, k=50_000))
    began_us = (_BEGAN_AT - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND
    for number in range(count):
        start = chance.randrange(len(letters) - TEXT_CHARS)
        yield Message(
            str(UUID(int=chance.getrandbits(128), version=4)),
            f"conversation-{chance.randrange(conversations):05}",
            ("user", "assistant")[number % 2],
            letters[start : start + TEXT_CHARS],
            began_us + number * (_SPACE_BETWEEN // _MICROSECOND),
        )


def partition_of(message: Message, partitions: int) -> int:
    """Conversations spread over the partitions, the same for every sink."""
    return int(message.conversation_id[-5:]) % partitions


def as_parley(message: Message, topic: str, received_at: datetime | None = None) -> Record:
    """The record as a gateway would write it then, by default now: an Event in Protobuf."""
    at = datetime.fromtimestamp(message.event_time_us / 1e6, UTC)
    session_id = message.conversation_id.replace("conversation", "session")
    user_id = message.conversation_id.replace("conversation", "user")
    event = Event(
        event_id=message.id,
        body=MessageRecorded(Role(message.role), Content(message.content)),
        event_time=at,
        received_at=received_at or clock.now(),
        tenant_id=TENANT,
        conversation_id=message.conversation_id,
        session_id=session_id,
        user_id=user_id,
        sender=user_id,
        client_id="client-1",
        client_message_id=message.id,
        connection_id=session_id,
        gateway_id="gateway-1",
        channel="web",
        occurred_at=at,
        sent_at=at,
    )
    return Record(
        topic, event_key(TENANT, message.conversation_id), encode_event(event), EVENT_HEADERS
    )


def as_json(message: Message, topic: str) -> Record:
    """The record as Connect's JsonConverter reads it with a schema that it is told beforehand."""
    return Record(topic, message.conversation_id.encode(), orjson.dumps(message._asdict()), ())
