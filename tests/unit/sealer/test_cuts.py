"""Where segments are cut whatever the gap: commands, caps, ends, sessions that settle."""

from dataclasses import replace
from datetime import timedelta

import pytest

from parley import ids
from parley.seals import Cut, SealCause
from tests.unit.sealer.samples import (
    CALL,
    CHAT,
    MILLISECOND,
    Talk,
    at,
    digest,
    event_id,
    only,
)

SOON = 0.5


def segment_id(number: int) -> str:
    return ids.segment_id("acme", "c1", event_id(number))


# --- commands ---------------------------------------------------------------------------------


def test_a_forced_seal_closes_at_once_and_cuts_after_the_last_member() -> None:
    talk = Talk()
    talk.say(1, 0)
    seal = only(talk.force(50, 1))
    assert (seal.cause, seal.cut) == (SealCause.FORCED, Cut(at(0), event_id(1)))
    assert seal.decided_offset == 1
    talk.say(2, 2)
    seal = only(talk.tick(200))
    assert (seal.segment_id, seal.member_digest) == (segment_id(2), digest(2))


def test_a_late_message_before_a_cut_joins_its_own_side() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.say(3, 10)
    talk.force(50, 11)
    talk.say(4, 12)
    talk.say(2, 5, arrives=13)
    talk.tick(1_000)
    assert [one.member_digest for one in talk.seals[1:]] == [digest(1, 2, 3), digest(4)]


def test_a_message_after_the_cut_of_a_segment_that_is_open_again_begins_another() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.say(3, 10)
    talk.force(50, 11)
    talk.say(2, 5, arrives=13)
    talk.say(4, 14)
    talk.tick(1_000)
    assert [one.member_digest for one in talk.seals[1:]] == [digest(1, 2, 3), digest(4)]


def test_after_a_cut_a_late_message_is_waited_for_no_longer_than_the_grace() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.say(3, 10)
    talk.force(50, 11)
    talk.say(2, 5, arrives=13)
    assert talk.tick(22) == []
    assert only(talk.tick(23)).revision == 2


def test_a_forced_seal_of_a_closed_conversation_cuts_without_reopening() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.tick(200)
    assert talk.force(50, 201) == []
    talk.say(2, 50, arrives=202)
    assert only(talk.tick(400)).segment_id == segment_id(2)


# --- caps -------------------------------------------------------------------------------------

FEW = replace(CHAT, max_messages=3)
SHORT = replace(CHAT, max_duration=timedelta(seconds=120))


def test_the_message_that_reaches_the_count_closes_and_cuts_at_once() -> None:
    talk = Talk()
    talk.say(1, 0, policy=FEW)
    assert talk.say(2, 1, policy=FEW) == []
    seal = only(talk.say(3, 2, policy=FEW))
    assert (seal.cause, seal.cut) == (SealCause.CAP, Cut(at(2), event_id(3)))
    assert seal.decided_offset == 2
    talk.say(4, 3, policy=FEW)
    assert only(talk.tick(500)).segment_id == segment_id(4)


@pytest.mark.parametrize(
    ("last", "is_capped"), [(120 - MILLISECOND, False), (120, True), (120 + MILLISECOND, True)]
)
def test_the_message_that_reaches_the_duration_closes_at_once(last: float, is_capped: bool) -> None:
    talk = Talk()
    talk.say(1, 0, policy=SHORT)
    talk.say(2, 60, policy=SHORT)
    assert bool(talk.say(3, last, policy=SHORT)) is is_capped


def test_late_members_before_a_cap_join_without_a_new_one() -> None:
    talk = Talk()
    for number in (1, 2, 4):
        talk.say(number, number, policy=FEW)
    assert talk.say(3, 3, arrives=5, policy=FEW) == []
    seal = only(talk.tick(500))
    assert (seal.cause, seal.message_count, seal.revision) == (SealCause.LATE, 4, 2)


def test_a_bridge_that_would_pass_a_cap_joins_the_earlier_and_cuts_before_the_later() -> None:
    talk = Talk()
    talk.say(1, 0, policy=FEW)
    talk.say(2, 150, arrives=0, policy=FEW)
    talk.say(3, 151, arrives=0, policy=FEW)
    assert talk.say(4, 80, arrives=1, policy=FEW) == []
    talk.tick(1_000)
    assert [one.member_digest for one in talk.seals] == [digest(1, 4), digest(2, 3)]
    assert talk.seals[0].cut == Cut(at(80), event_id(4))
    assert talk.seals[0].cause is SealCause.IDLE


def test_a_bridge_that_reaches_a_cap_merges_and_closes() -> None:
    talk = Talk()
    talk.say(1, 0, policy=FEW)
    talk.say(2, 150, arrives=0, policy=FEW)
    seal = only(talk.say(3, 80, arrives=1, policy=FEW))
    assert (seal.cause, seal.member_digest) == (SealCause.CAP, digest(1, 2, 3))


# --- explicit ends ----------------------------------------------------------------------------


