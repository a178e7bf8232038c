"""What events and settled sessions say of a session.

An event that only names a session makes a stub of it (generation 0), which its start fills in.
Within a generation stub < open < ended, an explicit end outranks an idle one, and a later
generation undoes the ends of former ones: all of it is one comparison of status versions.
A session's id counts within its conversation, as it does for the gateway and the sealer: what is
said under the same id in another conversation is about another session.
"""

from datetime import datetime

from parley.events import (
    EndReason,
    Event,
    SessionBody,
    SessionEnded,
    SessionRefreshed,
    SessionResumed,
    SessionStarted,
)
from parley.seals import SessionSettled
from services.persister.core.rows import MessageRow, SessionRow
from services.persister.core.versions import (
    NOTHING,
    earliest,
    ended_status,
    latest,
    open_status,
)

# What a session's own events say outranks what other events, which only name it, let conclude.
_NAMED = "1"
_OWN = "2"
# A union would be made anew for every event.
_SESSION_BODIES = (SessionStarted, SessionResumed, SessionRefreshed, SessionEnded)

# Tenant, session and conversation.
_Key = tuple[str, str, str]
# Its key, the event's id and time, the user and the channel.
_Envelope = tuple[_Key, str, datetime, str | None, str | None]


def session_of(event: Event) -> SessionRow:
    """The row that this event alone would make; the event names a session."""
    body = event.body
    if isinstance(body, _SESSION_BODIES):
        return _from_session_event(event, body)
    return _named(_NAMED, *_envelope(event))


def session_of_message(message: MessageRow, channel: str) -> SessionRow:
    """What `session_of` says of the message's event."""
    key = (message.tenant_id, message.session_id or "", message.conversation_id)
    return _named(_NAMED, key, message.id, message.event_time, message.user_id, channel or None)


def _envelope(event: Event) -> _Envelope:
    key = (event.tenant_id, event.session_id, event.conversation_id)
    return key, event.event_id, event.event_time, event.user_id or None, event.channel or None


def _named(
    rank: str,
    key: _Key,
    event_id: str,
    moment: datetime,
    user_id: str | None,
    channel: str | None,
) -> SessionRow:
    first = rank + earliest(moment, event_id)
    return SessionRow(
        *key,
        0,
        None,
        moment,
        first if user_id else NOTHING,
        user_id,
        first if channel else NOTHING,
        channel,
        NOTHING,
        None,
        None,
        NOTHING,
        None,
        None,
        NOTHING,
        None,
    )


def _from_session_event(event: Event, body: SessionBody) -> SessionRow:
    row = _named(_OWN, *_envelope(event))._replace(generation=body.generation)
    if isinstance(body, SessionEnded):
        return _ended(row, body.generation, body.reason, event.event_time)
    row = row._replace(status_version=open_status(body.generation))
    if isinstance(body, SessionRefreshed):
        return row
    last = latest(event.event_time, event.event_id)
    row = row._replace(
        started_at=event.event_time,
        connection_version=open_status(body.generation) + last,
        client_ip=body.client_ip or None,
        user_agent=body.user_agent or None,
    )
    if isinstance(body, SessionStarted) and body.metadata_json:
        return row._replace(metadata_version=last, metadata_text=body.metadata_json)
    return row


def settled_session(settled: SessionSettled) -> SessionRow:
    """The row of a session that the sealer found to be over; its start may not be read yet."""
    row = SessionRow(
        settled.tenant_id,
        settled.session_id,
        settled.conversation_id,
        settled.generation,
        None,
        settled.ended_at,
        NOTHING,
        None,
        NOTHING,
        None,
        NOTHING,
        None,
        None,
        NOTHING,
        None,
        None,
        NOTHING,
        None,
    )
    return _ended(row, settled.generation, settled.reason, settled.ended_at)


def _ended(row: SessionRow, generation: int, reason: EndReason, ended_at: datetime) -> SessionRow:
    version = ended_status(generation, reason, ended_at)
    return row._replace(status_version=version, ended_at=ended_at, end_reason=reason.value)


def merge_sessions(a: SessionRow, b: SessionRow) -> SessionRow:
    """What both say together; the order does not matter."""
    user = a if a.user_version >= b.user_version else b
    channel = a if a.channel_version >= b.channel_version else b
    connection = a if a.connection_version >= b.connection_version else b
    status = a if a.status_version >= b.status_version else b
    metadata = a if a.metadata_version >= b.metadata_version else b
    return SessionRow(
        a.tenant_id,
        a.session_id,
        a.conversation_id,
        max(a.generation, b.generation),
        _earlier(a.started_at, b.started_at),
        max(a.last_event_at, b.last_event_at),
        user.user_version,
        user.user_id,
        channel.channel_version,
        channel.channel,
        connection.connection_version,
        connection.client_ip,
        connection.user_agent,
        status.status_version,
        status.ended_at,
        status.end_reason,
        metadata.metadata_version,
        metadata.metadata_text,
    )


def _earlier(a: datetime | None, b: datetime | None) -> datetime | None:
    if a is None or b is None:
        return a or b
    return min(a, b)
