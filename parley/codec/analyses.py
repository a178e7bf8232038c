"""Records of parley.analyses.v1 to ends of jobs and back."""

from typing import Final

from google.protobuf.message import DecodeError

from parley.analyses import JobEnded, JobEndKind, JobTrigger
from parley.codec.record import Header, InvalidRecord, enum_name, headers_for
from parley.codec.times import set_timestamp, to_datetime
from parley.codec.validity import check_json_object, check_uuid
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
)


def encode_job_ended(ended: JobEnded) -> bytes:
    """The record's value."""
    wire = analyses_pb2.Analysis()
    for name in _JOB:
        setattr(wire, name, getattr(ended, name))
    part = wire.job_ended
    for name in _SAME:
        setattr(part, name, getattr(ended, name))
    part.end = getattr(analyses_pb2, f"JOB_END_{ended.end.name}")
    part.trigger = getattr(analyses_pb2, f"JOB_TRIGGER_{ended.trigger.name}")
    set_timestamp(part.started_at, ended.started_at)
    set_timestamp(part.ended_at, ended.ended_at)
    return wire.SerializeToString(deterministic=True)


def decode_analysis(value: bytes | None) -> JobEnded:
    """The end of a job; raises InvalidRecord."""
    if value is None:
        raise InvalidRecord("no_value", "the record has no value")
    try:
        wire = analyses_pb2.Analysis.FromString(value)
    except DecodeError as error:
        raise InvalidRecord("protobuf", "the value is not an Analysis") from error
    if wire.WhichOneof("body") != "job_ended":
        raise InvalidRecord("body", "the analysis has no body that this release knows")
    return _job_ended(wire)


def _job_ended(wire: analyses_pb2.Analysis) -> JobEnded:
    part = wire.job_ended
    check_uuid("segment_id", wire.segment_id)
    check_json_object(part.output_json)
    end = enum_name("JOB_END_", analyses_pb2.JobEnd, part.end)
    trigger = enum_name("JOB_TRIGGER_", analyses_pb2.JobTrigger, part.trigger)
    return JobEnded(
        end=JobEndKind(end),
        trigger=JobTrigger(trigger),
        started_at=to_datetime(part.started_at),
        ended_at=to_datetime(part.ended_at),
        **{name: getattr(wire, name) for name in _JOB},
        **{name: getattr(part, name) for name in _SAME},
    )