def call(number: int, seconds: float, talk: Talk, session_id: str = "s1") -> None:
    talk.say(number, seconds, session_id=session_id, policy=CALL)


def test_the_end_of_the_last_open_session_closes_a_call_a_grace_later() -> None:
    talk = Talk()
    talk.start("s1", 0)
    call(1, 1, talk)
    assert talk.end("s1", 20) == []
    assert talk.tick(30 - MILLISECOND) == []
    seal = only(talk.tick(30))
    assert (seal.cause, seal.cut) == (SealCause.ENDED, Cut(at(1), event_id(1)))


def test_the_end_of_a_chat_closes_nothing() -> None:
    talk = Talk()
    talk.say(1, 1, session_id="s1")
    talk.end("s1", 20)
    assert talk.tick(100) == []


def test_a_call_goes_on_while_another_session_is_open() -> None:
    talk = Talk()
    call(1, 1, talk, "s1")
    call(2, 2, talk, "s2")
    talk.end("s1", 10)
    assert talk.tick(30) == []
    talk.end("s2", 31)
    assert len(talk.tick(41)) == 1


def test_messages_of_the_ended_session_still_join_and_move_the_cut() -> None:
    talk = Talk()
    call(1, 1, talk)
    talk.end("s1", 2)
    talk.say(2, 1.5, arrives=3, session_id="s1", policy=CALL)
    talk.say(3, 4, arrives=5, session_id="s1", policy=CALL)
    seal = only(talk.tick(12))
    assert (seal.member_digest, seal.cut) == (digest(1, 2, 3), Cut(at(4), event_id(3)))


def test_messages_of_another_session_lie_after_the_cut() -> None:
    talk = Talk()
    call(1, 1, talk)
    talk.end("s1", 2)
    call(2, 3, talk, "s2")
    talk.say(3, 4, session_id="s1", policy=CALL)
    talk.tick(12)
    assert only(talk.decided).member_digest == digest(1)


def test_a_redial_is_a_new_segment() -> None:
    talk = Talk()
    talk.start("s1", 0)
    call(1, 1, talk, "s1")
    talk.end("s1", 2)
    talk.start("s2", 22)
    call(2, 23, talk, "s2")
    talk.end("s2", 30)
    talk.tick(100)
    assert [one.member_digest for one in talk.seals] == [digest(1), digest(2)]


def test_a_session_that_is_resumed_in_time_is_not_cut_in_two() -> None:
    talk = Talk()
    talk.start("s1", 0)
    call(1, 1, talk)
    talk.end("s1", 60)
    talk.start("s1", 65, generation=2)
    call(2, 66, talk)
    talk.end("s1", 70, generation=2)
    seal = only(talk.tick(200))
    assert (seal.member_digest, seal.cause) == (digest(1, 2), SealCause.ENDED)


def test_a_lifted_cut_joins_what_came_after_it() -> None:
    talk = Talk()
    talk.start("s1", 0)
    call(1, 1, talk)
    talk.end("s1", 5)
    call(2, 6, talk, "s2")
    talk.start("s1", 7, generation=2)
    talk.tick(1_000)
    assert only(talk.decided).member_digest == digest(1, 2)


def test_an_end_loses_to_a_later_generation() -> None:
    talk = Talk()
    talk.start("s1", 0)
    talk.start("s1", 1, generation=2)
    call(1, 2, talk)
    talk.end("s1", 3, generation=1)
    assert talk.tick(60) == []


def test_a_repeated_end_places_no_second_cut() -> None:
    talk = Talk()
    call(1, 1, talk)
    talk.end("s1", 2)
    talk.tick(20)
    talk.say(2, 21, session_id="s1", policy=CALL)
    talk.end("s1", 22)
    assert talk.tick(60) == []


def test_the_state_ended_closes_and_cuts_a_chat() -> None:
    talk = Talk()
    talk.say(1, 1, session_id="s1")
    talk.end_state(50, 2)
    seal = only(talk.tick(12))
    assert (seal.cause, seal.cut) == (SealCause.ENDED, Cut(at(1), event_id(1)))


def test_a_resumed_session_does_not_lift_the_cut_of_the_state_ended() -> None:
    talk = Talk()
    talk.start("s1", 0)
    talk.say(1, 1, session_id="s1")
    talk.end_state(50, 2)
    talk.start("s1", 3, generation=2)
    assert only(talk.tick(12)).cause is SealCause.ENDED


# --- sessions that nobody ended ---------------------------------------------------------------

HALF_HOUR = 1_800


def test_a_session_that_nobody_ended_settles_at_its_last_event() -> None:
    talk = Talk()
    talk.start("s1", 0)
    talk.say(1, 10, arrives=11, session_id="s1", policy=CALL)
    talk.tick(11 + HALF_HOUR - MILLISECOND)
    assert talk.settled == []
    talk.tick(11 + HALF_HOUR)
    [settled] = talk.settled
    assert (settled.session_id, settled.generation, settled.ended_at) == ("s1", 1, at(10))
    assert settled.reason == "idle"


