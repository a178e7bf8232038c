"""Makes events and puts them into the log as a gateway would."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from parley import clock
from parley.codec import Outgoing, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.events import Body, Content, Event, MessageRecorded, Policy, Role
from parley.ids import message_event_id, random_id
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic

TENANT = "default"


def message(
    conversation_id: str,
    number: int | str,
    text: str = "hello",
    *,
    at: datetime | None = None,
    role: Role = Role.USER,
    policy: Policy | None = None,
    **fields: Any,
) -> Event:
    """A message that its client named `number`; `at` is its event time, now by default."""
    received_at = fields.pop("received_at", None) or clock.now()
    return Event(
        event_id=message_event_id(TENANT, conversation_id, "tester", "", str(number)),
        body=MessageRecorded(role, Content(text)),
        event_time=at or received_at,
        received_at=received_at,
        tenant_id=TENANT,
        conversation_id=conversation_id,
        sender="tester",
        client_message_id=str(number),
        channel="test",
        policy=policy or Policy(),
        **fields,
    )


def event(conversation_id: str, body: Body, **fields: Any) -> Event:
    """Any other event of a conversation, with a random id."""
    now = clock.now()
    return Event(
        **{
            "event_id": random_id(),
            "body": body,
            "event_time": now,
            "received_at": now,
            "tenant_id": TENANT,
            "conversation_id": conversation_id,
            "sender": "tester",
            "channel": "test",
            **fields,
        }
    )


def short_policy(idle_gap_s: float = 2.0, grace_s: float = 0.5) -> Policy:
    """A policy under which a conversation is over before a test is."""
    return Policy("short", 1, timedelta(seconds=idle_gap_s), timedelta(seconds=grace_s))


def outgoing(settings: Settings, one: Event) -> Outgoing:
    """The event as a record of the events topic."""
    key = event_key(one.tenant_id, one.conversation_id)
    return Outgoing(settings.topic(Topic.EVENTS), key, encode_event(one), EVENT_HEADERS)


async def publish(settings: Settings, events: Sequence[Event]) -> list[Any]:
    """Publish events in order; returns their records' metadata."""
    producer = Producer(settings)
    await producer.start()
    try:
        return await producer.send_all([outgoing(settings, one) for one in events])
    finally:
        await producer.stop()
