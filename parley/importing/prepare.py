"""Reads a file whole, checks every row, and sorts it: nothing is published before."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from parley import clock
from parley.codec import InvalidRecord
from parley.errors import UserError
from parley.importing.past import (
    Envelope,
    check_row,
    client_message_id_of,
    event_id_of,
    past_message,
)
from parley.importing.prepared import PROGRESS_EVERY, Prepared, spool
from parley.importing.records import event_record, row_of, sortable
from parley.importing.rows import BadLine, ImportRow, ReadRow
from parley.importing.sorting import RUN_RECORDS, ExternalSorter, Record
from parley.importing.source import Source

SHOWN_BAD_LINES: Final = 10

Reader = Callable[[Source], Iterator[ReadRow]]
"""How a file's rows are read: by its format."""


@dataclass(slots=True)
class Findings:
    """What reading brought to light, for the person who imports."""

    row_count: int = 0
    bad_count: int = 0
    bad_lines: list[tuple[int, str]] = field(default_factory=list)
    repeated_count: int = 0
    ignored_fields: set[str] = field(default_factory=set)

    def refuse(self, line_number: int, reason: str) -> None:
        """Count a bad row; the first few, by line number, are kept."""
        self.bad_count += 1
        self.bad_lines.append((line_number, reason))
        self.bad_lines.sort()
        del self.bad_lines[SHOWN_BAD_LINES:]


class Preparation:
    """Takes a file in, then puts it in order. Memory is bounded, whatever the file's size."""

    def __init__(self, envelope: Envelope, run_records: int = RUN_RECORDS) -> None:
        self.findings = Findings()
        self._envelope = envelope
        self._run_records = run_records
        self._rows = ExternalSorter(run_records)
        self._named = ExternalSorter(run_records)
        self._refused: set[int] = set()

    def read(self, source: Source, rows: Reader, progress: Callable[[int], None]) -> Findings:
        """Check every row; `progress` is told the bytes read so far. Raises UserError."""
        for count, one in enumerate(rows(source)):
            if count % PROGRESS_EVERY == 0:
                progress(source.bytes_read())
            self._take(one)
        progress(source.bytes_read())
        if not self.findings.row_count and not self.findings.bad_count:
            raise UserError(f"{source.name} holds no messages.", "Nothing was published.")
        self._refuse_conflicts()
        return self.findings

    def finish(self, progress: Callable[[int], None]) -> Prepared:
        """Sort what is good; `progress` is told the messages sorted so far."""
        return spool(self._in_order(), progress)

    def close(self) -> None:
        """Free the disk, whether or not it was put in order."""
        self._rows.close()
        self._named.close()

    def _take(self, one: ReadRow) -> None:
        if isinstance(one.found, BadLine):
            self.findings.refuse(one.number, str(one.found))
            return
        try:
            check_row(one.found, one.size_bytes, self._envelope, clock.now())
        except InvalidRecord as error:
            self.findings.refuse(one.number, error.detail or error.reason)
        else:
            self._keep(one.number, one.found, one.size_bytes)

    def _keep(self, number: int, row: ImportRow, row_bytes: int) -> None:
        self.findings.row_count += 1
        self.findings.ignored_fields |= row.ignored_fields
        self._rows.add(sortable(number, row), row_bytes)
        if row.message_id:
            name = [row.conversation_id, row.message_id, number, row.digest]
            self._named.add(name, 2 * len(row.message_id))

    def _refuse_conflicts(self) -> None:
        """The same message id with other content would be a dead letter: a bad row here."""
        name, first_line, first_digest = None, 0, ""
        for conversation_id, message_id, line, digest in self._named.drain():
            if (conversation_id, message_id) != name:
                name, first_line, first_digest = (conversation_id, message_id), line, digest
            elif digest != first_digest:
                self.findings.row_count -= 1
                self._refused.add(line)
                reason = f"message_id is that of line {first_line}, with other content"
                self.findings.refuse(line, reason)

    def _in_order(self) -> Iterator[Record]:
        """The good rows as events, each id once, by (conversation, time, event id)."""
        for _, moment in groupby(self._rows.drain(), key=lambda one: one[:2]):
            previous = ""
            for record in self._by_event_id(moment):
                event_id = record[3]
                if event_id == previous:
                    self.findings.repeated_count += 1
                    continue
                previous = event_id
                yield record

    def _by_event_id(self, moment: Iterable[Record]) -> Iterator[Record]:
        """Rows of one conversation and time as event records."""
        sorter = ExternalSorter(self._run_records)
        tie_breaker, ordinal = "", 0
        for conversation_id, occurred_us, tie, line_number, *rest in moment:
            if line_number in self._refused:
                continue
            ordinal = ordinal + 1 if tie == tie_breaker else 0
            tie_breaker = tie
            row = row_of(occurred_us, rest)
            named = client_message_id_of(row, ordinal)
            event_id = event_id_of(self._envelope.tenant_id, conversation_id, named)
            past = past_message(row, named, event_id)
            sorter.add(event_record(past, line_number), len(row.text))
        return sorter.drain()
