"""Decides what a new incarnation of a topic holds: which record goes where, with which time.

The fold of a conversation depends on its own records, in their order, and on the watermark at each
of them. So the sources are merged by their watermarks, and where the record that moved a source's
time went elsewhere, a Tick takes its place. What concerns a whole partition goes to every new one:

- Tick, ImportStarted, ImportFinished, RuleActivated: everywhere, at their own times.
- RecordRejected names an offset: it follows the record that it rejects, and names its new offset.
- An import's records let go of the windows of conversations before them; so in a partition whose
  import goes on in another one, a Tick says how far it has come.
- A record without a key that is nothing of the kind is invalid, and stays so, once.

With as many partitions as before every record stays in its own.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from google.protobuf.message import DecodeError

from parley.codec import Header, InvalidRecord, LogRecord, Outgoing, decode_event, encode_event
from parley.codec.events import EVENT_HEADERS
from parley.codec.record import APPEND_TIME, COPY_HEADERS, EPOCH, SOURCE_POSITION
from parley.events import PARTITION_WIDE, Event, ImportFinished, RecordRejected, Tick
from parley.ids import derived_id
from parley.position import Position
from parley.topics import partition_of
from parley.wire import events_pb2

BEGINNING: Final = datetime.min.replace(tzinfo=EPOCH.tzinfo)
# The time of a record whose own is invalid: so it stays, whatever the broker's clock says later.
NO_TIME: Final = b"invalid"
_MICROSECOND: Final = timedelta(microseconds=1)
_WIDE_KINDS: Final = frozenset(
    ("tick", "import_started", "import_finished", "rule_activated", "record_rejected")
)

# A partition of the source and an offset in it.
Place = tuple[int, int]
MergeKey = tuple[datetime, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """What becomes of a topic; `incarnation` is the source's, `holds_events` its events' kind."""

    topic: str
    incarnation: str
    source_partitions: int
    partitions: int
    holds_events: bool


@dataclass(slots=True)
class Planner:
    """Routes the records of the source, which come in the order of `merge_key`.

    `rejected` are the places that a RecordRejected names: where those records go is remembered.
    """

    shape: Shape
    rejected: Collection[Place] = ()
    counts: list[int] = field(init=False)
    marks: list[datetime] = field(init=False)
    _source_marks: list[datetime] = field(init=False)
    _moved: dict[Place, Place] = field(init=False, default_factory=dict)
    # By import and source: where it may hold a window, and of which conversation at most.
    _lanes: dict[tuple[str, int], dict[int, str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.counts = [0] * self.shape.partitions
        self.marks = [BEGINNING] * self.shape.partitions
        self._source_marks = [BEGINNING] * self.shape.source_partitions

    def merge_key(self, record: LogRecord) -> MergeKey:
        """What the sources are merged by: the watermark of the record's own partition at it.

        Copies of one moment come as their first source had them.
        """
        time = _time_of(record) or BEGINNING
        mark = max(self._source_marks[record.partition], time)
        source = _source_of(record)
        first = (record.partition, record.offset)
        if source is not None:
            first = (source.partition, source.offset)
        return mark, *first, record.partition, record.offset

    def copies(self, record: LogRecord) -> list[Outgoing]:
        """The record where it belongs, and what must come before it there."""
        time = _time_of(record)
        mark = max(self._source_marks[record.partition], time or BEGINNING)
        self._source_marks[record.partition] = mark
        wide = self._wide_event(record)
        made: list[Outgoing] = []
        for partition in self._targets(record, wide):
            if time is not None and time < mark and self.marks[partition] < mark:
                made.append(self._tick(partition, mark, record))
            made.append(self._copy(partition, record, wide, time))
        if not self._stays() and self.shape.holds_events:
            made += self._progress(record, wide, mark)
        return made

    def end_marks(self, floors: Collection[datetime] = ()) -> list[Outgoing]:
        """A Tick at the end of every partition: all that was due in the source is due here too.

        `floors` are the watermarks that the tables know, by partition where all stay.
        """
        if not self.shape.holds_events:
            return []
        known = floors or self._source_marks
        marks = [max(one) for one in zip(self._source_marks, known, strict=True)]
        if not self._stays():
            marks = [max(marks)] * self.shape.partitions
        return [
            self._end_mark(partition, mark)
            for partition, mark in enumerate(marks)
            if mark != BEGINNING
        ]

    def addition(self, record: LogRecord) -> Outgoing:
        """A record that is new in its partition: it keeps its time, its place is the one here."""
        partition, time = record.partition, _time_of(record)
        mark = max(self._source_marks[partition], time or BEGINNING)
        self._source_marks[partition] = mark
        headers = (*_own_headers(record), (APPEND_TIME, _stamp(time)))
        return self._put(partition, record.key, record.value or b"", headers, time)

    # --- where a record goes ------------------------------------------------------------------

    def _stays(self) -> bool:
        return self.shape.partitions == self.shape.source_partitions

    def _targets(self, record: LogRecord, wide: Event | None) -> list[int]:
        if self._stays():
            return [record.partition]
        if wide is not None and not isinstance(wide.body, RecordRejected):
            return list(range(self.shape.partitions)) if _is_the_one(record, wide) else []
        if wide is not None and isinstance(wide.body, RecordRejected):
            moved = self._moved.get((record.partition, wide.body.rejected_offset))
            return [moved[0]] if moved else [record.partition]
        if record.key is None:
            return [record.partition]
        return [partition_of(record.key, self.shape.partitions)]

    def _wide_event(self, record: LogRecord) -> Event | None:
        """The event where it is one of a whole partition, and valid."""
        if not self.shape.holds_events or _kind_of(record) not in _WIDE_KINDS:
            return None
        try:
            event = decode_event(record)
        except InvalidRecord:
            return None
        return event if isinstance(event.body, PARTITION_WIDE) else None

    # --- what it is there ---------------------------------------------------------------------

    def _copy(
        self, partition: int, record: LogRecord, wide: Event | None, time: datetime | None
    ) -> Outgoing:
        value = record.value or b""
        if wide is not None and isinstance(wide.body, RecordRejected):
            value = self._rejection(record, wide, wide.body)
        place = (record.partition, record.offset)
        if place in self.rejected:
            self._moved[place] = (partition, self.counts[partition])
        headers = (
            *_own_headers(record),
            (APPEND_TIME, _stamp(time)),
            (SOURCE_POSITION, self._source(record)),
        )
        return self._put(partition, record.key, value, headers, time)

    def _put(
        self,
        partition: int,
        key: bytes | None,
        value: bytes,
        headers: tuple[Header, ...],
        time: datetime | None,
    ) -> Outgoing:
        self.counts[partition] += 1
        self.marks[partition] = max(self.marks[partition], time or BEGINNING)
        return Outgoing(self.shape.topic, key, value, headers, partition)

    def _source(self, record: LogRecord) -> bytes:
        for name, value in record.headers:
            if name == SOURCE_POSITION:
                return value
        return str(Position(self.shape.incarnation, record.partition, record.offset)).encode()

    def _rejection(self, record: LogRecord, event: Event, body: RecordRejected) -> bytes:
        moved = self._moved.get((record.partition, body.rejected_offset))
        if moved is None:
            return record.value or b""
        return encode_event(replace(event, body=replace(body, rejected_offset=moved[1])))

    # --- ticks --------------------------------------------------------------------------------

    def _tick(self, partition: int, mark: datetime, record: LogRecord) -> Outgoing:
        source = self._source(record)
        event_id = derived_id("time", source.decode("latin-1"), str(partition))
        tick = Event(event_id, Tick(mark), mark, mark)
        return self._made_up(partition, tick, mark, (SOURCE_POSITION, source))

    def _end_mark(self, partition: int, mark: datetime) -> Outgoing:
        event_id = derived_id("end", self.shape.incarnation, str(partition))
        return self._made_up(partition, Event(event_id, Tick(mark), mark, mark), mark)

    def _made_up(self, partition: int, tick: Event, mark: datetime, *more: Header) -> Outgoing:
        headers = (*EVENT_HEADERS, (APPEND_TIME, _stamp(mark)), *more)
        return self._put(partition, None, encode_event(tick), headers, mark)

    def _progress(self, record: LogRecord, wide: Event | None, mark: datetime) -> list[Outgoing]:
        """Wherever the record's import may still hold a window: how far it has come elsewhere."""
        event = _imported(record)
        if event is None or event.import_id is None:
            return []
        source = _source_of(record)
        name = (event.import_id, source.partition if source else record.partition)
        if wide is not None and isinstance(wide.body, ImportFinished):
            self._lanes.pop(name, None)
        if record.key is None:
            return []
        lane = self._lanes.setdefault(name, {})
        here = partition_of(record.key, self.shape.partitions)
        lane[here] = max(lane.get(here, ""), event.conversation_id)
        others = [one for one in sorted(lane) if one != here]
        for one in others:
            if lane[one] < event.conversation_id:
                # Passed: nothing waits for it there until its next record comes.
                del lane[one]
        return [self._progress_tick(one, event, mark, record) for one in others]

    def _progress_tick(
        self, partition: int, event: Event, mark: datetime, record: LogRecord
    ) -> Outgoing:
        source = self._source(record)
        tick = Event(
            derived_id("progress", source.decode("latin-1"), str(partition)),
            Tick(mark),
            event_time=event.event_time,
            received_at=mark,
            tenant_id=event.tenant_id,
            conversation_id=event.conversation_id,
            import_id=event.import_id,
        )
        return self._made_up(partition, tick, mark, (SOURCE_POSITION, source))


