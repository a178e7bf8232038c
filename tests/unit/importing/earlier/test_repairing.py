"""Tests of putting one session right."""

from dataclasses import replace

import pytest

from parley.events import Role
from parley.importing.earlier.old_rows import OldMessage, OldSession, Repair
from parley.importing.earlier.repairing import NoStart, SessionRepair, Span

S = 1_000_000
SESSION = OldSession("s1", "c1", "ann", 100 * S, 160 * S, 60.0, True, False, "")
MESSAGE = OldMessage("1", "s1", "", "ann", Role.USER, "hi", 110 * S, None, "", "", "d")


def repaired(
    row: OldSession | None, *times_s: int, user_id: str = "ann", conversation_id: str = ""
) -> tuple[Span, dict[Repair, int]]:
    """The session with messages at these seconds."""
    repair = SessionRepair("s1", row)
    for second in times_s:
        repair.observe(
            replace(
                MESSAGE, occurred_us=second * S, user_id=user_id, conversation_id=conversation_id
            )
        )
    span = repair.span()
    return span, {name: count for name, count in repair.repairs.items() if count}


def times(span: Span) -> tuple[float, float | None]:
    return span.start_us / S, None if span.end_us is None else span.end_us / S


def test_a_session_without_a_fault_stays_as_it_is() -> None:
    span, repairs = repaired(SESSION, 110, 120)
    assert span == Span("s1", "c1", "ann", 100 * S, 160 * S, "")
    assert repairs == {}


def test_active_though_ended_is_ended() -> None:
    span, repairs = repaired(replace(SESSION, is_active=True))
    assert times(span) == (100, 160)
    assert repairs == {Repair.ACTIVE_THOUGH_ENDED: 1}


def test_an_active_session_without_an_end_stays_open() -> None:
    row = replace(SESSION, is_active=True, end_us=None, duration_s=None)
    span, repairs = repaired(row, 110)
    assert times(span) == (100, None)
    assert repairs == {}


def test_an_active_session_with_a_duration_has_ended() -> None:
    span, repairs = repaired(replace(SESSION, is_active=True, end_us=None), 110)
    assert times(span) == (100, 160)
    assert repairs == {Repair.NO_END: 1}


def test_no_duration_is_counted_where_the_table_has_durations() -> None:
    assert repaired(replace(SESSION, duration_s=None))[1] == {Repair.NO_DURATION: 1}
    assert repaired(replace(SESSION, duration_s=None, has_duration=False))[1] == {}


def test_a_wrong_duration_is_counted_and_rounding_is_none() -> None:
    assert repaired(replace(SESSION, duration_s=61.0))[1] == {}
    assert repaired(replace(SESSION, duration_s=0.0))[1] == {Repair.WRONG_DURATION: 1}


def test_a_missing_end_is_the_start_and_the_duration() -> None:
    span, repairs = repaired(replace(SESSION, end_us=None), 110)
    assert times(span) == (100, 160)
    assert repairs == {Repair.NO_END: 1}


def test_a_missing_end_without_a_duration_is_the_last_message() -> None:
    row = replace(SESSION, end_us=None, duration_s=None)
    span, repairs = repaired(row, 110, 130)
    assert times(span) == (100, 130)
    assert repairs == {Repair.NO_END: 1, Repair.NO_DURATION: 1}
    assert times(repaired(row)[0]) == (100, 100)


def test_an_end_before_the_start_is_the_last_message() -> None:
    span, repairs = repaired(replace(SESSION, end_us=90 * S), 110, 130)
    assert times(span) == (100, 130)
    assert repairs[Repair.ENDS_BEFORE_START] == 1


def test_start_and_end_that_were_exchanged_hold_their_messages() -> None:
    span, _ = repaired(replace(SESSION, start_us=160 * S, end_us=100 * S), 110, 130)
    assert times(span) == (110, 130)


def test_an_end_before_the_start_without_messages_is_the_start() -> None:
    assert times(repaired(replace(SESSION, end_us=90 * S))[0]) == (100, 100)


def test_a_missing_start_is_the_first_message_or_lies_a_duration_before_the_end() -> None:
    row = replace(SESSION, start_us=None)
    assert repaired(row, 110) == (replace(repaired(SESSION)[0]), {Repair.NO_START: 1})
    assert times(repaired(row, 90)[0]) == (90, 160)
    assert times(repaired(replace(row, end_us=None, duration_s=None), 110, 120)[0]) == (110, 120)


def test_a_session_of_which_nothing_says_when_it_began_is_none() -> None:
    with pytest.raises(NoStart):
        repaired(replace(SESSION, start_us=None, end_us=None))


def test_a_session_that_is_missing_lasts_from_its_first_message_to_its_last() -> None:
    span, repairs = repaired(None, 110, 120, 150, conversation_id="c9")
    assert span == Span("s1", "c9", "ann", 110 * S, 150 * S, "")
    assert repairs == {Repair.SESSION_MISSING: 1}


def test_without_a_conversation_the_session_is_one() -> None:
    span, _ = repaired(replace(SESSION, conversation_id=""), 110)
    assert span.conversation_id == "s1"


def test_a_session_without_a_user_has_its_messages_user() -> None:
    span, repairs = repaired(replace(SESSION, user_id=""), 110, user_id="bob")
    assert span.user_id == "bob"
    assert repairs == {Repair.NO_USER_ON_SESSION: 1}


def test_a_message_without_a_user_has_its_sessions() -> None:
    repair = SessionRepair("s1", SESSION)
    nobodys = replace(MESSAGE, user_id="")
    assert repair.observe(nobodys).user_id == "ann"
    assert repair.observe(replace(MESSAGE, user_id="bob")).user_id == "bob"
    assert repair.repairs == {Repair.NO_USER_ON_MESSAGE: 1}


def test_a_message_has_its_own_conversation_or_its_sessions_or_is_in_one_of_its_session() -> None:
    repair = SessionRepair("s1", SESSION)
    assert repair.observe(replace(MESSAGE, conversation_id="c2")).conversation_id == "c2"
    assert repair.observe(MESSAGE).conversation_id == "c1"
    assert SessionRepair("s1", None).observe(MESSAGE).conversation_id == "s1"
