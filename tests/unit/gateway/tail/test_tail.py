"""What this gateway wrote is handed on once, in its place, whether it was read or is known."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import HealthCheck, example, given
from hypothesis import settings as configured
from hypothesis import strategies as st

from parley.codec import LogRecord
from parley.log.producer import Appended
from parley.log.records import broker_time
from parley.topics import Topic
from services.gateway.core.room import Known
from services.gateway.settings import GatewaySettings
from services.gateway.stream.submission import Submission
from services.gateway.tail import tail as tail_module
from services.gateway.tail.ring import Ring
from services.gateway.tail.tail import Tail
from tests.support.wait import eventually

SETTINGS = GatewaySettings()
TOPIC = SETTINGS.topic(Topic.EVENTS)
EVENTS = TopicPartition(TOPIC, 0)
TIME_MS = 1_000


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "BETWEEN_REQUESTS_S", 0.0)


class Log:
    """One partition, read as a Follower reads it: a stretch in so many records at a time."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self.position = 0
        self.is_asleep = False
        self.lag = 0

    def append(self, *values: bytes) -> Appended:
        first = len(self.records)
        self.records += [record(first + n, value) for n, value in enumerate(values)]
        return Appended(first, len(values), TIME_MS)

    async def fetch(self, _patience_s: float) -> list[Any]:
        await asyncio.sleep(0)
        first, end = self.position, len(self.records)
        if self.is_asleep or first == end:
            await asyncio.sleep(0.001)
            return []
        self.position = end
        return [Read(self.records[first:end])]

    def pass_over(self, tp: TopicPartition, next_offset: int) -> None:
        assert tp == EVENTS
        self.position = max(self.position, next_offset)


class Read:
    """What one request has found."""

    tp = EVENTS

    def __init__(self, found: list[LogRecord]) -> None:
        self._found = found

    def records(self) -> list[LogRecord]:
        return self._found


def record(offset: int, value: bytes) -> LogRecord:
    key, headers = submission(value).key, submission(value).headers
    return LogRecord(TOPIC, 0, offset, broker_time(TIME_MS), key, value, headers)


def submission(value: bytes, kind: str | None = None) -> Submission:
    return Submission(TOPIC, b"k", value, "id", 0.0, 0.0, lambda _: None, kind=kind, user_id="u")


class Reader:
    """A tail that is running, and what it has handed on."""

    def __init__(self, log: Log) -> None:
        self.tail = Tail(SETTINGS)
        self.tail._rings[0] = Ring(0, 1_000_000)
        self.tail._follower = log  # type: ignore[assignment]
        self.log = log
        self.taken: list[LogRecord] = []
        self.known: list[Known | None] = []
        self.untold: deque[tuple[Appended, list[Submission]]] = deque()

    def take(self, one: LogRecord, known: Known | None = None, /) -> None:
        self.taken.append(one)
        self.known.append(known)

    def write(self, *values: bytes) -> None:
        """Write as this gateway does, and tell the tail."""
        self.append(*values)
        self.tell()

    def append(self, *values: bytes) -> None:
        """Kafka has it, and has not said so yet."""
        self.untold.append((self.log.append(*values), [submission(one) for one in values]))

    def tell(self) -> None:
        """Kafka says so."""
        appended, written = self.untold.popleft()
        self.tail.take_own(0, written, [appended])

    async def comes_to(self, count: int) -> None:
        async def is_there() -> bool:
            return len(self.taken) >= count

        await eventually(is_there, timeout=5, every=0.001)


@asynccontextmanager
async def reading(log: Log) -> AsyncIterator[Reader]:
    reader, stop = Reader(log), asyncio.Event()
    running = asyncio.create_task(reader.tail.run(stop, reader.take, lambda _: None))
    await asyncio.sleep(0)
    yield reader
    stop.set()
    await running


