"""Two seals of one revision differ in exactly the facts that differ."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from parley.rebuilding.seal_facts import POSITIONS, facts_of
from parley.seals import Cut, SealCause, SegmentRetracted, SegmentSealed
from tests.unit.codec.test_seals_and_analyses import SEALED, SETTLED

# What a seal is looked up by; and the place, which says itself whether others are comparable.
KEYS = {"tenant_id", "conversation_id", "segment_id", "revision", "incarnation", "partition"}
# A segment that was open when its topic was copied has those of both copies.
LEFT_OUT = {"first_offset", "last_offset"}


def differing(one: SegmentSealed, other: SegmentSealed) -> set[str]:
    mine, theirs = facts_of(one), facts_of(other)
    return {name for name in mine if mine[name] != theirs[name]}


def test_every_field_of_a_segment_is_a_fact_or_part_of_its_key() -> None:
    assert {one.name for one in fields(SegmentSealed)} == KEYS | LEFT_OUT | facts_of(SEALED).keys()


def test_what_was_bent_is_named_alone() -> None:
    bent: dict[str, Any] = {
        "member_digest": b"x" * 32,
        "cause": SealCause.CAP,
        "started_at": SEALED.started_at - timedelta(microseconds=1),
        "message_count": 3,
        "participants": ("a", "c"),
        "cut": Cut(SEALED.ended_at, SEALED.last_event_id),
        "retracted": (*SEALED.retracted, SegmentRetracted("g", 1, SEALED.segment_id)),
        "decided_offset": 13,
    }
    for name, value in bent.items():
        assert differing(SEALED, replace(SEALED, **{name: value})) == {name}


def test_facts_stay_short_however_many_took_part() -> None:
    many = replace(SEALED, participants=tuple(f"somebody {n}" for n in range(128)))
    assert max(len(text) for text in facts_of(many).values()) <= 64
    assert differing(many, replace(many, participants=many.participants[:-1])) == {"participants"}


def test_places_are_facts_of_segments_and_not_of_sessions() -> None:
    assert set(POSITIONS) < facts_of(SEALED).keys()
    assert set(POSITIONS).isdisjoint(facts_of(SETTLED))
