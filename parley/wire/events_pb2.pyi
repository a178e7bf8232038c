import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from parley.wire import content_pb2 as _content_pb2
from parley.wire import policy_pb2 as _policy_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SessionEndReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SESSION_END_REASON_UNSPECIFIED: _ClassVar[SessionEndReason]
    SESSION_END_REASON_EXPLICIT: _ClassVar[SessionEndReason]
    SESSION_END_REASON_DISCONNECTED: _ClassVar[SessionEndReason]
    SESSION_END_REASON_IDLE: _ClassVar[SessionEndReason]
    SESSION_END_REASON_IMPORTED: _ClassVar[SessionEndReason]

class RevisionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVISION_KIND_UNSPECIFIED: _ClassVar[RevisionKind]
    REVISION_KIND_INTERRUPTED: _ClassVar[RevisionKind]
    REVISION_KIND_CORRECTED: _ClassVar[RevisionKind]

class ConversationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONVERSATION_STATE_UNSPECIFIED: _ClassVar[ConversationState]
    CONVERSATION_STATE_IDLE: _ClassVar[ConversationState]
    CONVERSATION_STATE_LISTENING: _ClassVar[ConversationState]
    CONVERSATION_STATE_PROCESSING: _ClassVar[ConversationState]
    CONVERSATION_STATE_SPEAKING: _ClassVar[ConversationState]
    CONVERSATION_STATE_WAITING_FOR_USER: _ClassVar[ConversationState]
    CONVERSATION_STATE_ERROR: _ClassVar[ConversationState]
    CONVERSATION_STATE_ENDED: _ClassVar[ConversationState]

class ImportOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IMPORT_OUTCOME_UNSPECIFIED: _ClassVar[ImportOutcome]
    IMPORT_OUTCOME_COMPLETED: _ClassVar[ImportOutcome]
    IMPORT_OUTCOME_CANCELLED: _ClassVar[ImportOutcome]
SESSION_END_REASON_UNSPECIFIED: SessionEndReason
SESSION_END_REASON_EXPLICIT: SessionEndReason
SESSION_END_REASON_DISCONNECTED: SessionEndReason
SESSION_END_REASON_IDLE: SessionEndReason
SESSION_END_REASON_IMPORTED: SessionEndReason
REVISION_KIND_UNSPECIFIED: RevisionKind
REVISION_KIND_INTERRUPTED: RevisionKind
REVISION_KIND_CORRECTED: RevisionKind
CONVERSATION_STATE_UNSPECIFIED: ConversationState
CONVERSATION_STATE_IDLE: ConversationState
CONVERSATION_STATE_LISTENING: ConversationState
CONVERSATION_STATE_PROCESSING: ConversationState
CONVERSATION_STATE_SPEAKING: ConversationState
CONVERSATION_STATE_WAITING_FOR_USER: ConversationState
CONVERSATION_STATE_ERROR: ConversationState
CONVERSATION_STATE_ENDED: ConversationState
IMPORT_OUTCOME_UNSPECIFIED: ImportOutcome
IMPORT_OUTCOME_COMPLETED: ImportOutcome
IMPORT_OUTCOME_CANCELLED: ImportOutcome

