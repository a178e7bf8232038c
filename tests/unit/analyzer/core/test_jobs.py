"""Which jobs a seal makes and ends, and when a text is what was sealed."""

from datetime import timedelta

from parley.analyses import JobTrigger
from parley.events import Role
from parley.ids import derived_id
from parley.passes.applied import AppliedPass
from parley.seals import SealCause, SegmentRetracted, SegmentSealed
from services.analyzer.core.jobs import Stale, jobs_of, segment_of, stale_after, text_of
from services.analyzer.passes import SHIPPED
from tests.unit.analyzer.samples import NOON, SEGMENT_ID, at, segment, spoken, user

OTHER_ID = derived_id("other")


def sealed(revision: int = 1, retracted: tuple[SegmentRetracted, ...] = ()) -> SegmentSealed:
    return SegmentSealed(
        tenant_id="acme",
        conversation_id="c",
        segment_id=SEGMENT_ID,
        revision=revision,
        previous_revision=revision - 1,
        cause=SealCause.IDLE,
        started_at=NOON,
        ended_at=at(60),
        first_event_id=derived_id("first"),
        last_event_id=derived_id("last"),
        message_count=2,
        member_digest=b"digest",
        first_offset=3,
        last_offset=9,
        incarnation="abc",
        partition=2,
        decided_offset=41,
        watermark=NOON + timedelta(hours=2),
        policy_id="default",
        policy_version=1,
        rule_version=1,
        opening_event_id=derived_id("first"),
        channel="voice",
        participants=("me",),
        user_ids=(),
        retracted=retracted,
    )


def test_a_seal_makes_one_job_for_each_pass() -> None:
    made = segment_of(sealed(), 3, at(100))
    jobs = jobs_of(made, [AppliedPass(one.definition, one.definition.name) for one in SHIPPED])
    assert [(job.pass_name, job.fingerprint) for job in jobs] == [
        (one.definition.name, one.definition.name) for one in SHIPPED
    ]
    assert {job.trigger for job in jobs} == {JobTrigger.SEAL}
    assert {job.segment for job in jobs} == {made}


def test_a_segment_knows_its_place_in_both_topics() -> None:
    made = segment_of(sealed(), 3, at(100))
    assert (made.source_partition, made.sealed_at) == (3, at(100))
    assert (made.incarnation, made.events_partition, made.decided_offset) == ("abc", 2, 41)


def test_a_first_revision_makes_nothing_stale() -> None:
    assert stale_after(sealed()) == []


def test_a_later_revision_makes_the_earlier_ones_stale() -> None:
    assert stale_after(sealed(3)) == [Stale("acme", SEGMENT_ID, 3, "newer_revision")]


def test_a_retraction_makes_its_revision_stale_and_no_later_one() -> None:
    retracted = (SegmentRetracted(OTHER_ID, 4, SEGMENT_ID),)
    assert stale_after(sealed(1, retracted)) == [Stale("acme", OTHER_ID, 5, "retracted")]


def test_the_members_that_were_sealed_are_the_text_in_order() -> None:
    first, second = user(0, "a"), user(1, "b")
    found = text_of(segment([first, second]), [second, first])
    assert found is not None
    assert found.messages == (first, second)


def test_a_missing_a_further_and_a_revised_member_are_another_text() -> None:
    first, second = user(0, "a"), user(1, "b")
    whole = segment([first, second])
    assert text_of(whole, [first]) is None
    assert text_of(whole, [first, second, user(2, "c")]) is None
    assert text_of(whole, [first, spoken(1, Role.USER, "b", derived_id("revision"))]) is None