async def test_what_was_written_here_is_handed_on_at_once_as_it_would_be_read() -> None:
    log = Log()
    log.is_asleep = True
    async with reading(log) as reader:
        appended = [log.append(b"0", b"1"), log.append(b"2")]
        written = [submission(b"0"), submission(b"1", "message_recorded"), submission(b"2")]
        reader.tail.take_own(0, written, appended)
        assert reader.taken == log.records
        assert reader.known == [None, written[1], None]
        assert list(reader.tail.ring(0).of(b"k", 0)) == log.records
        assert await reader.tail.reach(0, 3, patience_s=0.0)
        # And is not asked for.
        assert log.position == 3


async def test_who_waits_for_an_offset_is_told_of_what_was_written_here() -> None:
    log = Log()
    log.is_asleep = True
    async with reading(log) as reader:
        waiting = asyncio.create_task(reader.tail.reach(0, 1, patience_s=5.0))
        await asyncio.sleep(0)
        log.is_asleep = True
        reader.write(b"0")
        assert await waiting


async def test_what_others_wrote_before_is_read_first() -> None:
    log = Log()
    log.is_asleep = True
    async with reading(log) as reader:
        log.append(b"another's")
        reader.write(b"own")
        assert reader.taken == []
        log.is_asleep = False
        await reader.comes_to(2)
        assert reader.taken == log.records


@pytest.mark.parametrize("appended", [Appended(0, 1, None), Appended(-1, 1, TIME_MS)])
async def test_what_is_not_known_to_be_the_next_record_is_read(appended: Appended) -> None:
    log = Log()
    log.append(b"0")
    log.is_asleep = True
    async with reading(log) as reader:
        reader.tail.take_own(0, [submission(b"0")], [appended])
        assert reader.taken == []
        log.is_asleep = False
        await reader.comes_to(1)
        assert reader.taken == log.records


async def test_what_is_told_while_it_is_about_to_be_read_is_handed_on_once() -> None:
    log = Log()
    log.append(*[b"another's"] * tail_module.AT_ONCE)
    async with reading(log) as reader:
        # In the same stretch, which lets others have their turn before its last record.
        reader.append(b"own")
        while len(reader.taken) < tail_module.AT_ONCE:  # noqa: ASYNC110 - this very moment
            await asyncio.sleep(0)
        assert len(reader.taken) == tail_module.AT_ONCE
        reader.tell()
        assert len(reader.taken) == tail_module.AT_ONCE + 1
    assert reader.taken == log.records


async def test_before_it_runs_and_after_it_has_stopped_nothing_is_handed_on() -> None:
    reader, stop = Reader(Log()), asyncio.Event()
    stop.set()
    reader.append(b"0")
    written = list(reader.untold)
    reader.tell()
    await reader.tail.run(stop, reader.take, lambda _: None)
    reader.untold.extend(written)
    reader.tell()
    assert reader.taken == []
    assert reader.tail.ring(0).next_offset == 0


@configured(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["own", "told", "other", "turns"]), st.integers(1, 5))))
@example([("own", 5), ("turns", 3), ("told", 1), ("turns", 5)])
def test_whoever_writes_all_records_are_handed_on_once_in_the_order_of_the_log(
    steps: Sequence[tuple[str, int]],
) -> None:
    async def run() -> None:
        log = Log()
        tail_module_at_once = tail_module.AT_ONCE
        tail_module.AT_ONCE = 2  # type: ignore[misc]
        try:
            async with reading(log) as reader:
                for what, count in steps:
                    values = [b"%d" % number for number in range(count)]
                    if what == "own":
                        reader.append(*values)
                    elif what == "told" and reader.untold:
                        reader.tell()
                    elif what == "other":
                        log.append(*values)
                    else:
                        for _ in range(count):
                            await asyncio.sleep(0)
                await reader.comes_to(len(log.records))
                assert reader.taken == log.records
                assert list(reader.tail.ring(0).of(b"k", 0)) == log.records
        finally:
            tail_module.AT_ONCE = tail_module_at_once  # type: ignore[misc]

    asyncio.run(run())
