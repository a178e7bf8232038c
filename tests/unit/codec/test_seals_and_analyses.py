"""Seals and ends of jobs survive the wire, byte for byte the same each time."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.analyses import (
    Analysis,
    AttemptStarted,
    Charge,
    ChargeRecorded,
    JobEnded,
    JobEndKind,
    JobReopened,
    JobTrigger,
    Lane,
)
from parley.codec import (
    InvalidRecord,
    decode_analysis,
    decode_seal,
    encode_analysis,
    encode_seal,
)
from parley.events import EndReason
from parley.seals import Cut, SealCause, SegmentRetracted, SegmentSealed, SessionSettled
from tests.unit.codec.samples import EVENT_ID, NOON, OTHER_ID

SEALED = SegmentSealed(
    tenant_id="acme",
    conversation_id="c",
    segment_id=EVENT_ID,
    revision=2,
    previous_revision=1,
    cause=SealCause.LATE,
    started_at=NOON,
    ended_at=NOON + timedelta(microseconds=5),
    first_event_id=EVENT_ID,
    last_event_id=OTHER_ID,
    message_count=2,
    member_digest=b"\x00\xff" * 16,
    first_offset=0,
    last_offset=9,
    incarnation="abc",
    partition=3,
    decided_offset=12,
    watermark=NOON,
    policy_id="default",
    policy_version=1,
    rule_version=1,
    opening_event_id=EVENT_ID,
    channel="voice",
    participants=("a", "b"),
    user_ids=("u",),
    cut=Cut(NOON, OTHER_ID),
    retracted=(SegmentRetracted(OTHER_ID, 1, EVENT_ID),),
    idle_gap=timedelta(minutes=90),
)
SETTLED = SessionSettled(
    "acme", "c", "s", 2, EndReason.IDLE, NOON, "abc", 3, 12, NOON + timedelta(minutes=30)
)
ENDED = JobEnded(
    tenant_id="acme",
    conversation_id="c",
    segment_id=EVENT_ID,
    revision=1,
    pass_name="sentiment",
    pass_version=1,
    fingerprint="f",
    end=JobEndKind.VERDICT,
    reason="",
    member_digest=b"m",
    content_digest=b"c",
    output_schema_version=1,
    output_json='{"a":1}',
    trigger=JobTrigger.SEAL,
    attempt_count=1,
    started_at=NOON,
    ended_at=NOON + timedelta(seconds=1),
    worker_id="w",
)


@pytest.mark.parametrize("seal", [SEALED, SETTLED], ids=["segment", "session"])
def test_seals_survive_the_wire(seal: SegmentSealed | SessionSettled) -> None:
    assert decode_seal(encode_seal(seal)) == seal


CHARGE = Charge(EVENT_ID, date(2026, 3, 1), Lane.BACKFILL, OTHER_ID, 100)
PAID = replace(
    ENDED,
    backfill_run_id=OTHER_ID,
    model="m",
    prompt_digest=b"p",
    input_tokens=11,
    output_tokens=7,
    cost_micro_usd=40,
    charges=(replace(CHARGE, actual_micro_usd=40), replace(CHARGE, lane=Lane.LIVE)),
    latency=timedelta(milliseconds=1_234),
    is_from_memo=True,
    generation=3,
)


@pytest.mark.parametrize(
    "told",
    [
        ENDED,
        PAID,
        AttemptStarted(ENDED.job, 4, 1, 2, 3, "w", NOON),
        ChargeRecorded(ENDED.job, CHARGE),
        ChargeRecorded(ENDED.job, replace(CHARGE, actual_micro_usd=0, backfill_run_id="")),
        JobReopened(ENDED.job, 1, 4, JobTrigger.REDRIVE, "ada", NOON),
    ],
    ids=["end", "paid", "attempt", "charge", "settled", "reopened"],
)
def test_what_becomes_of_a_job_survives_the_wire(told: Analysis) -> None:
    assert decode_analysis(encode_analysis(told)) == told


@pytest.mark.parametrize(
    ("charge", "reason"),
    [
        (replace(CHARGE, reservation_id="r"), "event_id"),
        (replace(CHARGE, backfill_run_id="r"), "event_id"),
        (replace(CHARGE, estimated_micro_usd=-1), "charge"),
        (replace(CHARGE, actual_micro_usd=-1), "charge"),
        (replace(CHARGE, estimated_micro_usd=2**62), "charge"),
    ],
)
def test_a_charge_that_no_table_can_hold_is_refused(charge: Charge, reason: str) -> None:
    with pytest.raises(InvalidRecord) as refusal:
        decode_analysis(encode_analysis(ChargeRecorded(ENDED.job, charge)))
    assert refusal.value.reason == reason


@pytest.mark.parametrize(
    "told",
    [
        AttemptStarted(ENDED.job, 2**31 - 1, 0, 0, 0, "w", NOON),
        AttemptStarted(ENDED.job, 1, -1, 0, 0, "w", NOON),
        JobReopened(ENDED.job, 2**31 - 1, 4, JobTrigger.REDRIVE, "ada", NOON),
        replace(ENDED, attempt_count=2**31 - 1),
    ],
    ids=["attempt", "negative", "generation", "end"],
)
def test_a_count_to_which_no_table_can_add_is_refused(told: Analysis) -> None:
    with pytest.raises(InvalidRecord) as refusal:
        decode_analysis(encode_analysis(told))
    assert refusal.value.reason == "count"


@pytest.mark.parametrize("name", ["tenant_id", "conversation_id", "pass_name"])
def test_a_name_that_is_too_long_for_an_index_is_refused(name: str) -> None:
    changed: Any = {name: "x" * 3_000}
    with pytest.raises(InvalidRecord, match="id_too_long"):
        decode_analysis(encode_analysis(replace(ENDED, **changed)))


def test_a_name_with_a_nul_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="nul"):
        decode_analysis(encode_analysis(replace(ENDED, pass_name="a\0b")))


@given(st.one_of(st.none(), st.binary(max_size=200)))
def test_random_bytes_never_raise_anything_else(value: bytes | None) -> None:
    for decode in (decode_seal, decode_analysis):
        try:
            decode(value)
        except InvalidRecord as error:
            assert error.reason
