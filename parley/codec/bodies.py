"""The bodies of an event, from Protobuf and to it: one pair of functions a body."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from parley import events as domain
from parley.codec.record import InvalidRecord, enum_name
from parley.codec.roles import ROLES
from parley.codec.times import set_timestamp, to_datetime
from parley.codec.wire_fields import field, length, tag
from parley.wire import content_pb2, events_pb2


def _content(wire: content_pb2.Content) -> domain.Content:
    if not wire.HasField("plain"):
        raise InvalidRecord("content", "only plain content can be read")
    plain = wire.plain
    audio_url = plain.audio_url if plain.HasField("audio_url") else None
    return domain.Content(plain.text, audio_url, plain.metadata_json)


def _write_content(wire: content_pb2.Content, content: domain.Content) -> None:
    plain = wire.plain
    plain.text = content.text
    if content.audio_url is not None:
        plain.audio_url = content.audio_url
    if content.metadata_json:
        plain.metadata_json = content.metadata_json


def _role(value: int) -> domain.Role:
    role = ROLES.get(value)
    if role is None:
        raise InvalidRecord("enum", "role is unknown")
    return role


def _state(value: int) -> domain.ConversationState:
    name = enum_name("CONVERSATION_STATE_", events_pb2.ConversationState, value)
    return domain.ConversationState(name)


def _optional(wire: Any, name: str) -> Any:
    return getattr(wire, name) if wire.HasField(name) else None


_READERS: Final[dict[str, Callable[[Any], domain.Body]]] = {
    "conversation_created": lambda wire: domain.ConversationCreated(
        wire.title, wire.personality, wire.metadata_json
    ),
    "conversation_updated": lambda wire: domain.ConversationUpdated(
        _optional(wire, "title"),
        _optional(wire, "personality"),
        _optional(wire, "channel"),
        _optional(wire, "metadata_json"),
    ),
    "session_started": lambda wire: domain.SessionStarted(
        wire.generation, wire.connection_id, wire.client_ip, wire.user_agent, wire.metadata_json
    ),
    "session_resumed": lambda wire: domain.SessionResumed(
        wire.generation, wire.connection_id, wire.client_ip, wire.user_agent
    ),
    "session_refreshed": lambda wire: domain.SessionRefreshed(wire.generation, wire.connection_id),
    "session_ended": lambda wire: domain.SessionEnded(
        wire.generation,
        domain.EndReason(
            enum_name("SESSION_END_REASON_", events_pb2.SessionEndReason, wire.reason)
        ),
        wire.connection_id,
    ),
    "message_recorded": lambda wire: domain.MessageRecorded(
        _role(wire.role), _content(wire.content), wire.utterance_id, wire.language
    ),
    "message_revised": lambda wire: domain.MessageRevised(
        wire.target_event_id,
        domain.RevisionKind(enum_name("REVISION_KIND_", events_pb2.RevisionKind, wire.kind)),
        _content(wire.content),
    ),
    "state_requested": lambda wire: domain.StateRequested(
        _state(getattr(wire, "from")), _state(wire.to), wire.cause, wire.request_id, wire.reopen
    ),
    "preferences_changed": lambda wire: domain.PreferencesChanged(
        wire.personality, wire.language, wire.voice, wire.free_json
    ),
    "seal_forced": lambda wire: domain.SealForced(wire.request_id, wire.requested_by, wire.reason),
    "import_started": lambda wire: domain.ImportStarted(wire.source),
    "import_finished": lambda wire: domain.ImportFinished(
        domain.ImportOutcome(enum_name("IMPORT_OUTCOME_", events_pb2.ImportOutcome, wire.outcome)),
        wire.event_count,
        wire.conversation_count,
    ),
    "rule_activated": lambda wire: domain.RuleActivated(wire.rule_version, wire.validity_version),
    "record_rejected": lambda wire: domain.RecordRejected(
        wire.rejected_offset, wire.rejected_event_id, wire.reason
    ),
    "forgotten": lambda wire: domain.Forgotten(wire.key_id, wire.request_id),
    "tick": lambda wire: domain.Tick(to_datetime(wire.deadline)),
}


def read_body(event: events_pb2.Event) -> domain.Body:
    """The body of a wire event; raises InvalidRecord where there is none that is known."""
    name = event.WhichOneof("body")
    if name is None:
        raise InvalidRecord("body", "the event has no body that this release knows")
    return _READERS[name](getattr(event, name))


_PLAIN_FIELDS: Final[dict[type, tuple[str, tuple[str, ...]]]] = {
    domain.ConversationCreated: (
        "conversation_created",
        ("title", "personality", "metadata_json"),
    ),
    domain.ConversationUpdated: (
        "conversation_updated",
        ("title", "personality", "channel", "metadata_json"),
    ),
    domain.SessionStarted: (
        "session_started",
        ("generation", "connection_id", "client_ip", "user_agent", "metadata_json"),
    ),
    domain.SessionResumed: (
        "session_resumed",
        ("generation", "connection_id", "client_ip", "user_agent"),
    ),
    domain.SessionRefreshed: ("session_refreshed", ("generation", "connection_id")),
    domain.SessionEnded: ("session_ended", ("generation", "connection_id")),
    domain.MessageRecorded: ("message_recorded", ("utterance_id", "language")),
    domain.MessageRevised: ("message_revised", ("target_event_id",)),
    domain.StateRequested: ("state_requested", ("cause", "request_id", "reopen")),
    domain.PreferencesChanged: (
        "preferences_changed",
        ("personality", "language", "voice", "free_json"),
    ),
    domain.SealForced: ("seal_forced", ("request_id", "requested_by", "reason")),
    domain.ImportStarted: ("import_started", ("source",)),
    domain.ImportFinished: ("import_finished", ("event_count", "conversation_count")),
    domain.RuleActivated: ("rule_activated", ("rule_version", "validity_version")),
    domain.RecordRejected: (
        "record_rejected",
        ("rejected_offset", "rejected_event_id", "reason"),
    ),
    domain.Forgotten: ("forgotten", ("key_id", "request_id")),
    domain.Tick: ("tick", ()),
}


_ROLES: Final = {
    role: events_pb2.MessageRecorded(role=f"ROLE_{role.name}").SerializeToString()
    for role in domain.Role
}
_CONTENT: Final = tag(events_pb2.MessageRecorded, "content")
_UTTERANCE_ID: Final = tag(events_pb2.MessageRecorded, "utterance_id")
_LANGUAGE: Final = tag(events_pb2.MessageRecorded, "language")
_PLAIN: Final = tag(content_pb2.Content, "plain")
_TEXT: Final = tag(content_pb2.PlainContent, "text")
_AUDIO_URL: Final = tag(content_pb2.PlainContent, "audio_url")
_METADATA: Final = tag(content_pb2.PlainContent, "metadata_json")


def message_bytes(message: domain.MessageRecorded) -> bytes:
    """A whole MessageRecorded: the one body of which there are very many."""
    role, content, utterance_id, language = message
    if not (utterance_id or language or content.metadata_json or content.audio_url is not None):
        text = content.text.encode()
        return _before_text(role, len(text)) + text
    written = _ROLES[role] + field(_CONTENT, field(_PLAIN, _plain_bytes(content)))
    if utterance_id:
        written += field(_UTTERANCE_ID, utterance_id.encode())
    if language:
        written += field(_LANGUAGE, language.encode())
    return written


# Most messages are a role and a text, and few lengths are longer than a cache is.
@lru_cache(maxsize=4_096)
def _before_text(role: domain.Role, size: int) -> bytes:
    """All of a message but its text, which is the last of it and has so many bytes."""
    plain = _TEXT + length(size)
    content = _PLAIN + length(len(plain) + size) + plain
    return _ROLES[role] + _CONTENT + length(len(content) + size) + content


def _plain_bytes(content: domain.Content) -> bytes:
    written = field(_TEXT, content.text.encode()) if content.text else b""
    if content.audio_url is not None:
        written += field(_AUDIO_URL, content.audio_url.encode())
    if content.metadata_json:
        written += field(_METADATA, content.metadata_json.encode())
    return written


def write_body(wire: events_pb2.Event, body: domain.Body) -> None:
    """Set the one body of a wire event."""
    kind, names = _PLAIN_FIELDS[type(body)]
    part = getattr(wire, kind)
    # A body whose every field is at its default must be present all the same.
    part.SetInParent()
    for name in names:
        value = getattr(body, name)
        if value is not None:
            setattr(part, name, value)
    _write_rest(part, body)


def _write_rest(part: Any, body: domain.Body) -> None:
    match body:
        case domain.SessionEnded():
            part.reason = f"SESSION_END_REASON_{body.reason.name}"
        case domain.MessageRecorded():
            part.role = f"ROLE_{body.role.name}"
            _write_content(part.content, body.content)
        case domain.MessageRevised():
            part.kind = f"REVISION_KIND_{body.kind.name}"
            _write_content(part.content, body.content)
        case domain.StateRequested():
            setattr(part, "from", f"CONVERSATION_STATE_{body.source.name}")
            part.to = f"CONVERSATION_STATE_{body.target.name}"
        case domain.ImportFinished():
            part.outcome = f"IMPORT_OUTCOME_{body.outcome.name}"
        case domain.Tick():
            set_timestamp(part.deadline, body.deadline)
