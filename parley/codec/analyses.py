"""Records of parley.analyses.v1 to what became of jobs and back."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final, assert_never

from google.protobuf.message import DecodeError

from parley.analyses import (
    Analysis,
    AttemptStarted,
    Charge,
    ChargeRecorded,
    JobEnded,
    JobEndKind,
    JobRef,
    JobReopened,
    JobTrigger,
    Lane,
)
from parley.codec.record import Header, InvalidRecord, enum_name, headers_for
from parley.codec.times import set_timestamp, to_datetime
from parley.codec.validity import check_ids, check_json_object, check_uuid
from parley.wire import analyses_pb2

ANALYSIS_HEADERS: Final[tuple[Header, ...]] = headers_for("parley.v1.Analysis")

_JOB: Final = (
    "tenant_id",
    "conversation_id",
    "segment_id",
    "revision",
    "pass_name",
    "pass_version",
    "fingerprint",
)
_SAME: Final = (
    "reason",
    "member_digest",
    "content_digest",
    "output_schema_version",
    "output_json",
    "attempt_count",
    "worker_id",
    "backfill_run_id",
    "model",
    "prompt_digest",
    "input_tokens",
    "output_tokens",
    "cost_micro_usd",
    "is_from_memo",
    "generation",
)
_MICROSECOND: Final = timedelta(microseconds=1)
# Far beyond what there is, and far below what a table's integer holds.
MAX_COUNT: Final = 2**30
MAX_MICRO_USD: Final = 2**53


def encode_analysis(told: Analysis) -> bytes:
    """The record's value."""
    wire = analyses_pb2.Analysis()
    for name in _JOB:
        setattr(wire, name, getattr(told.job, name))
    match told:
        case JobEnded():
            _write_end(wire.job_ended, told)
        case AttemptStarted():
            part = wire.attempt_started
            part.attempt, part.worker_id = told.attempt, told.worker_id
            part.failure_count, part.released_count = told.failure_count, told.released_count
            part.generation = told.generation
            set_timestamp(part.started_at, told.started_at)
        case ChargeRecorded():
            _write_charge(wire.charge_recorded, told.charge)
        case JobReopened():
            reopened = wire.job_reopened
            reopened.generation, reopened.reopened_by = told.generation, told.reopened_by
            reopened.attempt_count = told.attempt_count
            reopened.trigger = _trigger(told.trigger)
            set_timestamp(reopened.reopened_at, told.reopened_at)
        case _:
            assert_never(told)
    return wire.SerializeToString(deterministic=True)


def encode_job_ended(ended: JobEnded) -> bytes:
    """The record's value."""
    return encode_analysis(ended)


def _write_end(part: analyses_pb2.JobEnded, ended: JobEnded) -> None:
    for name in _SAME:
        setattr(part, name, getattr(ended, name))
    part.end = getattr(analyses_pb2, f"JOB_END_{ended.end.name}")
    part.trigger = _trigger(ended.trigger)
    part.latency_microseconds = ended.latency // _MICROSECOND
    for charge in ended.charges:
        _write_charge(part.charges.add(), charge)
    set_timestamp(part.started_at, ended.started_at)
    set_timestamp(part.ended_at, ended.ended_at)


def _write_charge(part: analyses_pb2.ChargeRecorded, charge: Charge) -> None:
    part.reservation_id, part.utc_day = charge.reservation_id, charge.utc_day.isoformat()
    part.estimated_micro_usd = charge.estimated_micro_usd
    if charge.actual_micro_usd is not None:
        part.actual_micro_usd = charge.actual_micro_usd
    part.lane = getattr(analyses_pb2, f"LANE_{charge.lane.name}")
    part.backfill_run_id = charge.backfill_run_id


def _trigger(trigger: JobTrigger) -> analyses_pb2.JobTrigger:
    made: analyses_pb2.JobTrigger = getattr(analyses_pb2, f"JOB_TRIGGER_{trigger.name}")
    return made


