"""Puts an earlier tracker's rows right and in order: nothing is published before."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any, Final

from parley import clock, ids
from parley.codec import InvalidRecord
from parley.events import Content, MessageRecorded, SessionEnded, SessionStarted
from parley.importing.earlier.layout import MESSAGES, SESSIONS
from parley.importing.earlier.old_rows import (
    OldMessage,
    OldSession,
    Repair,
    Repairs,
    digest_of_row,
    old_message,
    old_session,
)
from parley.importing.earlier.records import (
    digest_of,
    is_session,
    message_record,
    number_of,
    old_message_of,
    old_session_of,
    session_record,
)
from parley.importing.earlier.repairing import NoStart, SessionRepair, Span
from parley.importing.past import (
    Envelope,
    PastEvent,
    check_past,
    ended,
    event_id_of,
    started,
)
from parley.importing.prepared import PROGRESS_EVERY, Prepared, spool
from parley.importing.records import event_record, from_us
from parley.importing.rows import BadLine
from parley.importing.sorting import RUN_RECORDS, ExternalSorter, Record

SHOWN_BAD_ROWS: Final = 10
_OTHER_CONTENT: Final = "another row has the same key and other content"

Row = Mapping[str, Any]


@dataclass(slots=True)
class Findings:
    """What the tables hold, for the person who imports: how much was put right, and what not."""

    session_rows: int = 0
    message_rows: int = 0
    repeated_count: int = 0
    open_sessions: int = 0
    repairs: Repairs = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    bad_rows: list[str] = field(default_factory=list)

    def refuse(self, table: str, key: str, reason: str) -> None:
        """Count a row that cannot come in; the first few are named by their keys."""
        self.rejected[f"{table}: {reason}"] += 1
        if len(self.bad_rows) < SHOWN_BAD_ROWS:
            named = f" {key}" if key else ""
            self.bad_rows.append(f"{table}{named}: {reason}")


class EarlierPreparation:
    """Takes both tables' rows in, in any order, then puts them right session by session.

    Memory is bounded, whatever the tables' sizes. The same rows give the same events.
    """

    def __init__(
        self, envelope: Envelope, prefix: str = "", run_records: int = RUN_RECORDS
    ) -> None:
        self.findings = Findings()
        self._envelope = envelope
        self._prefix = prefix
        self._by_session = ExternalSorter(run_records)
        self._events = ExternalSorter(run_records)
        self._named = ExternalSorter(run_records)
        self._number = 0
        self._refused: set[int] = set()

    def take_session(self, row: Row) -> None:
        """Take a row of the sessions, by purposes."""
        self.findings.session_rows += 1
        self._number += 1
        try:
            session, repairs = old_session(row, self._prefix)
        except BadLine as error:
            self.findings.refuse(SESSIONS, row["key"] or "", str(error))
            return
        self.findings.repairs.update(repairs)
        record = session_record(session, digest_of_row(row), self._number)
        self._by_session.add(record, len(session.metadata_json))

    def take_message(self, row: Row) -> None:
        """Take a row of the messages, by purposes."""
        self.findings.message_rows += 1
        self._number += 1
        try:
            message, repairs = old_message(row, self._prefix)
        except BadLine as error:
            self.findings.refuse(MESSAGES, row.get("key") or "", str(error))
            return
        self.findings.repairs.update(repairs)
        record = message_record(message, self._number)
        self._by_session.add(record, len(message.text) + len(message.metadata_json))

    def finish(self, progress: Callable[[int], None]) -> Prepared:
        """Put all right and in order; `progress` is told the events put right so far."""
        by_session = groupby(self._by_session.drain(), key=lambda one: one[0])
        events = (past for group in by_session for past in self._put_right(*group))
        for count, _ in enumerate(events, start=1):
            if count % PROGRESS_EVERY == 0:
                progress(count)
        self._refuse_conflicts()
        return spool(self._in_order(), lambda _: None)

    def close(self) -> None:
        """Free the disk, whether or not it was put in order."""
        for sorter in (self._by_session, self._events, self._named):
            sorter.close()

    def _put_right(self, session_id: str, records: Iterator[Record]) -> Iterator[PastEvent]:
        """Keep a session's events; those without a session form a group under no id."""
        row, messages = self._session_row(records)
        repair = SessionRepair(session_id, row)
        for number, message, named in _named(messages):
            past = self._message(repair.observe(message), named)
            if self._keep(MESSAGES, message.key, number, past):
                self._named.add([past.conversation_id, named, message.digest, number], len(named))
                self.findings.repairs[Repair.MESSAGE_WITHOUT_SESSION] += not session_id
                yield past
        if session_id:
            yield from self._session(repair)
        self.findings.repairs.update(repair.repairs)

    def _session_row(self, records: Iterator[Record]) -> tuple[OldSession | None, Iterator[Record]]:
        """The session's row, if there is one, and its messages: the first of rows with one key."""
        first: Record | None = None
        for record in records:
            if not is_session(record):
                records = chain([record], records)
                break
            if first is None:
                first = record
            elif digest_of(record) == digest_of(first):
                self.findings.repeated_count += 1
            else:
                self.findings.refuse(SESSIONS, old_session_of(record).key, _OTHER_CONTENT)
        return (None if first is None else old_session_of(first)), records

    def _session(self, repair: SessionRepair) -> Iterator[PastEvent]:
        try:
            span = repair.span()
        except NoStart:
            if repair.row is not None:
                reason = "it has no start, no end and no message"
                self.findings.refuse(SESSIONS, repair.session_id, reason)
            return
        begun = self._session_event(span, started(span.metadata_json), span.start_us)
        if not self._keep(SESSIONS, span.session_id, 0, begun):
            return
        yield begun
        if span.end_us is None:
            self.findings.open_sessions += 1
            return
        over = self._session_event(span, ended(), span.end_us)
        if self._keep(SESSIONS, span.session_id, 0, over):
            yield over

    def _keep(self, table: str, key: str, number: int, past: PastEvent) -> bool:
        """Take an event that the consumers will take; any other is refused."""
        size_bytes = _size_of(past)
        try:
            check_past(past, size_bytes, self._envelope, clock.now())
        except InvalidRecord as error:
            self.findings.refuse(table, key, error.detail or error.reason)
            return False
        self._events.add(event_record(past, number), size_bytes)
        return True

    def _message(self, message: OldMessage, named: str) -> PastEvent:
        content = Content(message.text, message.audio_url, message.metadata_json)
        return PastEvent(
            event_id=event_id_of(self._envelope.tenant_id, message.conversation_id, named),
            body=MessageRecorded(message.role, content, language=message.language),
            occurred_at=from_us(message.occurred_us),
            conversation_id=message.conversation_id,
            session_id=message.session_id,
            user_id=message.user_id,
            client_message_id=named,
        )

    def _session_event(
        self, span: Span, body: SessionStarted | SessionEnded, moment_us: int
    ) -> PastEvent:
        """The id covers all that is said: where the tables say more by now, it is more news."""
        said = (type(body).__name__, str(moment_us), span.user_id, span.metadata_json)
        home = (self._envelope.tenant_id, span.conversation_id, span.session_id)
        return PastEvent(
            event_id=ids.derived_id("past-session", *home, *said),
            body=body,
            occurred_at=from_us(moment_us),
            conversation_id=span.conversation_id,
            session_id=span.session_id,
            user_id=span.user_id,
        )

    def _refuse_conflicts(self) -> None:
        """The same key with other content would be a dead letter: the row is refused here."""
        name, first_digest = None, ""
        for conversation_id, key, digest, number in self._named.drain():
            if (conversation_id, key) != name:
                name, first_digest = (conversation_id, key), digest
            elif digest != first_digest:
                self._refused.add(number)
                self.findings.refuse(MESSAGES, key, _OTHER_CONTENT)

    def _in_order(self) -> Iterator[Record]:
        """The events by (conversation, time, rank, event id), each id once."""
        previous = ""
        for record in self._events.drain():
            event_id, number = record[3], record[4]
            if number in self._refused:
                continue
            if event_id == previous:
                self.findings.repeated_count += 1
                continue
            previous = event_id
            yield record


def _named(records: Iterable[Record]) -> Iterator[tuple[int, OldMessage, str]]:
    """Messages with the numbers of their rows and their names.

    A name is the row's key; without one the digest and the number among equal rows, from 0.
    """
    digest, ordinal = "", 0
    for record in records:
        message = old_message_of(record)
        ordinal = ordinal + 1 if message.digest == digest else 0
        digest = message.digest
        yield number_of(record), message, message.key or f"{digest}.{ordinal}"


def _size_of(past: PastEvent) -> int:
    body = past.body
    if isinstance(body, MessageRecorded):
        return len(body.content.text) + len(body.content.metadata_json)
    return len(body.metadata_json) if isinstance(body, SessionStarted) else 0
