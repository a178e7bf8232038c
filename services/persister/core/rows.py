"""The rows that the persister writes; fields are named as the columns of the tables.

They are named tuples, since COPY takes tuples. Facts that several events may state stand behind
their version (versions.py).
"""

from datetime import datetime
from typing import NamedTuple

from parley.events import Event


class Place(NamedTuple):
    """Where in the log a record lies, and when it was first appended.

    Of a record that was copied into a new incarnation of its topic this is where it lay first, so
    that tables and seals go on to mean the same places; `copy_offset` is where it was read.
    """

    incarnation: str
    partition: int
    offset: int
    append_time: datetime
    copy_offset: int | None = None

    @property
    def read_offset(self) -> int:
        """The offset in the topic that is being read."""
        return self.offset if self.copy_offset is None else self.copy_offset


class ReceivedEvent(NamedTuple):
    """A valid event of a conversation, with its record's bytes."""

    event: Event
    place: Place
    value: bytes

    @property
    def key(self) -> tuple[str, str]:
        """What must be unique."""
        return self.event.tenant_id, self.event.event_id

    @property
    def event_id(self) -> str:
        """The event's id."""
        return self.event.event_id

    @property
    def conversation_id(self) -> str:
        """The conversation that it belongs to."""
        return self.event.conversation_id

    @property
    def received_at(self) -> datetime:
        """When a gateway had it."""
        return self.event.received_at

    @property
    def import_id(self) -> str | None:
        """The import that it came by."""
        return self.event.import_id


class MessageRow(NamedTuple):
    """A message as it was recorded; `user_id` is None where the event names none.

    `metadata` and `metadata_text` are the same text, for a JSONB column and a text's.
    """

    tenant_id: str
    id: str
    conversation_id: str
    session_id: str | None
    is_user_inherited: bool
    user_id: str | None
    sender: str
    role: str
    content: str
    audio_url: str | None
    metadata: str | None
    metadata_text: str
    language: str | None
    utterance_id: str | None
    occurred_at: datetime | None
    event_time: datetime
    received_at: datetime
    import_id: str | None
    incarnation: str
    partition: int
    log_offset: int


class ReceivedMessage(NamedTuple):
    """A message of which nothing is unusual, as the row that it becomes: what a ReceivedEvent of
    it would say, at a third of the cost. Nearly all events are such messages.
    """

    key: tuple[str, str]
    row: MessageRow
    channel: str
    append_time: datetime
    value: bytes

    @property
    def place(self) -> Place:
        """Where its record lies; that of a copy is unusual."""
        row = self.row
        return Place(row.incarnation, row.partition, row.log_offset, self.append_time)

    @property
    def event_id(self) -> str:
        """The event's id."""
        return self.row.id

    @property
    def conversation_id(self) -> str:
        """The conversation that it belongs to."""
        return self.row.conversation_id

    @property
    def received_at(self) -> datetime:
        """When a gateway had it."""
        return self.row.received_at

    @property
    def import_id(self) -> str | None:
        """The import that it came by."""
        return self.row.import_id


Received = ReceivedEvent | ReceivedMessage


class EventRow(NamedTuple):
    """Every event once, with its bytes."""

    tenant_id: str
    event_id: str
    conversation_id: str
    kind: str
    incarnation: str
    partition: int
    log_offset: int
    append_time: datetime
    event_time: datetime
    value: bytes


class ConversationRow(NamedTuple):
    """What one or more events say of a conversation."""

    tenant_id: str
    conversation_id: str
    first_event_at: datetime
    last_event_at: datetime
    user_version: str
    user_id: str | None
    channel_version: str
    channel: str | None
    title_version: str
    title: str | None
    personality_version: str
    personality: str | None
    metadata_version: str
    metadata_text: str | None


class SessionRow(NamedTuple):
    """What one or more events of its conversation say of a session; generation 0 is a stub."""

    tenant_id: str
    session_id: str
    conversation_id: str
    generation: int
    started_at: datetime | None
    last_event_at: datetime
    user_version: str
    user_id: str | None
    channel_version: str
    channel: str | None
    connection_version: str
    client_ip: str | None
    user_agent: str | None
    status_version: str
    ended_at: datetime | None
    end_reason: str | None
    metadata_version: str
    metadata_text: str | None


class PreferencesRow(NamedTuple):
    """What a user prefers, whole; the greatest version counts."""

    tenant_id: str
    user_id: str
    version: str
    personality: str
    language: str
    voice: str
    free_text: str
    updated_at: datetime


class VersionRow(NamedTuple):
    """Another content of a message; `version_id` is the revising event's id."""

    tenant_id: str
    message_id: str
    version_id: str
    conversation_id: str
    kind: str
    event_time: datetime
    content: str
    audio_url: str | None
    metadata_text: str
    incarnation: str
    partition: int
    log_offset: int
