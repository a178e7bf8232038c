"""Each partition is counted once from where it was begun, and forgotten when it goes."""

from datetime import timedelta

from parley import clock
from parley.activity.figures import WINDOWS, PartitionFigures
from parley.codec import LogRecord, encode_event, event_key
from services.sealer.activity.core import Limits
from services.sealer.activity.counting import Counting
from tests.support.publish import message

NOW = clock.now()


def record(offset: int, partition: int = 0, value: bytes | None = None) -> LogRecord:
    said = encode_event(message("c", offset, received_at=NOW))
    key = event_key("default", "c")
    return LogRecord("events", partition, offset, NOW, key, said if value is None else value)


def counting(*records: LogRecord, **offsets: int) -> Counting:
    """One that began partition 0 at offset 10, and read these records."""
    made = Counting(Limits(9, 9, 9))
    made.begin({0: 10, **{int(name[1:]): offset for name, offset in offsets.items()}})
    for one in records:
        made.count(one)
    return made


def measured(counted: Counting, *, end: int = 0) -> dict[int, PartitionFigures]:
    return {one.partition: one for one in counted.measure(NOW, {0: end})}


def messages(figures: PartitionFigures) -> int:
    return sum(windows[WINDOWS[0]].messages for windows in figures.groups.values())


def test_a_record_that_comes_twice_or_from_before_the_beginning_is_counted_once() -> None:
    counted = counting(record(9), record(10), record(11), record(10), record(11))
    assert messages(measured(counted)[0]) == 2


def test_what_cannot_be_read_is_passed_over() -> None:
    counted = counting(record(10, value=b"\xff"), record(11))
    assert messages(measured(counted, end=12)[0]) == 1
    assert measured(counted, end=12)[0].behind_records == 0


def test_what_is_still_to_be_read_is_said() -> None:
    assert measured(counting(record(10)), end=14)[0].behind_records == 3


def test_a_partition_that_is_begun_again_is_counted_anew() -> None:
    counted = counting(record(10), record(11), p1=0)
    counted.begin({0: 11})
    counted.count(record(11))
    assert counted.partitions == [0]
    assert messages(measured(counted)[0]) == 1


def test_a_partition_that_went_elsewhere_is_not_counted_any_more() -> None:
    counted = counting(record(10), p1=0)
    counted.keep({1})
    counted.count(record(11))
    assert counted.partitions == [1]


def test_figures_grow_old_without_a_record() -> None:
    counted = counting(record(10))
    assert counted.measure(NOW + timedelta(minutes=16), {})[0].groups == {}
