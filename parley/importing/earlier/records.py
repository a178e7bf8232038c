"""How old sessions and messages lie in the file that is sorted by session."""

from dataclasses import astuple
from typing import Final

from parley.events import Role
from parley.importing.earlier.old_rows import OldMessage, OldSession
from parley.importing.sorting import Record

_SESSION: Final = 0
_MESSAGE: Final = 1
# Session, kind, microseconds since 1970, tie-breaker, number of the row.
_KEY_LENGTH: Final = 5


def session_record(session: OldSession, digest: str, number: int) -> Record:
    """A session stands before its messages."""
    return [session.key, _SESSION, 0, digest, number, *astuple(session)]


def message_record(message: OldMessage, number: int) -> Record:
    """Messages stand by time; equal ones without a key side by side."""
    fields = [
        message.key,
        message.session_id,
        message.conversation_id,
        message.user_id,
        message.role.value,
        message.text,
        message.occurred_us,
        message.audio_url,
        message.language,
        message.metadata_json,
        message.digest,
    ]
    tie_breaker = message.key or message.digest
    return [message.session_id, _MESSAGE, message.occurred_us, tie_breaker, number, *fields]


def number_of(record: Record) -> int:
    """The number of the row that a record is of."""
    number: int = record[_KEY_LENGTH - 1]
    return number


def is_session(record: Record) -> bool:
    """Whether it is a session's record, and no message's."""
    return bool(record[1] == _SESSION)


def digest_of(record: Record) -> str:
    """What tells a session's record from another one of the same key."""
    return str(record[_KEY_LENGTH - 2])


def old_session_of(record: Record) -> OldSession:
    """The session again."""
    return OldSession(*record[_KEY_LENGTH:])


def old_message_of(record: Record) -> OldMessage:
    """The message again."""
    key, session_id, conversation_id, user_id, role, *rest = record[_KEY_LENGTH:]
    return OldMessage(key, session_id, conversation_id, user_id, Role(role), *rest)
