"""The rule: takes a partition's records in order, returns what is sealed. No I/O, no clock."""

from services.sealer.core.facts import Fact, as_fact
from services.sealer.core.partition import Observed, PartitionSealer, UnknownRule
from services.sealer.core.recalling import rejected
from services.sealer.core.records import (
    NO_SEGMENT,
    Changes,
    ConversationKey,
    EndRecord,
    Entries,
    Entry,
    History,
    ImportRecord,
    Key,
    Outline,
    PartitionRecord,
    SegmentRecord,
    SessionRecord,
    Snapshot,
    StoredSegment,
)
from services.sealer.core.state import BEGINNING, Decision
from services.sealer.core.wanting import Rejected, Wanted, WantedMessage, Wants, Wish

__all__ = [
    "BEGINNING",
    "NO_SEGMENT",
    "Changes",
    "ConversationKey",
    "Decision",
    "EndRecord",
    "Entries",
    "Entry",
    "Fact",
    "History",
    "ImportRecord",
    "Key",
    "Observed",
    "Outline",
    "PartitionRecord",
    "PartitionSealer",
    "Rejected",
    "SegmentRecord",
    "SessionRecord",
    "Snapshot",
    "StoredSegment",
    "UnknownRule",
    "Wanted",
    "WantedMessage",
    "Wants",
    "Wish",
    "as_fact",
    "rejected",
]
