"""An event of the past, as an import brings it, and the event that is published of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parley import ids
from parley.codec import MAX_RECORD_BYTES, InvalidRecord, encode_event
from parley.codec.validity import check
from parley.events import (
    Content,
    EndReason,
    Event,
    MessageRecorded,
    Policy,
    SessionEnded,
    SessionStarted,
)
from parley.importing.rows import ImportRow

# Who writes imported events: one for all importers, so that everybody's import of a file is the
# same import.
SENDER: Final = "importer"
# Leaves room for the key, the headers and the import's id.
MAX_CONTENT_BYTES: Final = MAX_RECORD_BYTES - 4_096

NOT_YET_KNOWN: Final = ids.derived_id("import", "not yet known")

PastBody = MessageRecorded | SessionStarted | SessionEnded


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all events of an import share."""

    tenant_id: str
    channel: str
    policy: Policy
    import_id: str = NOT_YET_KNOWN


@dataclass(frozen=True, slots=True)
class PastEvent:
    """What happened, and when; `client_message_id` is empty for what is no message."""

    event_id: str
    body: PastBody
    occurred_at: datetime
    conversation_id: str
    session_id: str = ""
    user_id: str = ""
    client_message_id: str = ""


def started(metadata_json: str = "") -> SessionStarted:
    """The start of a session of the past: it has one generation."""
    return SessionStarted(metadata_json=metadata_json)


def ended() -> SessionEnded:
    """The end of a session of the past."""
    return SessionEnded(1, EndReason.IMPORTED)


def event_of(past: PastEvent, envelope: Envelope, now: datetime) -> Event:
    """The event that is published. Its event time is the past time, as it is."""
    return Event(
        event_id=past.event_id,
        body=past.body,
        event_time=past.occurred_at,
        received_at=now,
        tenant_id=envelope.tenant_id,
        conversation_id=past.conversation_id,
        session_id=past.session_id,
        user_id=past.user_id,
        sender=SENDER,
        client_message_id=past.client_message_id,
        channel=envelope.channel,
        occurred_at=past.occurred_at,
        policy=envelope.policy,
        import_id=envelope.import_id,
    )


def event_id_of(tenant_id: str, conversation_id: str, client_message_id: str) -> str:
    """The event id of an imported message."""
    return ids.message_event_id(tenant_id, conversation_id, SENDER, "", client_message_id)


def client_message_id_of(row: ImportRow, ordinal: int = 0) -> str:
    """The file's own id; without one the digest and the number among equal lines, from 0."""
    return row.message_id or f"{row.digest}.{ordinal}"


def past_message(row: ImportRow, client_message_id: str, event_id: str) -> PastEvent:
    """The message of a row."""
    content = Content(row.text, row.audio_url, row.metadata_json)
    return PastEvent(
        event_id=event_id,
        body=MessageRecorded(row.role, content, language=row.language),
        occurred_at=row.occurred_at,
        conversation_id=row.conversation_id,
        session_id=row.session_id,
        user_id=row.user_id,
        client_message_id=client_message_id,
    )


def check_row(row: ImportRow, row_bytes: int, envelope: Envelope, now: datetime) -> None:
    """Raise InvalidRecord where the broker or the consumers would refuse the row's message."""
    past = past_message(row, client_message_id_of(row), NOT_YET_KNOWN)
    check_past(past, row_bytes, envelope, now)


def check_past(past: PastEvent, about_bytes: int, envelope: Envelope, now: datetime) -> None:
    """Raise InvalidRecord where the broker or the consumers would refuse the event.

    `about_bytes` is what its source needed for it: only large ones are measured, since a record is
    shorter than its row but for ids that it repeats.
    """
    event = event_of(past, envelope, now)
    check(event)
    if about_bytes > MAX_RECORD_BYTES // 4 and len(encode_event(event)) > MAX_CONTENT_BYTES:
        raise InvalidRecord("too_large", f"longer than {MAX_CONTENT_BYTES:,} bytes")
