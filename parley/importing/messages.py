"""A message of an import as the event that is published."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parley import ids
from parley.codec import MAX_RECORD_BYTES, InvalidRecord, encode_event
from parley.codec.validity import check
from parley.events import Content, Event, MessageRecorded, Policy
from parley.importing.rows import ImportRow

# Who writes imported events: one for all importers, so that everybody's import of a file is the
# same import.
SENDER: Final = "importer"
# Leaves room for the key, the headers and the import's id.
MAX_CONTENT_BYTES: Final = MAX_RECORD_BYTES - 4_096

_NO_IMPORT: Final = ids.derived_id("import", "not yet known")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all events of an import share."""

    tenant_id: str
    channel: str
    policy: Policy
    import_id: str = _NO_IMPORT


def event_id_of(tenant_id: str, conversation_id: str, client_message_id: str) -> str:
    """The event id of an imported message."""
    return ids.message_event_id(tenant_id, conversation_id, SENDER, "", client_message_id)


def client_message_id_of(row: ImportRow, ordinal: int = 0) -> str:
    """The file's own id; without one the digest and the number among equal lines, from 0."""
    return row.message_id or f"{row.digest}.{ordinal}"


def message_event(
    row: ImportRow, client_message_id: str, event_id: str, envelope: Envelope, now: datetime
) -> Event:
    """The event of a row. Its event time is the past time, as it is."""
    return Event(
        event_id=event_id,
        body=MessageRecorded(
            row.role,
            Content(row.text, row.audio_url, row.metadata_json),
            language=row.language,
        ),
        event_time=row.occurred_at,
        received_at=now,
        tenant_id=envelope.tenant_id,
        conversation_id=row.conversation_id,
        user_id=row.user_id,
        sender=SENDER,
        client_message_id=client_message_id,
        channel=envelope.channel,
        occurred_at=row.occurred_at,
        policy=envelope.policy,
        import_id=envelope.import_id,
    )


def check_row(row: ImportRow, line_bytes: int, envelope: Envelope, now: datetime) -> None:
    """Raise InvalidRecord where the broker or the consumers would refuse the row's event."""
    event = message_event(row, client_message_id_of(row), _NO_IMPORT, envelope, now)
    check(event)
    # A record is shorter than its line, but for ids that it repeats: only long ones are measured.
    if line_bytes > MAX_RECORD_BYTES // 4 and len(encode_event(event)) > MAX_CONTENT_BYTES:
        raise InvalidRecord("too_large", f"longer than {MAX_CONTENT_BYTES:,} bytes")
