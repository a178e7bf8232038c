"""Turns a batch of new events into the rows that they become, merged by key."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, get_args

from parley.events import Body, Event, MessageRecorded, MessageRevised, PreferencesChanged
from services.persister.core.conversations import (
    conversation_of,
    conversation_of_message,
    merge_conversations,
)
from services.persister.core.rows import (
    ConversationRow,
    MessageRow,
    Place,
    PreferencesRow,
    Received,
    ReceivedMessage,
    SessionRow,
    VersionRow,
)
from services.persister.core.sessions import merge_sessions, session_of, session_of_message
from services.persister.core.versions import latest

# Tenant, session and conversation.
SessionKey = tuple[str, str, str]

# MessageRecorded to "message_recorded", as the body is called on the wire.
_KINDS: Final = {
    body: re.sub(r"(?<!^)(?=[A-Z])", "_", body.__name__).lower() for body in get_args(Body)
}
_MESSAGE_KIND: Final = _KINDS[MessageRecorded]


@dataclass(frozen=True, slots=True)
class EventRows:
    """The rows of a batch: one of each key."""

    conversations: dict[tuple[str, str], ConversationRow] = field(default_factory=dict)
    sessions: dict[SessionKey, SessionRow] = field(default_factory=dict)
    messages: list[MessageRow] = field(default_factory=list)
    versions: list[VersionRow] = field(default_factory=list)
    preferences: list[PreferencesRow] = field(default_factory=list)


def fold(batch: Iterable[Received]) -> EventRows:
    """The rows of events of which none is known yet and none is there twice."""
    rows = EventRows()
    talks: dict[tuple[str | None, ...], list[MessageRow]] = {}
    for item in batch:
        if isinstance(item, ReceivedMessage):
            row = item.row
            rows.messages.append(row)
            alike = (*_alike_of(row), item.channel)
            talks.setdefault(alike, []).append(row)
        else:
            _add_event(rows, item.event, item.place)
    for (*_, channel), talk in talks.items():
        _add_talk(rows, talk, channel or "")
    return rows


# What messages have in common that say the same of their conversation and their session, but for
# when they were said.
_alike_of: Final = attrgetter("tenant_id", "conversation_id", "session_id", "user_id")


def _add_talk(rows: EventRows, talk: Sequence[MessageRow], channel: str) -> None:
    """What all of it says together: for each message alone it would cost ten times as much."""
    times = [one.event_time for one in talk]
    began_at, last_event_at = min(times), max(times)
    # The greatest id, as of versions of the same time.
    first = max((one for one in talk if one.event_time == began_at), key=attrgetter("id"))
    conversation = conversation_of_message(first, channel)
    _add_conversation(rows.conversations, conversation._replace(last_event_at=last_event_at))
    if first.session_id:
        session = session_of_message(first, channel)
        _add_session(rows.sessions, session._replace(last_event_at=last_event_at))


def _add_event(rows: EventRows, event: Event, place: Place) -> None:
    if isinstance(event.body, PreferencesChanged):
        # A user's, and no conversation's: its key only gives it a place in the log.
        rows.preferences.extend(_preferences(event, event.body))
        return
    _add_conversation(rows.conversations, conversation_of(event))
    if event.session_id:
        _add_session(rows.sessions, session_of(event))
    if isinstance(event.body, MessageRecorded):
        rows.messages.append(_message(event, event.body, place))
    elif isinstance(event.body, MessageRevised):
        rows.versions.append(_version(event, event.body, place))


def event_row(received: Received) -> tuple[Any, ...]:
    """The event itself, whole: as an EventRow, but for the names, which COPY does not want."""
    if isinstance(received, ReceivedMessage):
        return _message_event_row(received)
    event, place, value = received
    return (
        event.tenant_id,
        event.event_id,
        event.conversation_id,
        _KINDS[type(event.body)],
        place.incarnation,
        place.partition,
        place.offset,
        place.append_time,
        event.event_time,
        value,
    )


def _message_event_row(received: ReceivedMessage) -> tuple[Any, ...]:
    _, row, _, append_time, value = received
    return (
        row.tenant_id,
        row.id,
        row.conversation_id,
        _MESSAGE_KIND,
        row.incarnation,
        row.partition,
        row.log_offset,
        append_time,
        row.event_time,
        value,
    )


def _add_conversation(rows: dict[tuple[str, str], ConversationRow], row: ConversationRow) -> None:
    key = row[:2]
    other = rows.get(key)
    rows[key] = row if other is None else merge_conversations(other, row)


def _add_session(rows: dict[SessionKey, SessionRow], row: SessionRow) -> None:
    key = row[:3]
    other = rows.get(key)
    rows[key] = row if other is None else merge_sessions(other, row)


def _preferences(event: Event, body: PreferencesChanged) -> list[PreferencesRow]:
    if not event.user_id:
        return []
    return [
        PreferencesRow(
            event.tenant_id,
            event.user_id,
            latest(event.event_time, event.event_id),
            body.personality,
            body.language,
            body.voice,
            body.free_json,
            event.event_time,
        )
    ]


def _message(event: Event, body: MessageRecorded, place: Place) -> MessageRow:
    content = body.content
    return MessageRow(
        event.tenant_id,
        event.event_id,
        event.conversation_id,
        event.session_id or None,
        not event.user_id,
        event.user_id or None,
        event.sender,
        body.role.value,
        content.text,
        content.audio_url,
        content.metadata_json or None,
        content.metadata_json,
        body.language or None,
        body.utterance_id or None,
        event.occurred_at,
        event.event_time,
        event.received_at,
        event.import_id,
        place.incarnation,
        place.partition,
        place.offset,
    )


def _version(event: Event, body: MessageRevised, place: Place) -> VersionRow:
    content = body.content
    return VersionRow(
        event.tenant_id,
        body.target_event_id,
        event.event_id,
        event.conversation_id,
        body.kind.value,
        event.event_time,
        content.text,
        content.audio_url,
        content.metadata_json,
        place.incarnation,
        place.partition,
        place.offset,
    )
