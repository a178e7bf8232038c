"""What changes a segment without a new message: revisions, and records that a table refused."""

import pytest

from parley.seals import SealCause
from services.sealer.core import PartitionSealer
from tests.unit.sealer.samples import Talk, digest, event_id, only

# --- revisions of messages --------------------------------------------------------------------


def test_a_revised_message_makes_a_new_revision_of_its_segment() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.tick(200)
    talk.revise(7, 1, 5, arrives=300)
    seal = only(talk.tick(310))
    assert (seal.revision, seal.cause) == (2, SealCause.LATE)
    assert seal.member_digest == digest(1, versions={1: 7})
    assert seal.message_count == 1


def test_of_several_revisions_the_greatest_time_and_id_counts() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.revise(7, 1, 5, arrives=5)
    talk.revise(8, 1, 5, arrives=6)
    talk.revise(9, 1, 4, arrives=7)
    assert only(talk.tick(200)).member_digest == digest(1, versions={1: 8})


def test_a_revision_that_loses_or_is_repeated_seals_nothing_anew() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.revise(7, 1, 5, arrives=5)
    talk.tick(200)
    talk.revise(6, 1, 4, arrives=300)
    talk.revise(7, 1, 9, arrives=301)
    assert talk.tick(1_000) == []


def test_a_revision_that_comes_before_its_message_waits_for_it() -> None:
    talk = Talk()
    talk.revise(7, 1, 5, arrives=0)
    talk.say(1, 0, arrives=1)
    assert only(talk.tick(200)).member_digest == digest(1, versions={1: 7})


# --- refused records --------------------------------------------------------------------------


def test_a_refused_message_leaves_its_segment() -> None:
    talk = Talk()
    for number in (1, 2, 3):
        talk.say(number, number)
    talk.tick(200)
    talk.reject(3, 2, 300)
    seal = only(talk.tick(310))
    assert (seal.revision, seal.message_count) == (2, 2)
    assert (seal.member_digest, seal.last_event_id) == (digest(1, 2), event_id(2))


def test_a_refused_copy_of_a_known_message_drops_nothing() -> None:
    talk = Talk()
    talk.say(1, 1)
    talk.say(1, 1, arrives=2)
    talk.reject(1, 1, 3)
    assert only(talk.tick(200)).message_count == 1


def test_a_refused_revision_gives_way_to_the_one_before() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.revise(7, 1, 5, arrives=5)
    talk.revise(8, 1, 6, arrives=6)
    talk.reject(8, 2, 7)
    assert only(talk.tick(200)).member_digest == digest(1, versions={1: 7})


@pytest.mark.parametrize(("second", "refused_offset", "counts"), [(8, 0, 8), (7, 1, 7)])
def test_a_refused_revision_that_waits_for_its_message_is_dropped(
    second: int, refused_offset: int, counts: int
) -> None:
    """One that came first, and a copy of it, which drops nothing."""
    talk = Talk()
    talk.revise(7, 1, 5, arrives=0)
    talk.revise(second, 1, 4, arrives=1)
    talk.reject(7, refused_offset, 2)
    talk.say(1, 3)
    assert only(talk.tick(200)).member_digest == digest(1, versions={1: counts})


def test_a_segment_without_messages_is_sealed_as_such() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.tick(200)
    talk.reject(1, 0, 300)
    seal = only(talk.tick(310))
    assert (seal.revision, seal.message_count, seal.member_digest) == (2, 0, digest())


def test_the_next_message_of_a_segment_without_messages_is_its_first() -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.reject(1, 0, 1)
    talk.say(2, 10)
    seal = only(talk.tick(200))
    assert (seal.first_event_id, seal.last_event_id) == (event_id(2), event_id(2))


@pytest.mark.parametrize("is_restored", [False, True])
def test_an_id_that_is_still_to_be_retracted_is_not_given_anew(is_restored: bool) -> None:
    talk = Talk()
    talk.say(1, 0)
    talk.say(2, 150, arrives=150)
    talk.tick(500)
    talk.reject(2, 1, 510)
    talk.say(3, 80, arrives=515)
    if is_restored:
        talk.sealer = PartitionSealer.restore("topic-1", 0, talk.sealer.snapshot())
    # Until the bridge closes, its message's segment is neither there nor retracted.
    talk.say(2, 1_000, arrives=516)
    bridge = only(talk.tick(600))
    [retracted] = bridge.retracted
    anew = only(talk.tick(2_000))
    assert retracted.segment_id == talk.seals[1].segment_id != anew.segment_id
    assert (anew.opening_event_id, anew.revision) == (event_id(2), 1)