def decode_analysis(value: bytes | None) -> Analysis:
    """What the record says; raises InvalidRecord."""
    if value is None:
        raise InvalidRecord("no_value", "the record has no value")
    try:
        wire = analyses_pb2.Analysis.FromString(value)
    except DecodeError as error:
        raise InvalidRecord("protobuf", "the value is not an Analysis") from error
    read = _READERS.get(wire.WhichOneof("body") or "")
    if read is None:
        raise InvalidRecord("body", "the analysis has no body that this release knows")
    check_uuid("segment_id", wire.segment_id)
    job = JobRef(**{name: getattr(wire, name) for name in _JOB})
    check_ids(job.tenant_id, job.conversation_id, job.pass_name, job.fingerprint)
    return read(wire, job)


def _read_end(wire: analyses_pb2.Analysis, job: JobRef) -> JobEnded:
    part = wire.job_ended
    check_json_object(part.output_json)
    _check_texts(part.reason, part.worker_id, part.model)
    _check_counts(part.attempt_count)
    _check_run(part.backfill_run_id)
    end = enum_name("JOB_END_", analyses_pb2.JobEnd, part.end)
    return JobEnded(
        end=JobEndKind(end),
        trigger=_read_trigger(part.trigger),
        started_at=to_datetime(part.started_at),
        ended_at=to_datetime(part.ended_at),
        latency=_latency(part.latency_microseconds),
        charges=tuple(_read_charge(charge) for charge in part.charges),
        **{name: getattr(job, name) for name in _JOB},
        **{name: getattr(part, name) for name in _SAME},
    )


def _read_attempt(wire: analyses_pb2.Analysis, job: JobRef) -> AttemptStarted:
    part = wire.attempt_started
    _check_texts(part.worker_id)
    _check_counts(part.attempt, part.failure_count, part.released_count, part.generation)
    return AttemptStarted(
        job,
        part.attempt,
        part.failure_count,
        part.released_count,
        part.generation,
        part.worker_id,
        to_datetime(part.started_at),
    )


def _read_charge_record(wire: analyses_pb2.Analysis, job: JobRef) -> ChargeRecorded:
    return ChargeRecorded(job, _read_charge(wire.charge_recorded))


def _read_reopening(wire: analyses_pb2.Analysis, job: JobRef) -> JobReopened:
    part = wire.job_reopened
    _check_texts(part.reopened_by)
    _check_counts(part.generation, part.attempt_count)
    return JobReopened(
        job,
        part.generation,
        part.attempt_count,
        _read_trigger(part.trigger),
        part.reopened_by,
        to_datetime(part.reopened_at),
    )


_READERS: Final[dict[str, Callable[[analyses_pb2.Analysis, JobRef], Analysis]]] = {
    "job_ended": _read_end,
    "attempt_started": _read_attempt,
    "charge_recorded": _read_charge_record,
    "job_reopened": _read_reopening,
}


def _read_charge(part: analyses_pb2.ChargeRecorded) -> Charge:
    check_uuid("reservation_id", part.reservation_id)
    _check_run(part.backfill_run_id)
    actual = part.actual_micro_usd if part.HasField("actual_micro_usd") else None
    if not (0 <= part.estimated_micro_usd <= MAX_MICRO_USD and 0 <= (actual or 0) <= MAX_MICRO_USD):
        raise InvalidRecord("charge", "a charge is negative, or more money than there is")
    return Charge(
        part.reservation_id,
        _day(part.utc_day),
        Lane[enum_name("LANE_", analyses_pb2.Lane, part.lane).upper()],
        part.backfill_run_id,
        part.estimated_micro_usd,
        actual,
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidRecord("utc_day", "a budget's day is no date") from error


def _latency(microseconds: int) -> timedelta:
    try:
        return timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise InvalidRecord("time", "a latency is too long") from error


def _read_trigger(value: int) -> JobTrigger:
    return JobTrigger(enum_name("JOB_TRIGGER_", analyses_pb2.JobTrigger, value))


def _check_run(backfill_run_id: str) -> None:
    if backfill_run_id:
        check_uuid("backfill_run_id", backfill_run_id)


def _check_counts(*counts: int) -> None:
    # Tables add to them.
    if not all(0 <= one <= MAX_COUNT for one in counts):
        raise InvalidRecord("count", f"a count must be between 0 and {MAX_COUNT}")


def _check_texts(*texts: str) -> None:
    # PostgreSQL's text cannot hold it.
    if any("\0" in text for text in texts):
        raise InvalidRecord("nul", "a text holds a NUL character")
