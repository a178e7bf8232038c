"""How rows and events lie in the files that are sorted: a JSON array, the sort key first."""

from datetime import datetime, timedelta
from typing import Final

from parley.codec.record import EPOCH
from parley.events import Content, MessageRecorded, Role, SessionEnded, SessionStarted
from parley.importing.past import PastBody, PastEvent, ended, started
from parley.importing.rows import ImportRow
from parley.importing.sorting import Record

MICROSECOND: Final = timedelta(microseconds=1)

# Of an event: conversation, microseconds since 1970, rank, event id, number of its row.
EVENT_KEY_LENGTH: Final = 5
# A session's start stands before what was said at the same moment, its end behind.
_RANKS: Final = {SessionStarted: 0, MessageRecorded: 1, SessionEnded: 2}
_START, _MESSAGE, _END = range(3)


def sortable(line_number: int, row: ImportRow) -> Record:
    """The record by which rows are sorted first: equal lines lie side by side in it."""
    tie_breaker = f"m{row.message_id}" if row.message_id else f"d{row.digest}"
    return [
        row.conversation_id,
        to_us(row.occurred_at),
        tie_breaker,
        line_number,
        row.conversation_id,
        row.role.value,
        row.text,
        row.message_id,
        row.user_id,
        row.metadata_json,
        row.audio_url,
        row.language,
        row.session_id,
        row.digest,
    ]


def row_of(occurred_us: int, fields: Record) -> ImportRow:
    """The row again, from its time and what follows the key."""
    conversation_id, role, text, *rest = fields
    message_id, user_id, metadata_json, audio_url, language, session_id, digest = rest
    return ImportRow(
        conversation_id=conversation_id,
        role=Role(role),
        text=text,
        occurred_at=from_us(occurred_us),
        message_id=message_id,
        user_id=user_id,
        metadata_json=metadata_json,
        audio_url=audio_url,
        language=language,
        session_id=session_id,
        digest=digest,
    )


def event_record(past: PastEvent, number: int) -> Record:
    """The record by which events are put into the order in which they are published."""
    rank = _RANKS[type(past.body)]
    return [
        past.conversation_id,
        to_us(past.occurred_at),
        rank,
        past.event_id,
        number,
        past.session_id,
        past.user_id,
        past.client_message_id,
        *_body_fields(past.body),
    ]


def past_event(record: Record) -> PastEvent:
    """The event of a record again."""
    conversation_id, occurred_us, rank, event_id, _, *rest = record
    session_id, user_id, client_message_id, *fields = rest
    return PastEvent(
        event_id=event_id,
        body=_body(rank, fields),
        occurred_at=from_us(occurred_us),
        conversation_id=conversation_id,
        session_id=session_id,
        user_id=user_id,
        client_message_id=client_message_id,
    )


def _body_fields(body: PastBody) -> Record:
    match body:
        case MessageRecorded(role, Content(text, audio_url, metadata_json)):
            return [role.value, text, audio_url, metadata_json, body.language]
        case SessionStarted():
            return [body.metadata_json]
        case SessionEnded():
            return []


def _body(rank: int, fields: Record) -> PastBody:
    if rank == _START:
        return started(*fields)
    if rank == _END:
        return ended()
    role, text, audio_url, metadata_json, language = fields
    return MessageRecorded(Role(role), Content(text, audio_url, metadata_json), language=language)


def to_us(moment: datetime) -> int:
    """A time as microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


def from_us(occurred_us: int) -> datetime:
    """Microseconds since 1970 as a time."""
    return EPOCH + occurred_us * MICROSECOND
