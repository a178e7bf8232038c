"""When a session whose client has gone is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.gateway.core.events import Source
from services.gateway.core.sessions import Departure, SessionBook

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
FIRST = Source("default", "c", "g", session_id="s", connection_id="one")
SECOND = replace(FIRST, connection_id="two")


def book(max_waiting: int = 10) -> SessionBook:
    return SessionBook(timedelta(seconds=60), max_waiting)


def test_a_session_is_over_sixty_seconds_after_its_client_went() -> None:
    sessions = book()
    sessions.connect(FIRST, 1, 0.0)
    assert sessions.depart(FIRST, AT, now_s=100.0) == []
    assert sessions.next_due_s() == 160.0
    assert sessions.take_due(159.9) == []
    assert sessions.take_due(160.0) == [Departure(FIRST, 1, AT)]
    assert sessions.next_due_s() is None


def test_a_client_that_comes_back_in_time_keeps_its_session() -> None:
    sessions = book()
    sessions.connect(FIRST, 1, 0.0)
    sessions.depart(FIRST, AT, 100.0)
    assert sessions.next_generation(SECOND, last_known=1) == 2
    sessions.connect(SECOND, 2, 0.0)
    assert sessions.take_due(1_000.0) == []


def test_an_old_connection_that_dies_late_ends_nothing() -> None:
    sessions = book()
    sessions.connect(FIRST, 1, 0.0)
    sessions.connect(SECOND, 2, 0.0)
    assert sessions.depart(FIRST, AT, 100.0) == []
    assert sessions.next_due_s() is None


def test_the_last_of_several_connections_ends_the_latest_generation() -> None:
    sessions = book()
    sessions.connect(FIRST, 1, 0.0)
    sessions.connect(SECOND, 2, 0.0)
    sessions.depart(SECOND, AT, 100.0)
    sessions.depart(FIRST, AT, 101.0)
    assert sessions.take_due(161.0) == [Departure(FIRST, 2, AT)]


def test_an_ended_session_waits_for_nobody() -> None:
    sessions = book()
    sessions.connect(FIRST, 1, 0.0)
    sessions.end(FIRST, 1)
    assert sessions.present_count == 0
    assert sessions.depart(FIRST, AT, 100.0) == []
    assert sessions.next_due_s() is None


def test_an_end_of_an_earlier_generation_leaves_the_later_one() -> None:
    sessions = book()
    sessions.connect(FIRST, 1, 0.0)
    sessions.connect(SECOND, 2, 0.0)
    sessions.end(FIRST, 1)
    assert sessions.present_count == 1


def test_a_client_that_knows_more_than_this_gateway_goes_on_from_there() -> None:
    assert book().next_generation(FIRST, last_known=7) == 8


def test_a_client_that_knows_less_than_this_gateway_does_not_go_back() -> None:
    sessions = book()
    sessions.connect(FIRST, 5, 0.0)
    assert sessions.next_generation(SECOND, last_known=1) == 6
    sessions.depart(FIRST, AT, 100.0)
    assert sessions.next_generation(SECOND, last_known=1) == 6


def test_the_same_session_id_in_another_conversation_is_another_session() -> None:
    sessions = book()
    sessions.connect(FIRST, 1, 0.0)
    sessions.depart(FIRST, AT, 100.0)
    sessions.connect(replace(SECOND, conversation_id="other"), 2, 0.0)
    assert sessions.take_due(160.0) == [Departure(FIRST, 1, AT)]


def test_where_too_many_wait_the_first_is_over_at_once() -> None:
    sessions = book(max_waiting=1)
    other = replace(FIRST, session_id="t")
    sessions.connect(FIRST, 1, 0.0)
    sessions.connect(other, 1, 0.0)
    assert sessions.depart(FIRST, AT, 100.0) == []
    assert sessions.depart(other, AT, 101.0) == [Departure(FIRST, 1, AT)]
    assert sessions.take_due(200.0) == [Departure(other, 1, AT)]


def test_a_session_that_stays_open_is_said_to_be_now_and_then() -> None:
    sessions = book()
    sessions.connect(FIRST, 1, 0.0)
    every = timedelta(minutes=15)
    assert sessions.take_stale(899.0, every) == []
    assert sessions.take_stale(900.0, every) == [(FIRST, 1)]
    assert sessions.take_stale(901.0, every) == []
    sessions.depart(FIRST, AT, 902.0)
    assert sessions.take_stale(5_000.0, every) == []
