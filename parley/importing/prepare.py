"""Reads a source whole, checks every line, and sorts it: nothing is published before."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from typing import IO, Final

import orjson

from parley import clock
from parley.codec import InvalidRecord
from parley.errors import UserError
from parley.importing.messages import (
    Envelope,
    check_row,
    client_message_id_of,
    event_id_of,
)
from parley.importing.records import KEY_LENGTH, moment_of, row_of, sortable
from parley.importing.rows import BadLine, ImportRow, parse_row
from parley.importing.sorting import (
    RUN_RECORDS,
    ExternalSorter,
    Record,
    read_records,
    write_records,
)
from parley.importing.source import Source

SHOWN_BAD_LINES: Final = 10
_PROGRESS_EVERY: Final = 512


@dataclass(frozen=True, slots=True)
class OrderedMessage:
    """A message with its ids, in the order in which it is published."""

    event_id: str
    client_message_id: str
    row: ImportRow


@dataclass(slots=True)
class Findings:
    """What reading brought to light, for the person who imports."""

    row_count: int = 0
    bad_count: int = 0
    bad_lines: list[tuple[int, str]] = field(default_factory=list)
    repeated_count: int = 0
    ignored_fields: set[str] = field(default_factory=set)

    def refuse(self, line_number: int, reason: str) -> None:
        """Count a bad line; the first few, by line number, are kept."""
        self.bad_count += 1
        self.bad_lines.append((line_number, reason))
        self.bad_lines.sort()
        del self.bad_lines[SHOWN_BAD_LINES:]


@dataclass(slots=True)
class Prepared:
    """A checked import, sorted by (conversation, event time, event id), on disk.

    `digest` is of the sorted content: the same messages are the same import.
    """

    findings: Findings
    message_count: int
    conversation_count: int
    earliest: datetime | None
    latest: datetime | None
    digest: str
    _spool: IO[bytes]

    def messages(self) -> Iterator[OrderedMessage]:
        """The messages in order, from the first; may be read several times, one after another."""
        for _, occurred_us, event_id, _, client_message_id, *rest in read_records(self._spool):
            row = row_of(occurred_us, rest)
            yield OrderedMessage(event_id, client_message_id, row)

    def conversation_ids(self) -> Iterator[str]:
        """Every conversation once, in order."""
        for conversation_id, _ in groupby(read_records(self._spool), key=lambda one: one[0]):
            yield conversation_id

    def close(self) -> None:
        """Free the disk."""
        self._spool.close()


class Preparation:
    """Takes a source in, then puts it in order. Memory is bounded, whatever the source's size."""

    def __init__(self, envelope: Envelope, run_records: int = RUN_RECORDS) -> None:
        self._envelope = envelope
        self._run_records = run_records
        self._rows = ExternalSorter(run_records)
        self._named = ExternalSorter(run_records)
        self._findings = Findings()
        self._refused: set[int] = set()

    def read(self, source: Source, progress: Callable[[int], None]) -> Findings:
        """Check every line; `progress` is told the bytes read so far. Raises UserError."""
        for number, line in source.lines():
            if number % _PROGRESS_EVERY == 0:
                progress(source.bytes_read())
            if line.strip():
                self._take(number, line)
        progress(source.bytes_read())
        if not self._findings.row_count and not self._findings.bad_count:
            raise UserError(f"{source.name} holds no messages.", "Nothing was published.")
        self._refuse_conflicts()
        return self._findings

    def finish(self, progress: Callable[[int], None]) -> Prepared:
        """Sort what is good; `progress` is told the messages sorted so far."""
        summary = _Summary(progress)
        spool = summary.write(self._in_order())
        return Prepared(
            self._findings,
            summary.message_count,
            summary.conversation_count,
            moment_of(summary.earliest_us),
            moment_of(summary.latest_us),
            summary.digest.hexdigest(),
            spool,
        )

    def close(self) -> None:
        """Free the disk, whether or not it was put in order."""
        self._rows.close()
        self._named.close()

    def _take(self, number: int, line: bytes) -> None:
        try:
            row = parse_row(line)
            check_row(row, len(line), self._envelope, clock.now())
        except BadLine as error:
            self._findings.refuse(number, str(error))
        except InvalidRecord as error:
            self._findings.refuse(number, error.detail or error.reason)
        else:
            self._keep(number, row, len(line))

    def _keep(self, number: int, row: ImportRow, line_bytes: int) -> None:
        self._findings.row_count += 1
        self._findings.ignored_fields |= row.ignored_fields
        self._rows.add(sortable(number, row), line_bytes)
        if row.message_id:
            name = [row.conversation_id, row.message_id, number, row.digest]
            self._named.add(name, 2 * len(row.message_id))

    def _refuse_conflicts(self) -> None:
        """The same message id with other content would be a dead letter: a bad line here."""
        name, first_line, first_digest = None, 0, ""
        for conversation_id, message_id, line, digest in self._named.drain():
            if (conversation_id, message_id) != name:
                name, first_line, first_digest = (conversation_id, message_id), line, digest
            elif digest != first_digest:
                self._findings.row_count -= 1
                self._refused.add(line)
                reason = f"message_id is that of line {first_line}, with other content"
                self._findings.refuse(line, reason)

    def _in_order(self) -> Iterator[Record]:
        """The good records with their ids, each id once, by (conversation, time, event id)."""
        for _, moment in groupby(self._rows.drain(), key=lambda one: one[:2]):
            previous = ""
            for record in self._by_event_id(moment):
                if record[2] == previous:
                    self._findings.repeated_count += 1
                    continue
                previous = record[2]
                yield record

    def _by_event_id(self, moment: Iterable[Record]) -> Iterator[Record]:
        """Records of one conversation and time, as (…, event id, line, client id, row…)."""
        sorter = ExternalSorter(self._run_records)
        tie_breaker, ordinal = "", 0
        for conversation_id, occurred_us, tie, line_number, *rest in moment:
            if line_number in self._refused:
                continue
            ordinal = ordinal + 1 if tie == tie_breaker else 0
            tie_breaker = tie
            named = client_message_id_of(row_of(occurred_us, rest), ordinal)
            event_id = event_id_of(self._envelope.tenant_id, conversation_id, named)
            record = [conversation_id, occurred_us, event_id, line_number, named, *rest]
            sorter.add(record, len(rest[2]))
        return sorter.drain()


class _Summary:
    """Counts and digests the records that pass through to the spool."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress = progress
        self.message_count = 0
        self.conversation_count = 0
        self.earliest_us: int | None = None
        self.latest_us: int | None = None
        self.digest = sha256()

    def write(self, records: Iterable[Record]) -> IO[bytes]:
        return write_records(self._observe(records))

    def _observe(self, records: Iterable[Record]) -> Iterator[Record]:
        conversation_id = None
        for record in records:
            self.message_count += 1
            if record[0] != conversation_id:
                conversation_id = record[0]
                self.conversation_count += 1
            occurred_us = record[1]
            if self.earliest_us is None or occurred_us < self.earliest_us:
                self.earliest_us = occurred_us
            if self.latest_us is None or occurred_us > self.latest_us:
                self.latest_us = occurred_us
            # The line number is not content: the same messages in another order are the same.
            self.digest.update(orjson.dumps([*record[:3], *record[KEY_LENGTH:]]))
            if self.message_count % _PROGRESS_EVERY == 0:
                self._progress(self.message_count)
            yield record
        self._progress(self.message_count)
