"""Frames for one reader: bounded, and passing ones go first."""

import pytest

from services.gateway.connection.outbox import Outbox, ReaderTooSlow
from services.gateway.core.outgoing import OutFrame

MANY = 1_000


def durable(offset: int, text: str = "") -> OutFrame:
    return OutFrame("transcript_update", text or str(offset), offset=offset)


def passing(text: str) -> OutFrame:
    return OutFrame("transcript_update", text, is_passing=True)


def drained(outbox: Outbox) -> list[str]:
    return [outbox.take().text for _ in range(len(outbox))]


def test_frames_come_out_as_they_went_in() -> None:
    outbox = Outbox(4, MANY)
    for number in range(3):
        outbox.put(durable(number))
    assert drained(outbox) == ["0", "1", "2"]


def test_the_oldest_passing_frame_makes_room() -> None:
    outbox = Outbox(3, MANY)
    for frame in (durable(1), passing("old"), passing("new"), durable(2)):
        outbox.put(frame)
    assert drained(outbox) == ["1", "new", "2"]


def test_a_passing_frame_stays_out_where_all_others_must_stay() -> None:
    outbox = Outbox(2, MANY)
    for frame in (durable(1), durable(2), passing("late")):
        outbox.put(frame)
    assert drained(outbox) == ["1", "2"]


def test_a_durable_frame_without_room_means_that_the_reader_is_too_slow() -> None:
    outbox = Outbox(2, MANY)
    outbox.put(durable(1))
    outbox.put(durable(2))
    with pytest.raises(ReaderTooSlow):
        outbox.put(durable(3))


def test_long_frames_are_bounded_by_what_they_say() -> None:
    outbox = Outbox(100, 10)
    outbox.put(durable(1, "x" * 6))
    outbox.put(durable(2, "x" * 4))
    with pytest.raises(ReaderTooSlow):
        outbox.put(durable(3))
    outbox.take()
    outbox.put(durable(3, "x" * 6))
    assert [len(one) for one in drained(outbox)] == [4, 6]


def test_passing_frames_make_room_until_a_long_one_fits() -> None:
    outbox = Outbox(100, 10)
    for frame in (passing("1234"), durable(1), passing("5678"), durable(2, "x" * 8)):
        outbox.put(frame)
    assert drained(outbox) == ["1", "x" * 8]
    outbox.put(durable(3, "x" * 10))
    outbox.take()
    outbox.put(durable(4, "x" * 10))


def test_a_frame_that_is_longer_than_all_may_be_is_taken_alone() -> None:
    outbox = Outbox(100, 10)
    outbox.put(durable(1, "x" * 50))
    outbox.put(passing("late"))
    assert drained(outbox) == ["x" * 50]
