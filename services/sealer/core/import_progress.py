"""How far an import has come in a partition, and which windows wait for it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.sealer.core.deadlines import Kind, QueueKey
from services.sealer.core.records import ImportRecord
from services.sealer.core.window import Window

# An import that says nothing for so long was interrupted: its windows wait no longer.
LAPSES_AFTER: Final = timedelta(hours=1)


@dataclass(slots=True, eq=False)
class ImportProgress:
    """The greatest (conversation, t) seen of an import, which is sorted by it."""

    import_id: str
    last_seen: datetime
    conversation_id: str = ""
    event_time: datetime | None = None
    queued: datetime | None = None
    held: dict[Window, None] = field(default_factory=dict)

    def queue_key(self) -> QueueKey:
        """Its place among others of the same deadline."""
        return ("", "", Kind.IMPORT, self.import_id)

    def deadline(self) -> datetime:
        """The watermark at which it holds nothing any more."""
        return self.last_seen + LAPSES_AFTER

    def advance(self, conversation_id: str, event_time: datetime) -> None:
        """Note a record of the import; one out of its order moves nothing."""
        here = (self.conversation_id, self.event_time)
        if here[1] is None or (conversation_id, event_time) > here:
            self.conversation_id, self.event_time = conversation_id, event_time

    def has_passed(self, window: Window) -> bool:
        """Whether no further record of it can join the window."""
        conversation_id = window.key[1]
        if self.event_time is None or conversation_id != self.conversation_id:
            return conversation_id < self.conversation_id
        return window.effective_reach() < self.event_time

    def record(self) -> ImportRecord:
        """The row to save."""
        return ImportRecord(self.import_id, self.conversation_id, self.event_time, self.last_seen)

    @classmethod
    def recalled(cls, record: ImportRecord) -> "ImportProgress":
        """From its row; the windows that it holds say so themselves."""
        return cls(record.import_id, record.last_seen, record.conversation_id, record.event_time)
