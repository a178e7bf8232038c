"""The sealing rule, edge by edge: the gap, time, repeats, late data."""

from dataclasses import replace
from datetime import timedelta

import pytest

from parley import ids
from parley.events import Event, RuleActivated
from parley.seals import SealCause, SegmentRetracted
from services.sealer.core import PartitionSealer, UnknownRule
from tests.unit.sealer.samples import (
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


# --- the gap ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("later", "count"), [(100 - MILLISECOND, 2), (100, 2), (100 + MILLISECOND, 1)]
)
def test_a_message_up_to_exactly_one_gap_later_joins_the_segment(later: float, count: int) -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.say(2, later)
    talk.tick(1_000)
    assert talk.seals[0].message_count == count


@pytest.mark.parametrize(
    ("first", "count"), [(100 - MILLISECOND, 2), (100, 2), (100 + MILLISECOND, 1)]
)
def test_an_earlier_message_joins_by_its_own_gap(first: float, count: int) -> None:
    talk = Talk()
    talk.say(1, first, arrives=first)
    talk.say(2, 0, arrives=first)
    talk.tick(1_000)
    assert max(one.message_count for one in talk.seals) == count


def test_every_message_keeps_its_segment_open_for_its_own_gap() -> None:
    talk = Talk()
    talk.say(1, 0, policy=replace(CHAT, idle_gap=timedelta(seconds=300)))
    talk.say(2, 50)
    talk.say(3, 300)
    talk.tick(1_000)
    assert only(talk.decided).message_count == 3


def test_a_segment_closes_when_the_watermark_reaches_gap_and_grace() -> None:
    talk = Talk()
    talk.say(1, 0)
    assert talk.tick(110 - MILLISECOND) == []
    seal = only(talk.tick(110))
    assert (seal.cause, seal.revision, seal.previous_revision) == (SealCause.IDLE, 1, 0)
    assert seal.watermark == at(110)


def test_a_message_at_the_very_deadline_comes_after_the_close() -> None:
    talk = Talk()
    talk.say(1, 0)
    assert only(talk.say(2, 100, arrives=110)).message_count == 1


def test_a_segment_closes_a_grace_after_its_last_arrival_when_that_is_later() -> None:
    talk = Talk()
    talk.say(1, 0, arrives=500)
    assert talk.tick(509) == []
    assert only(talk.tick(510)).message_count == 1


def test_an_append_time_that_steps_back_moves_no_time_and_closes_nothing_twice() -> None:
    talk = Talk()
    talk.say(1, 0)
    assert len(talk.tick(110)) == 1
    assert talk.tick(50) == []
    assert talk.sealer.watermark == at(110)


def test_grace_caps_and_channel_come_from_the_earliest_member() -> None:
    talk = Talk()
    talk.say(1, 10, channel="late", policy=replace(CHAT, grace=timedelta(seconds=50)))
    talk.say(2, 0, arrives=10, channel="early", policy=replace(CHAT, policy_id="early", version=7))
    seal = only(talk.tick(120))
    assert (seal.channel, seal.policy_id, seal.policy_version) == ("early", "early", 7)


def test_a_seal_says_all_that_it_must() -> None:
    talk = Talk()
    talk.feed(None, 0)
    talk.say(2, 5, sender="bob", user_id="u2", channel="web")
    talk.say(1, 0, arrives=6, sender="ann", user_id="u1", channel="web")
    talk.say(3, 7, sender="ann", user_id="u1", channel="web")
    seal = only(talk.tick(200))
    assert (seal.tenant_id, seal.conversation_id) == ("acme", "c1")
    assert (seal.segment_id, seal.opening_event_id) == (segment_id(2), event_id(2))
    assert (seal.started_at, seal.first_event_id) == (at(0), event_id(1))
    assert (seal.ended_at, seal.last_event_id) == (at(7), event_id(3))
    assert (seal.first_offset, seal.last_offset, seal.decided_offset) == (1, 3, 3)
    assert (seal.participants, seal.user_ids) == (("ann", "bob"), ("u1", "u2"))
    assert (seal.incarnation, seal.partition, seal.rule_version) == ("topic-1", 0, 1)
    assert seal.member_digest == digest(1, 2, 3)
    assert (seal.cut, seal.retracted) == (None, ())


