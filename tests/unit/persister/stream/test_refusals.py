"""What follows from a dead letter."""

from parley.codec import LogRecord, decode_event
from parley.db.fence import Fence, FenceKey
from parley.events import RecordRejected
from services.persister.store.accounts import DeadLetter
from services.persister.stream.refusals import MAX_COPIED_BYTES, dead_letter_record, rejection
from tests.unit.persister.samples import NOON, message, record

FENCE = Fence(FenceKey("persister", "events", 0), "incarnation", 1, 0, None)


def test_a_dead_letter_carries_the_raw_record_and_where_it_came_from() -> None:
    letter = DeadLetter(
        LogRecord("events", 3, 7, NOON, b"key", b"\xff"), "protobuf", "not an Event"
    )
    copy = dead_letter_record(letter, "dead")
    assert (copy.topic, copy.key, copy.value) == ("dead", b"key", b"\xff")
    assert dict(copy.headers) == {
        "parley-reason": b"protobuf",
        "parley-service": b"persister",
        "parley-source-topic": b"events",
        "parley-source-partition": b"3",
        "parley-source-offset": b"7",
    }


def test_a_record_too_long_to_be_copied_says_so_instead() -> None:
    value = b"x" * (MAX_COPIED_BYTES + 1)
    letter = DeadLetter(LogRecord("events", 3, 7, NOON, None, value), "protobuf", "")
    copy = dead_letter_record(letter, "dead")
    assert copy.value == b""
    assert dict(copy.headers)["parley-omitted-bytes"] == str(len(value)).encode()


def test_a_record_without_a_value_has_a_copy_too() -> None:
    letter = DeadLetter(LogRecord("events", 3, 7, NOON, None, None), "no_value", "")
    assert dead_letter_record(letter, "dead").value == b""


def test_a_rejection_goes_to_the_refused_records_partition_and_is_valid() -> None:
    one = message(1)
    refused = DeadLetter(record(one, 7), "refused", "CheckViolationError")
    told = rejection(refused, one.event_id, FENCE)
    assert (told.topic, told.partition) == ("events", 0)
    read = decode_event(LogRecord("events", 0, 9, NOON, None, told.value))
    assert read.body == RecordRejected(7, one.event_id, "CheckViolationError")


def test_a_rejection_that_is_decided_twice_has_the_same_id() -> None:
    refused = DeadLetter(record(message(1), 7), "refused", "CheckViolationError")
    assert rejection(refused, "id", FENCE) == rejection(refused, "id", FENCE)
