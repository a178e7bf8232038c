"""What the sealer's memory looks like outside of it: rows to save, rows to recall."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from parley.events import Policy

# Tenant and conversation id.
ConversationKey = tuple[str, str]
# Members of a conversation are ordered by event time, then by event id.
Key = tuple[datetime, str]

# The "segment" of ids that are known and belong to none: commands, revisions of messages that
# have not come yet.
NO_SEGMENT: Final = "00000000-0000-0000-0000-000000000000"


class Entry(NamedTuple):
    """An event id that the sealer knows: a member, or with a target the target's revision."""

    event_id: str
    event_time: datetime
    offset: int
    target: str = ""


@dataclass(frozen=True, slots=True)
class EndRecord:
    """An explicit end that has cut a segment but not closed it yet."""

    closes_at: datetime
    session_ids: tuple[str, ...]
    is_liftable: bool


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A segment as of now; `current_revision` is 0 while none is published and valid.

    `reach` is the greatest t + G of its members; `last_arrival` the watermark at which the last
    live member or revision came; `released_at` when the last import let go of it.
    """

    key: ConversationKey
    segment_id: str
    opening_event_id: str
    rule_version: int
    is_open: bool
    revision: int
    current_revision: int
    first: Key
    last: Key
    reach: datetime
    last_arrival: datetime | None
    released_at: datetime | None
    deadline: datetime | None
    policy: Policy
    channel: str
    participants: tuple[str, ...]
    user_ids: tuple[str, ...]
    session_ids: tuple[str, ...]
    message_count: int
    first_offset: int
    last_offset: int
    is_imported: bool
    held_by: tuple[str, ...]
    retracts: tuple[tuple[str, int], ...]
    end: EndRecord | None
    cut: Key | None


class StoredSegment(NamedTuple):
    """A segment with its entries; None where only its outline was asked for."""

    record: SegmentRecord
    entries: tuple[Entry, ...] | None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as of now; `generation` 0 is a stub that no start was seen of.

    Of one that `has_settled` silence was once taken for its end; news of it opens it again.
    """

    key: ConversationKey
    session_id: str
    generation: int
    is_open: bool
    has_settled: bool
    is_imported: bool
    last_event_time: datetime
    last_arrival: datetime


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """How far an import has come in this partition; nothing seen yet is ("", None)."""

    import_id: str
    conversation_id: str
    event_time: datetime | None
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class PartitionRecord:
    """What belongs to the partition as a whole; `watermark` is None before the first record."""

    watermark: datetime | None
    rule_version: int
    imports: tuple[ImportRecord, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What memory holds of all, or of some, conversations.

    Open segments, in outline each conversation's last one, open sessions, and the cuts beside them.
    """

    partition: PartitionRecord
    segments: tuple[StoredSegment, ...] = ()
    cuts: tuple[tuple[ConversationKey, Key], ...] = ()
    sessions: tuple[SessionRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """What a new owner must know at once: when what is open falls due.

    `windows` come with their deadline, None while an import holds one; `sessions` with the last
    arrival of an event of theirs.
    """

    partition: PartitionRecord
    windows: tuple[tuple[ConversationKey, datetime | None], ...] = ()
    sessions: tuple[tuple[ConversationKey, datetime], ...] = ()


class Entries(NamedTuple):
    """Entries to append to a segment's."""

    key: ConversationKey
    segment_id: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs from the last save; one transaction writes it, in this order.

    `absorbed` are no windows any more; where they were ever published their record comes among
    `closed` too. `rewritten` lose all entries that are stored, and `dropped` are ids of entries
    that go wherever they are stored, before `entries` are appended.
    """

    partition: PartitionRecord
    open: tuple[SegmentRecord, ...]
    closed: tuple[SegmentRecord, ...]
    absorbed: tuple[tuple[ConversationKey, str], ...]
    rewritten: tuple[tuple[ConversationKey, str], ...]
    dropped: tuple[tuple[ConversationKey, str], ...]
    entries: tuple[Entries, ...]
    cuts_placed: tuple[tuple[ConversationKey, Key], ...]
    cuts_lifted: tuple[tuple[ConversationKey, Key], ...]
    sessions: tuple[SessionRecord, ...]


@dataclass(frozen=True, slots=True)
class History:
    """What the tables hold of a conversation, as far as it was wanted.

    `is_whole` says that nothing else of it is stored. `known_ids` are asked-for ids of segments
    that are not among `segments`, and of commands; `early` are revisions of the batch's messages,
    and those that wait for a message and were refused.
    """

    key: ConversationKey
    is_whole: bool
    segments: tuple[StoredSegment, ...] = ()
    cuts: tuple[Key, ...] = ()
    sessions: tuple[SessionRecord, ...] = ()
    known_ids: tuple[str, ...] = ()
    early: tuple[Entry, ...] = ()