def test_two_tenants_with_the_same_ids_share_nothing() -> None:
    talk = Talk()
    talk.say(1, 0, tenant_id="acme")
    talk.say(1, 1, tenant_id="beta")
    talk.tick(500)
    assert [(one.tenant_id, one.message_count) for one in talk.seals] == [("acme", 1), ("beta", 1)]
    assert len({one.segment_id for one in talk.seals}) == 2


def test_what_is_due_closes_by_deadline_then_tenant_conversation_and_id() -> None:
    talk = Talk()
    talk.say(1, 1, conversation_id="a")
    talk.say(2, 0, arrives=1, conversation_id="z")
    talk.say(3, 0, arrives=1, conversation_id="b", tenant_id="beta")
    talk.say(4, 0, arrives=1, conversation_id="b")
    talk.tick(1_000)
    found = [(one.tenant_id, one.conversation_id) for one in talk.seals]
    assert found == [("acme", "b"), ("acme", "z"), ("beta", "b"), ("acme", "a")]


# --- clocks of clients ------------------------------------------------------------------------


def test_a_clock_far_ahead_keeps_only_its_own_conversation_open() -> None:
    talk = Talk()
    talk.say(1, 7_200, arrives=0, conversation_id="skewed")
    talk.say(2, 0)
    assert [one.conversation_id for one in talk.seals] == []
    talk.tick(111)
    assert [one.conversation_id for one in talk.seals] == ["c1"]


def test_old_messages_close_a_grace_after_they_arrive_and_nobody_else_is_sealed() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.say(2, -34_560_000, arrives=1, conversation_id="old")
    talk.tick(11)
    assert [one.conversation_id for one in talk.seals] == ["old"]


# --- repeats ----------------------------------------------------------------------------------


def test_a_repeated_message_changes_nothing_and_keeps_nothing_open() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.say(1, 90)
    seal = only(talk.tick(110))
    assert (seal.message_count, seal.last_offset) == (1, 0)
    assert talk.say(1, 90, arrives=120) == []
    assert talk.tick(1_000) == []


def test_a_late_message_that_is_repeated_is_waited_for_once() -> None:
    talk = Talk()
    talk.say(1, 0, arrives=500)
    talk.say(1, 0, arrives=505)
    assert talk.tick(510 - MILLISECOND) == []
    assert only(talk.tick(510)).message_count == 1


def test_a_repeated_command_changes_nothing() -> None:
    talk = Talk()
    talk.say(1, 0)
    assert len(talk.force(50, 1)) == 1
    talk.say(2, 2)
    assert talk.force(50, 3) == []


# --- late data --------------------------------------------------------------------------------


def test_a_late_message_within_a_sealed_segment_makes_its_next_revision() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.say(3, 20)
    talk.tick(200)
    talk.say(2, 10, arrives=300)
    assert talk.tick(310 - MILLISECOND) == []
    seal = only(talk.tick(310))
    assert (seal.segment_id, seal.revision, seal.previous_revision) == (segment_id(1), 2, 1)
    assert (seal.cause, seal.member_digest) == (SealCause.LATE, digest(1, 2, 3))


@pytest.mark.parametrize("seconds", [-100, 100])
def test_a_late_message_exactly_one_gap_off_either_end_joins(seconds: float) -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.tick(200)
    talk.say(2, seconds, arrives=300)
    assert only(talk.tick(400)).segment_id == segment_id(1)


@pytest.mark.parametrize("seconds", [-100 - MILLISECOND, 100 + MILLISECOND])
def test_a_late_message_more_than_one_gap_off_is_a_segment_of_its_own(seconds: float) -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.tick(200)
    talk.say(2, seconds, arrives=300)
    assert only(talk.tick(400)).segment_id == segment_id(2)


def test_lateness_has_no_limit() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.tick(200)
    talk.say(2, 1, arrives=90_000_000)
    assert only(talk.tick(90_000_010)).revision == 2


