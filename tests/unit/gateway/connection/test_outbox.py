"""Frames for one reader: bounded, and passing ones go first."""

import pytest

from services.gateway.connection.outbox import Outbox, ReaderTooSlow
from services.gateway.core.outgoing import OutFrame


def durable(offset: int) -> OutFrame:
    return OutFrame("transcript_update", str(offset), offset=offset)


def passing(text: str) -> OutFrame:
    return OutFrame("transcript_update", text, is_passing=True)


def drained(outbox: Outbox) -> list[str]:
    return [outbox.take().text for _ in range(len(outbox))]


def test_frames_come_out_as_they_went_in() -> None:
    outbox = Outbox(4)
    for number in range(3):
        outbox.put(durable(number))
    assert drained(outbox) == ["0", "1", "2"]


def test_the_oldest_passing_frame_makes_room() -> None:
    outbox = Outbox(3)
    for frame in (durable(1), passing("old"), passing("new"), durable(2)):
        outbox.put(frame)
    assert drained(outbox) == ["1", "new", "2"]


def test_a_passing_frame_stays_out_where_all_others_must_stay() -> None:
    outbox = Outbox(2)
    for frame in (durable(1), durable(2), passing("late")):
        outbox.put(frame)
    assert drained(outbox) == ["1", "2"]


def test_a_durable_frame_without_room_means_that_the_reader_is_too_slow() -> None:
    outbox = Outbox(2)
    outbox.put(durable(1))
    outbox.put(durable(2))
    with pytest.raises(ReaderTooSlow):
        outbox.put(durable(3))
