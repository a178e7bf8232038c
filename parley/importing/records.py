"""How a row lies in the files that are sorted: a JSON array, the sort key first."""

from datetime import datetime, timedelta
from typing import Final

from parley.codec.record import EPOCH
from parley.events import Role
from parley.importing.rows import ImportRow
from parley.importing.sorting import Record

MICROSECOND: Final = timedelta(microseconds=1)

# Conversation, microseconds since 1970, tie-breaker, line number; then the row.
KEY_LENGTH: Final = 4


def sortable(line_number: int, row: ImportRow) -> Record:
    """The record by which rows are sorted first: equal lines lie side by side in it."""
    tie_breaker = f"m{row.message_id}" if row.message_id else f"d{row.digest}"
    return [
        row.conversation_id,
        (row.occurred_at - EPOCH) // MICROSECOND,
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
        row.digest,
    ]


def row_of(occurred_us: int, fields: Record) -> ImportRow:
    """The row again, from its time and what follows the key."""
    conversation_id, role, text, *rest = fields
    message_id, user_id, metadata_json, audio_url, language, digest = rest
    return ImportRow(
        conversation_id=conversation_id,
        role=Role(role),
        text=text,
        occurred_at=EPOCH + occurred_us * MICROSECOND,
        message_id=message_id,
        user_id=user_id,
        metadata_json=metadata_json,
        audio_url=audio_url,
        language=language,
        digest=digest,
    )


def moment_of(occurred_us: int | None) -> datetime | None:
    """Microseconds since 1970 as a time; None stays None."""
    return None if occurred_us is None else EPOCH + occurred_us * MICROSECOND
