import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from parley.wire import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SealCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEAL_CAUSE_UNSPECIFIED: _ClassVar[SealCause]
    SEAL_CAUSE_IDLE: _ClassVar[SealCause]
    SEAL_CAUSE_ENDED: _ClassVar[SealCause]
    SEAL_CAUSE_FORCED: _ClassVar[SealCause]
    SEAL_CAUSE_CAP: _ClassVar[SealCause]
    SEAL_CAUSE_LATE: _ClassVar[SealCause]
    SEAL_CAUSE_IMPORT: _ClassVar[SealCause]
SEAL_CAUSE_UNSPECIFIED: SealCause
SEAL_CAUSE_IDLE: SealCause
SEAL_CAUSE_ENDED: SealCause
SEAL_CAUSE_FORCED: SealCause
SEAL_CAUSE_CAP: SealCause
SEAL_CAUSE_LATE: SealCause
SEAL_CAUSE_IMPORT: SealCause

class Seal(_message.Message):
    __slots__ = ("tenant_id", "conversation_id", "segment_sealed", "session_settled")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_SEALED_FIELD_NUMBER: _ClassVar[int]
    SESSION_SETTLED_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    conversation_id: str
    segment_sealed: SegmentSealed
    session_settled: SessionSettled
    def __init__(self, tenant_id: _Optional[str] = ..., conversation_id: _Optional[str] = ..., segment_sealed: _Optional[_Union[SegmentSealed, _Mapping]] = ..., session_settled: _Optional[_Union[SessionSettled, _Mapping]] = ...) -> None: ...

class SegmentSealed(_message.Message):
    __slots__ = ("segment_id", "revision", "previous_revision", "cause", "started_at", "ended_at", "first_event_id", "last_event_id", "message_count", "member_digest", "first_offset", "last_offset", "incarnation", "partition", "decided_offset", "watermark", "policy_id", "policy_version", "rule_version", "opening_event_id", "channel", "participants", "user_ids", "cut", "retracted", "participant_count", "user_count", "idle_gap")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_REVISION_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    FIRST_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEMBER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FIRST_OFFSET_FIELD_NUMBER: _ClassVar[int]
    LAST_OFFSET_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    DECIDED_OFFSET_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    RULE_VERSION_FIELD_NUMBER: _ClassVar[int]
    OPENING_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    RETRACTED_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANT_COUNT_FIELD_NUMBER: _ClassVar[int]
    USER_COUNT_FIELD_NUMBER: _ClassVar[int]
    IDLE_GAP_FIELD_NUMBER: _ClassVar[int]
    segment_id: str
    revision: int
    previous_revision: int
    cause: SealCause
    started_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    first_event_id: str
    last_event_id: str
    message_count: int
    member_digest: bytes
    first_offset: int
    last_offset: int
    incarnation: str
    partition: int
    decided_offset: int
    watermark: _timestamp_pb2.Timestamp
    policy_id: str
    policy_version: int
    rule_version: int
    opening_event_id: str
    channel: str
    participants: _containers.RepeatedScalarFieldContainer[str]
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    cut: Cut
    retracted: _containers.RepeatedCompositeFieldContainer[SegmentRetracted]
    participant_count: int
    user_count: int
    idle_gap: _duration_pb2.Duration
    def __init__(self, segment_id: _Optional[str] = ..., revision: _Optional[int] = ..., previous_revision: _Optional[int] = ..., cause: _Optional[_Union[SealCause, str]] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., first_event_id: _Optional[str] = ..., last_event_id: _Optional[str] = ..., message_count: _Optional[int] = ..., member_digest: _Optional[bytes] = ..., first_offset: _Optional[int] = ..., last_offset: _Optional[int] = ..., incarnation: _Optional[str] = ..., partition: _Optional[int] = ..., decided_offset: _Optional[int] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., policy_id: _Optional[str] = ..., policy_version: _Optional[int] = ..., rule_version: _Optional[int] = ..., opening_event_id: _Optional[str] = ..., channel: _Optional[str] = ..., participants: _Optional[_Iterable[str]] = ..., user_ids: _Optional[_Iterable[str]] = ..., cut: _Optional[_Union[Cut, _Mapping]] = ..., retracted: _Optional[_Iterable[_Union[SegmentRetracted, _Mapping]]] = ..., participant_count: _Optional[int] = ..., user_count: _Optional[int] = ..., idle_gap: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Cut(_message.Message):
    __slots__ = ("event_time", "event_id")
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    event_time: _timestamp_pb2.Timestamp
    event_id: str
    def __init__(self, event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event_id: _Optional[str] = ...) -> None: ...

class SegmentRetracted(_message.Message):
    __slots__ = ("segment_id", "revision", "merged_into")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    MERGED_INTO_FIELD_NUMBER: _ClassVar[int]
    segment_id: str
    revision: int
    merged_into: str
    def __init__(self, segment_id: _Optional[str] = ..., revision: _Optional[int] = ..., merged_into: _Optional[str] = ...) -> None: ...

class SessionSettled(_message.Message):
    __slots__ = ("session_id", "generation", "reason", "ended_at", "incarnation", "partition", "decided_offset", "watermark")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    DECIDED_OFFSET_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    generation: int
    reason: _events_pb2.SessionEndReason
    ended_at: _timestamp_pb2.Timestamp
    incarnation: str
    partition: int
    decided_offset: int
    watermark: _timestamp_pb2.Timestamp
    def __init__(self, session_id: _Optional[str] = ..., generation: _Optional[int] = ..., reason: _Optional[_Union[_events_pb2.SessionEndReason, str]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., incarnation: _Optional[str] = ..., partition: _Optional[int] = ..., decided_offset: _Optional[int] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
