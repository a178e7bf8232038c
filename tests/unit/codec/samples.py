"""One event of every kind, and strategies that make any of them."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from hypothesis import strategies as st

from parley import events as domain
from parley.codec import LogRecord, encode_event, event_key
from parley.events import PARTITION_WIDE, Body, Content, Event, Policy

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT_ID = "0c7e7f0a-5e2d-5d3c-9b43-3f1d7d6f0a11"
OTHER_ID = "1d7e7f0a-5e2d-5d3c-9b43-3f1d7d6f0a22"

BODIES: tuple[Body, ...] = (
    domain.ConversationCreated("A title", "kind", '{"a":1}'),
    domain.ConversationUpdated(title="B", metadata_json="{}"),
    domain.SessionStarted(1, "conn", "127.0.0.1", "agent", '{"k":[1]}'),
    domain.SessionResumed(2, "conn", "127.0.0.1", "agent"),
    domain.SessionRefreshed(2, "conn"),
    domain.SessionEnded(2, domain.EndReason.DISCONNECTED, "conn"),
    domain.MessageRecorded(
        domain.Role.ASSISTANT,
        Content("Guten Tag — 你好", "https://a/b.ogg", '{"n":9007199254740993}'),
    ),
    domain.MessageRevised(OTHER_ID, domain.RevisionKind.INTERRUPTED, Content("Gut")),
    domain.StateRequested(
        domain.ConversationState.IDLE, domain.ConversationState.LISTENING, "why", "r", reopen=True
    ),
    domain.PreferencesChanged("calm", "de", "alto", '{"x":null}'),
    domain.SealForced("r", "ops", "because"),
    domain.Forgotten("key", "r"),
    domain.ImportStarted("file"),
    domain.ImportFinished(domain.ImportOutcome.COMPLETED, 3, 2),
    domain.RuleActivated(1, 1),
    domain.RecordRejected(7, OTHER_ID, "refused"),
    domain.Tick(NOON),
)
assert {type(body) for body in BODIES} == set(get_args(Body))


def sample(body: Body, **fields: Any) -> Event:
    """An event around the body, with every field of the envelope set."""
    if isinstance(body, PARTITION_WIDE):
        return Event(EVENT_ID, body, NOON, NOON, gateway_id="g", **fields)
    whole: dict[str, Any] = {
        "event_id": EVENT_ID,
        "body": body,
        "event_time": NOON - timedelta(seconds=3),
        "received_at": NOON,
        "tenant_id": "acme",
        "conversation_id": "c/1",
        "session_id": "s1",
        "user_id": "u1",
        "sender": "me",
        "client_id": "phone",
        "client_message_id": "1",
        "connection_id": "conn",
        "gateway_id": "g",
        "channel": "voice",
        "occurred_at": NOON - timedelta(seconds=4),
        "sent_at": NOON - timedelta(seconds=1, microseconds=1),
        "policy": Policy("p", 3, timedelta(minutes=1), timedelta(milliseconds=1), seal_on_end=True),
    }
    return Event(**{**whole, **fields})


def record(event: Event, broker_time: datetime = NOON, **fields: Any) -> LogRecord:
    """The event as the broker would give it."""
    key = event_key(event.tenant_id, event.conversation_id)
    whole: dict[str, Any] = {
        "topic": "parley.events.v1",
        "partition": 0,
        "offset": 0,
        "broker_time": broker_time,
        "key": None if isinstance(event.body, PARTITION_WIDE) else key,
        "value": encode_event(event),
    }
    return LogRecord(**{**whole, **fields})


events = st.sampled_from(BODIES).map(sample)