def test_a_bridge_continues_the_earlier_segment_and_retracts_the_later_in_one_record() -> None:
    talk = Talk()
    talk.say(1, 150)
    talk.say(2, 0, arrives=150)
    talk.tick(500)
    assert len(talk.seals) == 2
    assert talk.say(3, 80, arrives=600) == []
    seal = only(talk.tick(610))
    assert (seal.segment_id, seal.revision, seal.cause) == (segment_id(2), 2, SealCause.LATE)
    assert seal.retracted == (SegmentRetracted(segment_id(1), 2, segment_id(2)),)
    assert seal.member_digest == digest(1, 2, 3)


def test_a_bridge_between_open_windows_retracts_nothing() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.say(2, 150, arrives=10)
    talk.say(3, 80, arrives=20)
    talk.tick(1_000)
    seal = only(talk.decided)
    assert (seal.message_count, seal.retracted, seal.cause) == (3, (), SealCause.IDLE)


def test_a_bridge_of_an_open_window_to_a_sealed_one_is_late() -> None:
    talk = Talk()
    talk.say(1, 150, arrives=0)
    talk.tick(300)
    talk.say(2, 0, arrives=400)
    talk.say(3, 80, arrives=401)
    seal = only(talk.tick(500))
    assert (seal.segment_id, seal.revision, seal.previous_revision) == (segment_id(2), 1, 0)
    assert seal.cause is SealCause.LATE
    assert [one.segment_id for one in seal.retracted] == [segment_id(1)]


def test_a_message_may_bridge_more_than_two() -> None:
    talk = Talk()
    for number, seconds in ((1, 0), (2, 150), (3, 300)):
        talk.say(number, seconds, arrives=300)
    talk.say(4, 50, arrives=301, policy=replace(CHAT, idle_gap=timedelta(seconds=300)))
    talk.tick(1_000)
    assert only(talk.decided).member_digest == digest(1, 2, 3, 4)


def test_a_segment_that_is_merged_twice_is_retracted_once() -> None:
    talk = Talk()
    for number, seconds in ((1, 0), (2, 150), (3, 300)):
        talk.say(number, seconds, arrives=300)
    talk.tick(500)
    talk.say(4, 225, arrives=600)
    talk.say(5, 75, arrives=601)
    seal = only(talk.tick(700))
    assert seal.segment_id == segment_id(1)
    assert {one.segment_id for one in seal.retracted} == {segment_id(2), segment_id(3)}


def test_a_retracted_segment_that_comes_back_goes_on_counting() -> None:
    talk = Talk()
    talk.say(1, 150)
    talk.say(2, 0, arrives=150)
    talk.tick(500)
    talk.say(3, 80, arrives=600)
    talk.tick(700)
    talk.reject(1, 0, 800)
    talk.tick(900)
    talk.say(1, 5_000, arrives=1_000)
    seal = only(talk.tick(6_000))
    assert (seal.segment_id, seal.revision, seal.previous_revision) == (segment_id(1), 3, 0)


# --- time without records ---------------------------------------------------------------------


def test_the_next_deadline_is_that_of_the_window_that_closes_first() -> None:
    talk = Talk()
    assert talk.sealer.next_deadline() is None
    talk.say(1, 0)
    talk.say(2, 50)
    assert talk.sealer.next_deadline() == at(160)
    talk.tick(160)
    assert talk.sealer.next_deadline() is None


def test_an_invalid_record_moves_time_and_nothing_else() -> None:
    talk = Talk()
    talk.say(1, 0)
    assert only(talk.feed(None, 110)).message_count == 1


def test_a_rule_that_is_not_known_stops_the_partition() -> None:
    talk = Talk()
    talk.feed(Event(event_id(1), RuleActivated(1, 1), at(0), at(0)), 0)
    with pytest.raises(UnknownRule):
        talk.feed(Event(event_id(2), RuleActivated(2, 1), at(0), at(0)), 0)


def test_a_restored_sealer_goes_on_where_it_was() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.say(2, 5, session_id="s1")
    snapshot = talk.sealer.snapshot()
    other = PartitionSealer.restore("topic-1", 0, snapshot)
    assert other.snapshot() == snapshot
    assert other.next_deadline() == talk.sealer.next_deadline()
    assert other.open_windows == 1
