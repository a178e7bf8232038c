import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from parley.wire import content_pb2 as _content_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SpeechEventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SPEECH_EVENT_KIND_UNSPECIFIED: _ClassVar[SpeechEventKind]
    SPEECH_EVENT_KIND_SPEECH_STARTED: _ClassVar[SpeechEventKind]
    SPEECH_EVENT_KIND_SPEECH_ENDED: _ClassVar[SpeechEventKind]
    SPEECH_EVENT_KIND_INTERRUPTED: _ClassVar[SpeechEventKind]
    SPEECH_EVENT_KIND_PLAYBACK_STARTED: _ClassVar[SpeechEventKind]
    SPEECH_EVENT_KIND_PLAYBACK_ENDED: _ClassVar[SpeechEventKind]
SPEECH_EVENT_KIND_UNSPECIFIED: SpeechEventKind
SPEECH_EVENT_KIND_SPEECH_STARTED: SpeechEventKind
SPEECH_EVENT_KIND_SPEECH_ENDED: SpeechEventKind
SPEECH_EVENT_KIND_INTERRUPTED: SpeechEventKind
SPEECH_EVENT_KIND_PLAYBACK_STARTED: SpeechEventKind
SPEECH_EVENT_KIND_PLAYBACK_ENDED: SpeechEventKind

class LiveFrame(_message.Message):
    __slots__ = ("tenant_id", "conversation_id", "session_id", "user_id", "sender", "client_id", "connection_id", "gateway_id", "received_at", "interim_transcript", "speech_event", "presence")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_ID_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    INTERIM_TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    SPEECH_EVENT_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    conversation_id: str
    session_id: str
    user_id: str
    sender: str
    client_id: str
    connection_id: str
    gateway_id: str
    received_at: _timestamp_pb2.Timestamp
    interim_transcript: InterimTranscript
    speech_event: SpeechEvent
    presence: Presence
    def __init__(self, tenant_id: _Optional[str] = ..., conversation_id: _Optional[str] = ..., session_id: _Optional[str] = ..., user_id: _Optional[str] = ..., sender: _Optional[str] = ..., client_id: _Optional[str] = ..., connection_id: _Optional[str] = ..., gateway_id: _Optional[str] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., interim_transcript: _Optional[_Union[InterimTranscript, _Mapping]] = ..., speech_event: _Optional[_Union[SpeechEvent, _Mapping]] = ..., presence: _Optional[_Union[Presence, _Mapping]] = ...) -> None: ...

class InterimTranscript(_message.Message):
    __slots__ = ("utterance_id", "sequence", "role", "text", "language")
    UTTERANCE_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    utterance_id: str
    sequence: int
    role: _content_pb2.Role
    text: str
    language: str
    def __init__(self, utterance_id: _Optional[str] = ..., sequence: _Optional[int] = ..., role: _Optional[_Union[_content_pb2.Role, str]] = ..., text: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...

class SpeechEvent(_message.Message):
    __slots__ = ("kind", "role", "utterance_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_ID_FIELD_NUMBER: _ClassVar[int]
    kind: SpeechEventKind
    role: _content_pb2.Role
    utterance_id: str
    def __init__(self, kind: _Optional[_Union[SpeechEventKind, str]] = ..., role: _Optional[_Union[_content_pb2.Role, str]] = ..., utterance_id: _Optional[str] = ...) -> None: ...

class Presence(_message.Message):
    __slots__ = ("open_connections",)
    OPEN_CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    open_connections: int
    def __init__(self, open_connections: _Optional[int] = ...) -> None: ...
