"""What a session is, by the events and seals that name it, in either order."""

from itertools import permutations

import pytest

from parley.events import (
    EndReason,
    Event,
    SessionEnded,
    SessionRefreshed,
    SessionResumed,
    SessionStarted,
)
from parley.seals import SessionSettled
from services.persister.core.events import fold
from services.persister.core.rows import SessionRow
from services.persister.core.sessions import merge_sessions, session_of, settled_session
from tests.unit.persister.samples import at, event, message, received, settled

START = event("start", SessionStarted(1, "", "10.0.0.1", "browser", '{"a": 1}'), 1, user_id="ada")
RESUME = event("resume", SessionResumed(2, "", "10.0.0.2", "phone"), 10)
EXPLICIT = event("end", SessionEnded(1, EndReason.EXPLICIT), 6)
DISCONNECTED = event("gone", SessionEnded(1, EndReason.DISCONNECTED), 5)


def session(*facts: Event | SessionSettled) -> SessionRow:
    """The session of these facts; fails unless every order of them gives the same."""
    rows = {_merged(order) for order in permutations(facts)}
    assert len(rows) == 1, rows
    return rows.pop()


def _merged(facts: tuple[Event | SessionSettled, ...]) -> SessionRow:
    rows = [
        settled_session(one) if isinstance(one, SessionSettled) else session_of(one)
        for one in facts
    ]
    merged = rows[0]
    for row in rows[1:]:
        merged = merge_sessions(merged, row)
    return merged


def test_a_message_alone_makes_a_stub() -> None:
    row = session(message(1, 3))
    assert (row.generation, row.started_at, row.ended_at) == (0, None, None)
    assert row.last_event_at == at(3)


def test_a_start_fills_in_the_stub_whenever_it_arrives() -> None:
    row = session(message(1, 3), START)
    assert (row.generation, row.started_at, row.user_id) == (1, at(1), "ada")
    assert (row.client_ip, row.user_agent, row.metadata_text) == ("10.0.0.1", "browser", '{"a": 1}')
    assert row.last_event_at == at(3)


def test_an_end_ends_its_generation() -> None:
    row = session(START, EXPLICIT)
    assert (row.ended_at, row.end_reason) == (at(6), "explicit")


def test_an_end_without_a_start_is_an_end() -> None:
    row = session(EXPLICIT)
    assert (row.generation, row.ended_at, row.started_at) == (1, at(6), None)


def test_a_later_generation_undoes_the_end() -> None:
    row = session(START, EXPLICIT, RESUME)
    assert (row.generation, row.ended_at, row.end_reason) == (2, None, None)
    assert (row.started_at, row.client_ip) == (at(1), "10.0.0.2")


def test_a_refresh_does_not_reopen_what_has_ended() -> None:
    row = session(START, EXPLICIT, event("refresh", SessionRefreshed(1), 8))
    assert (row.ended_at, row.last_event_at) == (at(6), at(8))


def test_an_explicit_end_outranks_a_lost_connection_and_silence() -> None:
    row = session(START, EXPLICIT, DISCONNECTED, settled(1, 4))
    assert (row.ended_at, row.end_reason) == (at(6), "explicit")


def test_a_lost_connection_outranks_silence() -> None:
    row = session(START, DISCONNECTED, settled(1, 4))
    assert (row.ended_at, row.end_reason) == (at(5), "disconnected")


def test_of_two_equal_ends_the_earlier_counts() -> None:
    row = session(EXPLICIT, event("again", SessionEnded(1, EndReason.EXPLICIT), 7))
    assert row.ended_at == at(6)


def test_of_two_settlements_the_one_that_knew_more_counts() -> None:
    row = session(START, settled(1, 4), settled(1, 9))
    assert (row.ended_at, row.end_reason) == (at(9), "idle")


def test_a_settled_stub_opens_when_its_start_arrives() -> None:
    row = session(message(1, 3), settled(0, 3), START)
    assert (row.generation, row.ended_at) == (1, None)


def test_what_another_conversation_says_under_the_same_id_is_about_another_session() -> None:
    stranger = {"conversation_id": "other", "user_id": "mallory"}
    ours = [message(1, 1), event("start", SessionStarted(1), 2)]
    theirs = [
        message(2, 0, **stranger),
        event("end", SessionEnded(2**61, EndReason.EXPLICIT), 3, **stranger),
    ]
    for order in permutations([*ours, *theirs]):
        rows = fold(received(order)).sessions
        own, other = rows["t", "s", "c"], rows["t", "s", "other"]
        assert (own.user_id, own.generation, own.ended_at) == (None, 1, None)
        assert (other.user_id, other.generation, other.started_at) == ("mallory", 2**61, None)


@pytest.mark.parametrize("reason", list(EndReason))
def test_every_reason_ends_a_session(reason: EndReason) -> None:
    row = session(START, event("end", SessionEnded(1, reason), 6))
    assert (row.ended_at, row.end_reason) == (at(6), reason.value)
