"""Events, seals and records for tests of the persister, worked ones and random ones."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from parley.analyses import JobEnded, JobEndKind, JobTrigger
from parley.codec import LogRecord, encode_event, event_key
from parley.events import (
    Body,
    Content,
    ConversationCreated,
    ConversationState,
    ConversationUpdated,
    EndReason,
    Event,
    MessageRecorded,
    MessageRevised,
    PreferencesChanged,
    RevisionKind,
    Role,
    SessionEnded,
    SessionRefreshed,
    SessionResumed,
    SessionStarted,
    StateRequested,
)
from parley.ids import derived_id
from parley.seals import SealCause, SegmentRetracted, SegmentSealed, SessionSettled
from services.persister.core.rows import Place, ReceivedEvent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANT = "t"
INCARNATION = "incarnation"


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def event(number: int | str, body: Body, minutes: float = 0, **fields: Any) -> Event:
    """An event of conversation "c" and session "s", as the number says which."""
    return Event(
        **{
            "event_id": derived_id("event", str(number)),
            "body": body,
            "event_time": at(minutes),
            "received_at": at(minutes),
            "tenant_id": TENANT,
            "conversation_id": "c",
            "session_id": "s",
            **fields,
        }
    )


def message(number: int | str, minutes: float = 0, text: str = "hello", **fields: Any) -> Event:
    return event(number, MessageRecorded(Role.USER, Content(text)), minutes, **fields)


def revision(number: int | str, target: Event, text: str, minutes: float = 0) -> Event:
    body = MessageRevised(target.event_id, RevisionKind.CORRECTED, Content(text))
    return event(number, body, minutes, conversation_id=target.conversation_id)


def place(offset: int) -> Place:
    return Place(INCARNATION, 0, offset, at(offset / 60))


def received(events: Sequence[Event], first_offset: int = 0) -> list[ReceivedEvent]:
    """The events as they were read, one offset after the other."""
    read = []
    for offset, one in enumerate(events, first_offset):
        read.append(ReceivedEvent(one, place(offset), encode_event(one)))
    return read


def record(one: Event, offset: int, topic: str = "events") -> LogRecord:
    """The event as a record of the log, appended when it was received."""
    key = event_key(one.tenant_id, one.conversation_id)
    return LogRecord(topic, 0, offset, one.received_at, key, encode_event(one))


def sealed(name: str, revision: int = 1, *retracted: SegmentRetracted) -> SegmentSealed:
    """A revision of the segment that this message opened."""
    opening = derived_id("event", name)
    return SegmentSealed(
        tenant_id=TENANT,
        conversation_id="c",
        segment_id=segment_id(name),
        revision=revision,
        previous_revision=revision - 1,
        cause=SealCause.IDLE,
        started_at=at(revision),
        ended_at=at(revision + 1),
        first_event_id=opening,
        last_event_id=opening,
        message_count=revision,
        member_digest=f"{name}{revision}".encode(),
        first_offset=0,
        last_offset=revision,
        incarnation=INCARNATION,
        partition=0,
        decided_offset=10 + revision,
        watermark=at(100),
        policy_id="default",
        policy_version=1,
        rule_version=1,
        opening_event_id=opening,
        channel="web",
        participants=("anonymous",),
        user_ids=("ada",),
        retracted=retracted,
    )


def segment_id(name: str) -> str:
    return derived_id("segment", name)


def retracts(name: str, revision: int, into: str) -> SegmentRetracted:
    return SegmentRetracted(segment_id(name), revision, segment_id(into))


def settled(generation: int, minutes: float, session_id: str = "s") -> SessionSettled:
    """The sealer's word that the session was silent since then."""
    return SessionSettled(
        TENANT,
        "c",
        session_id,
        generation,
        EndReason.IDLE,
        at(minutes),
        INCARNATION,
        0,
        int(minutes),
        at(minutes + 30),
    )


def verdict(end: JobEndKind = JobEndKind.VERDICT, **fields: Any) -> JobEnded:
    return JobEnded(
        **{
            "tenant_id": TENANT,
            "conversation_id": "c",
            "segment_id": segment_id("1"),
            "revision": 1,
            "pass_name": "sentiment",
            "pass_version": 1,
            "fingerprint": "f",
            "end": end,
            "reason": "",
            "member_digest": b"m",
            "content_digest": b"c",
            "output_schema_version": 1,
            "output_json": '{"mean": 0.5}',
            "trigger": JobTrigger.SEAL,
            "attempt_count": 1,
            "started_at": NOON,
            "ended_at": NOON,
            "worker_id": "w",
            **fields,
        }
    )


def random_events(chance: Random, count: int) -> list[Event]:
    """Events of few conversations, sessions and users at few times, so that all of them meet."""
    return [_random_event(chance, number) for number in range(count)]


def random_settlements(chance: Random, count: int) -> list[SessionSettled]:
    return [
        settled(chance.randrange(4), chance.randrange(30), f"s{chance.randrange(3)}")
        for _ in range(count)
    ]


def _random_event(chance: Random, number: int) -> Event:
    # Few targets, so that some are revised twice, and now and then from another conversation.
    target = chance.randrange(10)
    body = _random_body(chance, number, target)
    which = (target if isinstance(body, MessageRevised) else number) % 3
    which = chance.choice([which, which, which, 0])
    # Now and then an event names a session of another conversation, or none.
    session_id = chance.choice(["", "s0", *(f"s{which}",) * 6])
    one = event(
        number,
        body,
        chance.randrange(30),
        conversation_id=f"c{which}",
        session_id=session_id,
        user_id=chance.choice(["", "ada", "bob"]),
        channel=chance.choice(["", "web", "phone"]),
    )
    if isinstance(one.body, SessionStarted | SessionResumed | SessionRefreshed | SessionEnded):
        return replace(one, session_id=one.session_id or "s0")
    return one


def _random_body(chance: Random, number: int, target: int) -> Body:
    generation = chance.randint(1, 3)
    metadata = chance.choice(["", f'{{"n": {number}}}'])
    bodies: list[Body] = [
        ConversationCreated(chance.choice(["", f"title {number}"]), "warm", metadata),
        ConversationUpdated(
            chance.choice([None, "", f"title {number}"]),
            chance.choice([None, "cool"]),
            chance.choice([None, "kiosk"]),
            chance.choice([None, "", metadata]),
        ),
        SessionStarted(generation, "", f"10.0.0.{number % 9}", "agent", metadata),
        SessionResumed(generation, "", f"10.0.1.{number % 9}"),
        SessionRefreshed(generation),
        SessionEnded(generation, chance.choice(list(EndReason))),
        StateRequested(ConversationState.IDLE, chance.choice(list(ConversationState))),
        PreferencesChanged(f"personality {number}", "en", "", metadata),
    ]
    revised = MessageRevised(
        derived_id("event", str(target)),
        RevisionKind.CORRECTED,
        Content(f"revised by {number}", None, metadata),
    )
    recorded = MessageRecorded(
        chance.choice(list(Role)), Content(f"text {number}", None, metadata), f"u{number}"
    )
    return chance.choice([*bodies, *(revised,) * 3, *(recorded,) * 9])
