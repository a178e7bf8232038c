"""A checked import in the order in which it is published, on disk."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from typing import IO, Final

import orjson

from parley.events import MessageRecorded, SessionStarted
from parley.importing.past import PastEvent
from parley.importing.records import EVENT_KEY_LENGTH, from_us, past_event
from parley.importing.sorting import Record, read_records, write_records

PROGRESS_EVERY: Final = 512


@dataclass(slots=True)
class Prepared:
    """A checked import, sorted by (conversation, event time, rank, event id).

    `digest` is of the sorted content: the same events are the same import.
    """

    event_count: int
    message_count: int
    session_count: int
    conversation_count: int
    earliest: datetime | None
    latest: datetime | None
    digest: str
    _spool: IO[bytes]

    def events(self) -> Iterator[PastEvent]:
        """The events in order, from the first; may be read several times, one after another."""
        return map(past_event, read_records(self._spool))

    def conversation_ids(self) -> Iterator[str]:
        """Every conversation once, in order."""
        for conversation_id, _ in groupby(read_records(self._spool), key=lambda one: one[0]):
            yield conversation_id

    def close(self) -> None:
        """Free the disk."""
        self._spool.close()


def spool(records: Iterable[Record], progress: Callable[[int], None]) -> Prepared:
    """Write sorted event records to the disk; `progress` is told how many so far."""
    summary = _Summary(progress)
    file = write_records(summary.observe(records))
    return Prepared(
        summary.event_count,
        summary.message_count,
        summary.session_count,
        summary.conversation_count,
        summary.earliest(),
        summary.latest(),
        summary.digest.hexdigest(),
        file,
    )


class _Summary:
    """Counts and digests the records that pass through to the spool."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress = progress
        self.event_count = 0
        self.message_count = 0
        self.session_count = 0
        self.conversation_count = 0
        self.digest = sha256()
        self._earliest_us: int | None = None
        self._latest_us: int | None = None

    def earliest(self) -> datetime | None:
        return None if self._earliest_us is None else from_us(self._earliest_us)

    def latest(self) -> datetime | None:
        return None if self._latest_us is None else from_us(self._latest_us)

    def observe(self, records: Iterable[Record]) -> Iterator[Record]:
        conversation_id = None
        for record in records:
            if record[0] != conversation_id:
                conversation_id = record[0]
                self.conversation_count += 1
            self._count(record)
            yield record
        self._progress(self.event_count)

    def _count(self, record: Record) -> None:
        self.event_count += 1
        body = past_event(record).body
        self.message_count += isinstance(body, MessageRecorded)
        self.session_count += isinstance(body, SessionStarted)
        occurred_us = record[1]
        if self._earliest_us is None or occurred_us < self._earliest_us:
            self._earliest_us = occurred_us
        if self._latest_us is None or occurred_us > self._latest_us:
            self._latest_us = occurred_us
        # The row's number is not content: the same events in another order are the same.
        content = [*record[: EVENT_KEY_LENGTH - 1], *record[EVENT_KEY_LENGTH:]]
        self.digest.update(orjson.dumps(content))
        if self.event_count % PROGRESS_EVERY == 0:
            self._progress(self.event_count)