def test_a_stub_settles_too_and_refreshes_keep_a_session_open() -> None:
    talk = Talk()
    talk.say(1, 0, session_id="stub")
    talk.start("open", 0)
    talk.start("open", 900, generation=2)
    talk.tick(HALF_HOUR + 1)
    assert [(one.session_id, one.generation) for one in talk.settled] == [("stub", 0)]


def test_a_settled_session_ends_its_call() -> None:
    talk = Talk()
    long = replace(CALL, idle_gap=timedelta(hours=2))
    talk.start("s1", 0)
    talk.say(1, 0, session_id="s1", policy=long)
    talk.tick(HALF_HOUR)
    talk.tick(HALF_HOUR + 10)
    assert [one.cause for one in talk.seals] == [SealCause.ENDED]


def test_settling_takes_effect_at_its_deadline_however_late_the_record_that_shows_it() -> None:
    talk = Talk()
    talk.start("s1", 0)
    talk.say(1, 0, session_id="s1", policy=replace(CALL, idle_gap=timedelta(hours=2)))
    talk.tick(HALF_HOUR + 600)
    assert [type(one).__name__ for one in talk.decided] == ["SessionSettled", "SegmentSealed"]


def test_a_later_generation_undoes_settling_and_an_end_outranks_it() -> None:
    talk = Talk()
    talk.start("s1", 0)
    talk.start("s2", 0)
    talk.tick(HALF_HOUR)
    talk.start("s1", HALF_HOUR + 1, generation=2)
    talk.end("s2", HALF_HOUR + 1)
    talk.tick(3 * HALF_HOUR)
    assert [(one.session_id, one.generation) for one in talk.settled] == [
        ("s1", 1),
        ("s2", 1),
        ("s1", 2),
    ]


def settled_call() -> Talk:
    """A call of one message whose session has settled, and ended it."""
    talk = Talk()
    talk.start("s1", 0, policy=CALL)
    talk.say(1, 1, session_id="s1", policy=CALL)
    talk.tick(1 + HALF_HOUR)
    return talk


def test_a_session_that_talks_again_after_settling_can_end_its_call() -> None:
    talk = settled_call()
    talk.say(2, 2_000, session_id="s1", policy=CALL)
    talk.end("s1", 2_005, policy=CALL)
    talk.start("s2", 2_006, policy=CALL)
    talk.say(3, 2_007, session_id="s2", policy=CALL)
    assert only(talk.tick(2_015)).member_digest == digest(2)


def test_a_session_that_talks_again_after_settling_settles_again() -> None:
    talk = settled_call()
    talk.say(2, 2_000, session_id="s1", policy=CALL)
    talk.tick(2_000 + HALF_HOUR)
    assert [one.ended_at for one in talk.settled] == [at(1), at(2_000)]


def test_a_session_that_talks_again_after_settling_is_open_beside_others() -> None:
    talk = settled_call()
    talk.say(2, 2_000, session_id="s1", policy=CALL)
    talk.start("s2", 2_001, policy=CALL)
    talk.end("s2", 2_002, policy=CALL)
    assert not talk.tick(2_015)


def test_an_explicit_end_after_settling_ends_what_was_said_since() -> None:
    talk = settled_call()
    talk.say(2, 2_000, policy=CALL)
    talk.end("s1", 2_001, policy=CALL)
    seal = only(talk.tick(2_011))
    assert (seal.cause, seal.member_digest) == (SealCause.ENDED, digest(2))


def test_a_later_generation_lifts_what_settling_cut_although_the_session_talked_since() -> None:
    talk = Talk()
    long = replace(CALL, idle_gap=timedelta(hours=2))
    talk.start("s1", 0, policy=long)
    talk.say(1, 0, session_id="s1", policy=long)
    talk.tick(HALF_HOUR)
    talk.say(2, HALF_HOUR + 1, session_id="s1", policy=long)
    talk.start("s1", HALF_HOUR + 2, generation=2, policy=long)
    assert not talk.tick(HALF_HOUR + 60)


def test_the_state_ended_after_the_end_of_a_session_is_lifted_by_nobody() -> None:
    talk = Talk()
    talk.start("s1", 0, policy=CALL)
    call(1, 1, talk)
    talk.end("s1", 5, policy=CALL)
    talk.end_state(50, 6)
    talk.start("s1", 7, generation=2, policy=CALL)
    call(2, 8, talk)
    seal = only(talk.tick(15))
    assert (seal.cause, seal.member_digest) == (SealCause.ENDED, digest(1, 2))


def test_a_window_closes_before_a_session_of_the_same_deadline_settles() -> None:
    talk = Talk()
    gap = timedelta(seconds=HALF_HOUR - 10)
    talk.say(1, 0, session_id="s1", policy=replace(CALL, idle_gap=gap))
    talk.tick(HALF_HOUR)
    assert [type(one).__name__ for one in talk.decided] == ["SegmentSealed", "SessionSettled"]
    assert talk.seals[0].cause is SealCause.IDLE
