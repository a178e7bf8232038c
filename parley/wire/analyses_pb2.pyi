import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Lane(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LANE_UNSPECIFIED: _ClassVar[Lane]
    LANE_LIVE: _ClassVar[Lane]
    LANE_BACKFILL: _ClassVar[Lane]

class JobEnd(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_END_UNSPECIFIED: _ClassVar[JobEnd]
    JOB_END_VERDICT: _ClassVar[JobEnd]
    JOB_END_FAILED: _ClassVar[JobEnd]
    JOB_END_SUPERSEDED: _ClassVar[JobEnd]
    JOB_END_SKIPPED: _ClassVar[JobEnd]
    JOB_END_CANCELLED: _ClassVar[JobEnd]

class JobTrigger(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_TRIGGER_UNSPECIFIED: _ClassVar[JobTrigger]
    JOB_TRIGGER_SEAL: _ClassVar[JobTrigger]
    JOB_TRIGGER_BACKFILL: _ClassVar[JobTrigger]
    JOB_TRIGGER_REDRIVE: _ClassVar[JobTrigger]
LANE_UNSPECIFIED: Lane
LANE_LIVE: Lane
LANE_BACKFILL: Lane
JOB_END_UNSPECIFIED: JobEnd
JOB_END_VERDICT: JobEnd
JOB_END_FAILED: JobEnd
JOB_END_SUPERSEDED: JobEnd
JOB_END_SKIPPED: JobEnd
JOB_END_CANCELLED: JobEnd
JOB_TRIGGER_UNSPECIFIED: JobTrigger
JOB_TRIGGER_SEAL: JobTrigger
JOB_TRIGGER_BACKFILL: JobTrigger
JOB_TRIGGER_REDRIVE: JobTrigger

class Analysis(_message.Message):
    __slots__ = ("tenant_id", "conversation_id", "segment_id", "revision", "pass_name", "pass_version", "fingerprint", "job_ended", "attempt_started", "charge_recorded", "job_reopened")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PASS_NAME_FIELD_NUMBER: _ClassVar[int]
    PASS_VERSION_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    JOB_ENDED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_STARTED_FIELD_NUMBER: _ClassVar[int]
    CHARGE_RECORDED_FIELD_NUMBER: _ClassVar[int]
    JOB_REOPENED_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    conversation_id: str
    segment_id: str
    revision: int
    pass_name: str
    pass_version: int
    fingerprint: str
    job_ended: JobEnded
    attempt_started: AttemptStarted
    charge_recorded: ChargeRecorded
    job_reopened: JobReopened
    def __init__(self, tenant_id: _Optional[str] = ..., conversation_id: _Optional[str] = ..., segment_id: _Optional[str] = ..., revision: _Optional[int] = ..., pass_name: _Optional[str] = ..., pass_version: _Optional[int] = ..., fingerprint: _Optional[str] = ..., job_ended: _Optional[_Union[JobEnded, _Mapping]] = ..., attempt_started: _Optional[_Union[AttemptStarted, _Mapping]] = ..., charge_recorded: _Optional[_Union[ChargeRecorded, _Mapping]] = ..., job_reopened: _Optional[_Union[JobReopened, _Mapping]] = ...) -> None: ...

class JobEnded(_message.Message):
    __slots__ = ("end", "reason", "member_digest", "content_digest", "output_schema_version", "output_json", "trigger", "backfill_run_id", "attempt_count", "model", "prompt_digest", "input_tokens", "output_tokens", "charges", "started_at", "ended_at", "worker_id", "latency_microseconds", "is_from_memo", "generation", "cost_micro_usd")
    END_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MEMBER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CONTENT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    BACKFILL_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CHARGES_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MICROSECONDS_FIELD_NUMBER: _ClassVar[int]
    IS_FROM_MEMO_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    COST_MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    end: JobEnd
    reason: str
    member_digest: bytes
    content_digest: bytes
    output_schema_version: int
    output_json: str
    trigger: JobTrigger
    backfill_run_id: str
    attempt_count: int
    model: str
    prompt_digest: bytes
    input_tokens: int
    output_tokens: int
    charges: _containers.RepeatedCompositeFieldContainer[ChargeRecorded]
    started_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    worker_id: str
    latency_microseconds: int
    is_from_memo: bool
    generation: int
    cost_micro_usd: int
    def __init__(self, end: _Optional[_Union[JobEnd, str]] = ..., reason: _Optional[str] = ..., member_digest: _Optional[bytes] = ..., content_digest: _Optional[bytes] = ..., output_schema_version: _Optional[int] = ..., output_json: _Optional[str] = ..., trigger: _Optional[_Union[JobTrigger, str]] = ..., backfill_run_id: _Optional[str] = ..., attempt_count: _Optional[int] = ..., model: _Optional[str] = ..., prompt_digest: _Optional[bytes] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., charges: _Optional[_Iterable[_Union[ChargeRecorded, _Mapping]]] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., worker_id: _Optional[str] = ..., latency_microseconds: _Optional[int] = ..., is_from_memo: _Optional[bool] = ..., generation: _Optional[int] = ..., cost_micro_usd: _Optional[int] = ...) -> None: ...

class JobReopened(_message.Message):
    __slots__ = ("generation", "trigger", "reopened_by", "reopened_at", "attempt_count")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    REOPENED_BY_FIELD_NUMBER: _ClassVar[int]
    REOPENED_AT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    generation: int
    trigger: JobTrigger
    reopened_by: str
    reopened_at: _timestamp_pb2.Timestamp
    attempt_count: int
    def __init__(self, generation: _Optional[int] = ..., trigger: _Optional[_Union[JobTrigger, str]] = ..., reopened_by: _Optional[str] = ..., reopened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempt_count: _Optional[int] = ...) -> None: ...

class AttemptStarted(_message.Message):
    __slots__ = ("attempt", "worker_id", "started_at", "failure_count", "generation", "released_count")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RELEASED_COUNT_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    worker_id: str
    started_at: _timestamp_pb2.Timestamp
    failure_count: int
    generation: int
    released_count: int
    def __init__(self, attempt: _Optional[int] = ..., worker_id: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failure_count: _Optional[int] = ..., generation: _Optional[int] = ..., released_count: _Optional[int] = ...) -> None: ...

class ChargeRecorded(_message.Message):
    __slots__ = ("reservation_id", "utc_day", "estimated_micro_usd", "actual_micro_usd", "lane", "backfill_run_id")
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    UTC_DAY_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    BACKFILL_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    utc_day: str
    estimated_micro_usd: int
    actual_micro_usd: int
    lane: Lane
    backfill_run_id: str
    def __init__(self, reservation_id: _Optional[str] = ..., utc_day: _Optional[str] = ..., estimated_micro_usd: _Optional[int] = ..., actual_micro_usd: _Optional[int] = ..., lane: _Optional[_Union[Lane, str]] = ..., backfill_run_id: _Optional[str] = ...) -> None: ...
