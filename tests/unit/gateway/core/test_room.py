"""What a replica knows of a conversation, fed by the log."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from parley.conversation_state import NEW, ConversationStatus, fold
from parley.events import (
    Content,
    ConversationState,
    Event,
    MessageRecorded,
    Role,
    StateRequested,
)
from parley.ids import derived_id
from parley.live import InterimTranscript, LiveFrame
from services.gateway.core.room import FORGOTTEN_AT_ONCE, REMEMBERED_EVENTS, Room, Snapshot

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
STATES = list(ConversationState)


def event(number: int, body: StateRequested | MessageRecorded) -> Event:
    return Event(derived_id("e", str(number)), body, AT, AT, "t", "c")


def asks(number: int, source: str, target: str) -> Event:
    body = StateRequested(ConversationState(source), ConversationState(target))
    return event(number, body)


def message(number: int, utterance_id: str = "") -> Event:
    return event(number, MessageRecorded(Role.USER, Content("x"), utterance_id))


def interim(sequence: int, utterance_id: str = "u") -> LiveFrame:
    body = InterimTranscript(utterance_id, sequence, Role.USER, "x")
    return LiveFrame("t", "c", "g", AT, body)


def test_nothing_is_judged_until_the_tables_told_where_to_begin() -> None:
    room = Room()
    assert room.judge(3, asks(1, "idle", "listening")) is None
    room.begin(Snapshot(NEW, 3), [(3, asks(1, "idle", "listening"))])
    decision = room.decision(asks(1, "idle", "listening").event_id)
    assert decision is not None
    assert decision.is_granted
    assert room.status is not None
    assert room.status.state is ConversationState.LISTENING


def test_what_the_tables_hold_is_not_judged_again() -> None:
    room = Room()
    status = ConversationStatus(ConversationState.LISTENING)
    room.begin(Snapshot(status, 10), [])
    assert room.judge(9, asks(1, "listening", "processing")) is None
    assert room.status == status
    assert room.judge(10, asks(1, "listening", "processing")) is not None


def test_of_two_requests_from_one_state_the_first_in_the_log_wins() -> None:
    room = Room()
    room.begin(Snapshot(NEW, 0), [])
    first = room.judge(0, asks(1, "idle", "listening"))
    second = room.judge(1, asks(2, "idle", "listening"))
    assert first is not None
    assert first.is_granted
    assert second is not None
    assert not second.is_granted


def test_imports_change_no_state() -> None:
    room = Room()
    room.begin(Snapshot(NEW, 0), [])
    assert room.judge(0, replace(asks(1, "idle", "ended"), import_id="i")) is None
    assert not room.is_ended


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(STATES), st.sampled_from(STATES)),
        max_size=60,
    ),
    st.integers(0, 60),
)
def test_a_room_that_begins_anywhere_decides_as_one_that_saw_it_all(
    asked: list[tuple[int, ConversationState, ConversationState]], begins: int
) -> None:
    log = [asks(number, source, target) for number, source, target in asked]
    status, verdicts = NEW, []
    stored = NEW
    for offset, one in enumerate(log):
        if offset == begins:
            stored = status
        assert isinstance(one.body, StateRequested)
        status, granted = fold(status, one.event_id, one.body)
        verdicts.append(granted)
    begins = min(begins, len(log))
    room = Room()
    room.begin(Snapshot(stored if begins < len(log) else status, begins), [])
    decided = [room.judge(offset, one) for offset, one in enumerate(log)]
    assert [one.is_granted for one in decided[begins:] if one] == verdicts[begins:]
    assert room.status == status


def test_a_copy_is_recognised_among_the_last_thousand_events() -> None:
    room = Room()
    assert room.is_new(0, message(0))
    for number in range(1, REMEMBERED_EVENTS):
        assert room.is_new(number, message(number))
    assert not room.is_new(5_000, message(0))
    assert room.seen_at(message(0).event_id) == 0
    assert room.is_new(5_001, message(REMEMBERED_EVENTS))
    assert room.is_new(5_002, message(0))


def test_what_passes_while_nobody_listens_is_remembered_as_long_and_not_for_ever() -> None:
    room = Room()
    for number in range(3 * REMEMBERED_EVENTS):
        room.recall(number, message(number).event_id)
    newest = range(2 * REMEMBERED_EVENTS, 3 * REMEMBERED_EVENTS)
    assert all(room.seen_at(message(number).event_id) == number for number in newest)
    oldest = range(2 * REMEMBERED_EVENTS - FORGOTTEN_AT_ONCE - 1)
    assert not any(room.seen_at(message(number).event_id) is not None for number in oldest)


def test_an_interim_transcript_is_dropped_once_a_later_one_or_its_final_has_passed() -> None:
    room = Room()
    assert room.is_worth_seeing(interim(2))
    assert not room.is_worth_seeing(interim(1))
    assert not room.is_worth_seeing(interim(2))
    assert room.is_worth_seeing(interim(3))
    room.is_new(0, message(1, utterance_id="u"))
    assert not room.is_worth_seeing(interim(4))
    assert room.is_worth_seeing(interim(1, "next"))


def test_connections_elsewhere_are_counted_by_gateway() -> None:
    room = Room()
    assert room.note_presence("a", 2)
    assert not room.note_presence("a", 3)
    assert room.note_presence("b", 1)
    assert room.open_elsewhere() == 4
    assert not room.note_presence("b", 0)
    assert room.forget_gateway("a")
    assert not room.forget_gateway("a")
    assert room.open_elsewhere() == 0


def test_the_first_user_who_is_named_owns_the_conversation() -> None:
    room = Room()
    room.begin(Snapshot(NEW, 0), [])
    for offset, (before, user) in enumerate(pairwise(["", "ada", "bob"])):
        room.judge(offset, replace(message(offset), user_id=user or before))
    assert room.owner == "ada"