class Event(_message.Message):
    __slots__ = ("event_id", "tenant_id", "conversation_id", "session_id", "user_id", "sender", "client_id", "client_message_id", "connection_id", "gateway_id", "channel", "occurred_at", "sent_at", "received_at", "event_time", "policy", "import_id", "conversation_created", "conversation_updated", "session_started", "session_resumed", "session_refreshed", "session_ended", "message_recorded", "message_revised", "state_requested", "preferences_changed", "seal_forced", "import_started", "import_finished", "rule_activated", "record_rejected", "forgotten", "tick")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_ID_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    IMPORT_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_CREATED_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_UPDATED_FIELD_NUMBER: _ClassVar[int]
    SESSION_STARTED_FIELD_NUMBER: _ClassVar[int]
    SESSION_RESUMED_FIELD_NUMBER: _ClassVar[int]
    SESSION_REFRESHED_FIELD_NUMBER: _ClassVar[int]
    SESSION_ENDED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_RECORDED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_REVISED_FIELD_NUMBER: _ClassVar[int]
    STATE_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    PREFERENCES_CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEAL_FORCED_FIELD_NUMBER: _ClassVar[int]
    IMPORT_STARTED_FIELD_NUMBER: _ClassVar[int]
    IMPORT_FINISHED_FIELD_NUMBER: _ClassVar[int]
    RULE_ACTIVATED_FIELD_NUMBER: _ClassVar[int]
    RECORD_REJECTED_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    TICK_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    tenant_id: str
    conversation_id: str
    session_id: str
    user_id: str
    sender: str
    client_id: str
    client_message_id: str
    connection_id: str
    gateway_id: str
    channel: str
    occurred_at: _timestamp_pb2.Timestamp
    sent_at: _timestamp_pb2.Timestamp
    received_at: _timestamp_pb2.Timestamp
    event_time: _timestamp_pb2.Timestamp
    policy: _policy_pb2.Policy
    import_id: str
    conversation_created: ConversationCreated
    conversation_updated: ConversationUpdated
    session_started: SessionStarted
    session_resumed: SessionResumed
    session_refreshed: SessionRefreshed
    session_ended: SessionEnded
    message_recorded: MessageRecorded
    message_revised: MessageRevised
    state_requested: StateRequested
    preferences_changed: PreferencesChanged
    seal_forced: SealForced
    import_started: ImportStarted
    import_finished: ImportFinished
    rule_activated: RuleActivated
    record_rejected: RecordRejected
    forgotten: Forgotten
    tick: Tick
    def __init__(self, event_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., conversation_id: _Optional[str] = ..., session_id: _Optional[str] = ..., user_id: _Optional[str] = ..., sender: _Optional[str] = ..., client_id: _Optional[str] = ..., client_message_id: _Optional[str] = ..., connection_id: _Optional[str] = ..., gateway_id: _Optional[str] = ..., channel: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sent_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., policy: _Optional[_Union[_policy_pb2.Policy, _Mapping]] = ..., import_id: _Optional[str] = ..., conversation_created: _Optional[_Union[ConversationCreated, _Mapping]] = ..., conversation_updated: _Optional[_Union[ConversationUpdated, _Mapping]] = ..., session_started: _Optional[_Union[SessionStarted, _Mapping]] = ..., session_resumed: _Optional[_Union[SessionResumed, _Mapping]] = ..., session_refreshed: _Optional[_Union[SessionRefreshed, _Mapping]] = ..., session_ended: _Optional[_Union[SessionEnded, _Mapping]] = ..., message_recorded: _Optional[_Union[MessageRecorded, _Mapping]] = ..., message_revised: _Optional[_Union[MessageRevised, _Mapping]] = ..., state_requested: _Optional[_Union[StateRequested, _Mapping]] = ..., preferences_changed: _Optional[_Union[PreferencesChanged, _Mapping]] = ..., seal_forced: _Optional[_Union[SealForced, _Mapping]] = ..., import_started: _Optional[_Union[ImportStarted, _Mapping]] = ..., import_finished: _Optional[_Union[ImportFinished, _Mapping]] = ..., rule_activated: _Optional[_Union[RuleActivated, _Mapping]] = ..., record_rejected: _Optional[_Union[RecordRejected, _Mapping]] = ..., forgotten: _Optional[_Union[Forgotten, _Mapping]] = ..., tick: _Optional[_Union[Tick, _Mapping]] = ...) -> None: ...

class ConversationCreated(_message.Message):
    __slots__ = ("title", "personality", "metadata_json")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PERSONALITY_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    title: str
    personality: str
    metadata_json: str
    def __init__(self, title: _Optional[str] = ..., personality: _Optional[str] = ..., metadata_json: _Optional[str] = ...) -> None: ...

class ConversationUpdated(_message.Message):
    __slots__ = ("title", "personality", "channel", "metadata_json")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PERSONALITY_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    title: str
    personality: str
    channel: str
    metadata_json: str
    def __init__(self, title: _Optional[str] = ..., personality: _Optional[str] = ..., channel: _Optional[str] = ..., metadata_json: _Optional[str] = ...) -> None: ...

class SessionStarted(_message.Message):
    __slots__ = ("generation", "connection_id", "client_ip", "user_agent", "metadata_json")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_IP_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    generation: int
    connection_id: str
    client_ip: str
    user_agent: str
    metadata_json: str
    def __init__(self, generation: _Optional[int] = ..., connection_id: _Optional[str] = ..., client_ip: _Optional[str] = ..., user_agent: _Optional[str] = ..., metadata_json: _Optional[str] = ...) -> None: ...

