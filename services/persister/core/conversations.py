"""What events say of their conversation."""

from datetime import datetime

from parley.events import ConversationCreated, ConversationUpdated, Event
from services.persister.core.rows import ConversationRow, MessageRow
from services.persister.core.versions import NOTHING, earliest, latest

# What was stated of the conversation outranks what an event's envelope lets conclude.
_FROM_ENVELOPE = "0"
_STATED = "1"
# A union would be made anew for every event.
_STATING = (ConversationCreated, ConversationUpdated)


def conversation_of(event: Event) -> ConversationRow:
    """The row that this event alone would make."""
    key = (event.tenant_id, event.conversation_id)
    row = _named(
        key, event.event_id, event.event_time, event.user_id or None, event.channel or None
    )
    if isinstance(event.body, _STATING):
        return _with_facts(row, event, event.body)
    return row


def conversation_of_message(message: MessageRow, channel: str) -> ConversationRow:
    """What `conversation_of` says of the message's event."""
    key = (message.tenant_id, message.conversation_id)
    return _named(key, message.id, message.event_time, message.user_id, channel or None)


def _named(
    key: tuple[str, str], event_id: str, moment: datetime, user_id: str | None, channel: str | None
) -> ConversationRow:
    first = _FROM_ENVELOPE + earliest(moment, event_id)
    return ConversationRow(
        *key,
        moment,
        moment,
        first if user_id else NOTHING,
        user_id,
        first if channel else NOTHING,
        channel,
        NOTHING,
        None,
        NOTHING,
        None,
        NOTHING,
        None,
    )


def _with_facts(
    row: ConversationRow, event: Event, body: ConversationCreated | ConversationUpdated
) -> ConversationRow:
    """The facts that the body states: what it leaves out stays as it was."""
    last = _STATED + latest(event.event_time, event.event_id)
    title, personality, metadata_text = body.title, body.personality, body.metadata_json
    if isinstance(body, ConversationCreated):
        # Its fields are never absent on the wire: empty means that nothing was said.
        title, personality, metadata_text = (
            title or None,
            personality or None,
            metadata_text or None,
        )
    elif body.channel is not None:
        row = row._replace(channel_version=last, channel=body.channel or None)
    return row._replace(
        title_version=NOTHING if title is None else last,
        title=title or None,
        personality_version=NOTHING if personality is None else last,
        personality=personality or None,
        metadata_version=NOTHING if metadata_text is None else last,
        metadata_text=metadata_text or None,
    )


def merge_conversations(a: ConversationRow, b: ConversationRow) -> ConversationRow:
    """What both say together; the order does not matter."""
    user = a if a.user_version >= b.user_version else b
    channel = a if a.channel_version >= b.channel_version else b
    title = a if a.title_version >= b.title_version else b
    personality = a if a.personality_version >= b.personality_version else b
    metadata = a if a.metadata_version >= b.metadata_version else b
    return ConversationRow(
        a.tenant_id,
        a.conversation_id,
        min(a.first_event_at, b.first_event_at),
        max(a.last_event_at, b.last_event_at),
        user.user_version,
        user.user_id,
        channel.channel_version,
        channel.channel,
        title.title_version,
        title.title,
        personality.personality_version,
        personality.personality,
        metadata.metadata_version,
        metadata.metadata_text,
    )