def rejected_place(record: LogRecord) -> Place | None:
    """The place that the record rejects, where it is a RecordRejected."""
    if _kind_of(record) != "record_rejected":
        return None
    wire = events_pb2.Event.FromString(record.value or b"")
    return record.partition, wire.record_rejected.rejected_offset


def shared_mark(record: LogRecord) -> tuple[str, str] | None:
    """What the record marks, where every partition has the same mark."""
    kind = _kind_of(record)
    if kind not in ("import_started", "import_finished", "rule_activated"):
        return None
    wire = events_pb2.Event.FromString(record.value or b"")
    rule = wire.rule_activated
    about = wire.import_id or f"{rule.rule_version}/{rule.validity_version}"
    return kind, about


def _is_the_one(record: LogRecord, wide: Event) -> bool:
    """Whether, of the copies that a former incarnation has in all its partitions, it is the first.

    A Tick that tells of an import lies where it is wanted only.
    """
    source = _source_of(record)
    is_everywhere = not (isinstance(wide.body, Tick) and wide.import_id is not None)
    return not is_everywhere or source is None or source.partition == record.partition


def _source_of(record: LogRecord) -> Position | None:
    try:
        return record.source()
    except InvalidRecord:
        return None


def _kind_of(record: LogRecord) -> str | None:
    try:
        kind: str | None = events_pb2.Event.FromString(record.value or b"").WhichOneof("body")
    except DecodeError:
        return None
    return kind


def _imported(record: LogRecord) -> Event | None:
    try:
        if not events_pb2.Event.FromString(record.value or b"").HasField("import_id"):
            return None
        return decode_event(record)
    except (DecodeError, InvalidRecord):
        return None


def _time_of(record: LogRecord) -> datetime | None:
    try:
        return record.append_time()
    except InvalidRecord:
        return None


def _stamp(time: datetime | None) -> bytes:
    return NO_TIME if time is None else str((time - EPOCH) // _MICROSECOND).encode()


def _own_headers(record: LogRecord) -> tuple[Header, ...]:
    return tuple(one for one in record.headers if one[0] not in COPY_HEADERS)