class SessionResumed(_message.Message):
    __slots__ = ("generation", "connection_id", "client_ip", "user_agent")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_IP_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    generation: int
    connection_id: str
    client_ip: str
    user_agent: str
    def __init__(self, generation: _Optional[int] = ..., connection_id: _Optional[str] = ..., client_ip: _Optional[str] = ..., user_agent: _Optional[str] = ...) -> None: ...

class SessionRefreshed(_message.Message):
    __slots__ = ("generation", "connection_id")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_ID_FIELD_NUMBER: _ClassVar[int]
    generation: int
    connection_id: str
    def __init__(self, generation: _Optional[int] = ..., connection_id: _Optional[str] = ...) -> None: ...

class SessionEnded(_message.Message):
    __slots__ = ("generation", "connection_id", "reason")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    generation: int
    connection_id: str
    reason: SessionEndReason
    def __init__(self, generation: _Optional[int] = ..., connection_id: _Optional[str] = ..., reason: _Optional[_Union[SessionEndReason, str]] = ...) -> None: ...

class MessageRecorded(_message.Message):
    __slots__ = ("role", "content", "utterance_id", "language")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    role: _content_pb2.Role
    content: _content_pb2.Content
    utterance_id: str
    language: str
    def __init__(self, role: _Optional[_Union[_content_pb2.Role, str]] = ..., content: _Optional[_Union[_content_pb2.Content, _Mapping]] = ..., utterance_id: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...

class MessageRevised(_message.Message):
    __slots__ = ("target_event_id", "kind", "content")
    TARGET_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    target_event_id: str
    kind: RevisionKind
    content: _content_pb2.Content
    def __init__(self, target_event_id: _Optional[str] = ..., kind: _Optional[_Union[RevisionKind, str]] = ..., content: _Optional[_Union[_content_pb2.Content, _Mapping]] = ...) -> None: ...

class StateRequested(_message.Message):
    __slots__ = ("to", "cause", "request_id", "reopen")
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REOPEN_FIELD_NUMBER: _ClassVar[int]
    to: ConversationState
    cause: str
    request_id: str
    reopen: bool
    def __init__(self, to: _Optional[_Union[ConversationState, str]] = ..., cause: _Optional[str] = ..., request_id: _Optional[str] = ..., reopen: _Optional[bool] = ..., **kwargs) -> None: ...

class PreferencesChanged(_message.Message):
    __slots__ = ("personality", "language", "voice", "free_json")
    PERSONALITY_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    FREE_JSON_FIELD_NUMBER: _ClassVar[int]
    personality: str
    language: str
    voice: str
    free_json: str
    def __init__(self, personality: _Optional[str] = ..., language: _Optional[str] = ..., voice: _Optional[str] = ..., free_json: _Optional[str] = ...) -> None: ...

class SealForced(_message.Message):
    __slots__ = ("request_id", "requested_by", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    requested_by: str
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., requested_by: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ImportStarted(_message.Message):
    __slots__ = ("source",)
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    source: str
    def __init__(self, source: _Optional[str] = ...) -> None: ...

class ImportFinished(_message.Message):
    __slots__ = ("outcome", "event_count", "conversation_count")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_COUNT_FIELD_NUMBER: _ClassVar[int]
    outcome: ImportOutcome
    event_count: int
    conversation_count: int
    def __init__(self, outcome: _Optional[_Union[ImportOutcome, str]] = ..., event_count: _Optional[int] = ..., conversation_count: _Optional[int] = ...) -> None: ...

class RuleActivated(_message.Message):
    __slots__ = ("rule_version", "validity_version")
    RULE_VERSION_FIELD_NUMBER: _ClassVar[int]
    VALIDITY_VERSION_FIELD_NUMBER: _ClassVar[int]
    rule_version: int
    validity_version: int
    def __init__(self, rule_version: _Optional[int] = ..., validity_version: _Optional[int] = ...) -> None: ...

class RecordRejected(_message.Message):
    __slots__ = ("rejected_offset", "rejected_event_id", "reason")
    REJECTED_OFFSET_FIELD_NUMBER: _ClassVar[int]
    REJECTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    rejected_offset: int
    rejected_event_id: str
    reason: str
    def __init__(self, rejected_offset: _Optional[int] = ..., rejected_event_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Forgotten(_message.Message):
    __slots__ = ("key_id", "request_id")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    request_id: str
    def __init__(self, key_id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class Tick(_message.Message):
    __slots__ = ("deadline",)
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    deadline: _timestamp_pb2.Timestamp
    def __init__(self, deadline: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
