"""Turns what somebody wrote with SQL into the event that a gateway would have made of it."""

from datetime import datetime
from typing import NamedTuple

from parley import event_time
from parley.events import Content, Event, MessageRecorded, Policy, Role


class InboxRow(NamedTuple):
    """A message in the inbox; fields are named as the columns of the table."""

    id: int
    tenant_id: str
    event_id: str
    conversation_id: str
    session_id: str | None
    user_id: str | None
    sender: str
    client_message_id: str
    role: str
    content: str
    audio_url: str | None
    metadata_text: str
    channel: str
    language: str
    occurred_at: datetime | None
    recorded_at: datetime


def event_of(row: InboxRow, policy: Policy, now: datetime) -> Event:
    """The event of a row that is published now.

    However long it waited it keeps its time, up to a week back: it is a message that its client
    had buffered. Published again it differs in its envelope alone, so it is known to everybody.
    """
    occurred_at = row.occurred_at or row.recorded_at
    return Event(
        event_id=row.event_id,
        body=MessageRecorded(
            Role(row.role),
            Content(row.content, row.audio_url, row.metadata_text),
            language=row.language,
        ),
        event_time=event_time.live(now, occurred_at, now).moment,
        received_at=now,
        tenant_id=row.tenant_id,
        conversation_id=row.conversation_id,
        session_id=row.session_id or "",
        user_id=row.user_id or "",
        sender=row.sender,
        client_message_id=row.client_message_id,
        channel=row.channel,
        occurred_at=occurred_at,
        sent_at=now,
        policy=policy,
    )
