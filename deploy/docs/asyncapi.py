"""Writes docs/asyncapi.yaml, the topics and the WebSocket: `python -m deploy.docs.asyncapi`."""

from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import yaml
from google.protobuf.descriptor import FieldDescriptor

from deploy.docs.frames import CLIENT_FRAMES, SERVER_FRAMES, Frames, frame_schema
from parley.codec import Header
from parley.codec.analyses import ANALYSIS_HEADERS
from parley.codec.config import CONFIG_HEADERS
from parley.codec.events import EVENT_HEADERS
from parley.codec.live import LIVE_HEADERS
from parley.codec.record import APPEND_TIME, PROTOBUF, SOURCE_POSITION
from parley.codec.seals import SEAL_HEADERS
from parley.topics import SPECS, Topic
from parley.tracing import TRACEPARENT
from parley.wire import analyses_pb2, config_pb2, events_pb2, live_pb2, seals_pb2

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "asyncapi.yaml"

Json = dict[str, Any]
# Two classes of protobuf's stubs, of which the one that runs is private.
Descriptor = Any

MESSAGES: Final[dict[Topic, tuple[Descriptor, tuple[Header, ...]]]] = {
    Topic.EVENTS: (events_pb2.Event.DESCRIPTOR, EVENT_HEADERS),
    Topic.LIVE: (live_pb2.LiveFrame.DESCRIPTOR, LIVE_HEADERS),
    Topic.SEALS: (seals_pb2.Seal.DESCRIPTOR, SEAL_HEADERS),
    Topic.ANALYSES: (analyses_pb2.Analysis.DESCRIPTOR, ANALYSIS_HEADERS),
    Topic.CONFIG: (config_pb2.Config.DESCRIPTOR, CONFIG_HEADERS),
}
_KEYS: Final = {
    Topic.CONFIG: "kind, name and version",
    Topic.DEAD_LETTERS: "the key of the record that could not be used",
}
_CONVERSATION_KEY: Final = (
    "tenant id, a NUL character and conversation id, in UTF-8; none on a record that concerns a "
    "whole partition"
)
_WEB_SOCKET: Final = "conversation"
_HEAD: Final = "# Written by `make asyncapi` from the code and proto/parley/v1; a test says when.\n"
_SCALARS: Final[dict[int, Json]] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number"},
    FieldDescriptor.TYPE_INT32: {"type": "integer"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer"},
    # Protobuf's JSON writes what may pass 2^53 as text.
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.TYPE_UINT64: {"type": "string", "format": "uint64"},
}
_KNOWN_TYPES: Final[dict[str, Json]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "format": "duration-seconds"},
}


def document() -> Json:
    """The whole description."""
    schemas: Json = {}
    for descriptor, _ in MESSAGES.values():
        _add_schema(schemas, descriptor)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Parley",
            "version": version("parley"),
            "description": "The topics, whose values are Protobuf (described here by its JSON "
            "mapping), and the gateway's WebSocket. protocol.md and architecture.md say what they "
            "mean; the gateway describes its HTTP interface at /openapi.json.",
        },
        "servers": {
            "kafka": {"host": "localhost:9092", "protocol": "kafka"},
            "gateway": {"host": "localhost:8080", "protocol": "ws"},
        },
        "defaultContentType": "application/json",
        "channels": {**{one.topic.name.lower(): _topic(one.topic) for one in SPECS}, **_socket()},
        "operations": _operations(),
        "components": {"schemas": schemas},
    }


def _topic(topic: Topic) -> Json:
    spec = next(one for one in SPECS if one.topic is topic)
    name = _message_name(topic)
    return {
        "address": topic.value,
        "description": spec.purpose,
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: _record(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.value,
                "topicConfiguration": {
                    "cleanup.policy": ["compact" if spec.is_compacted else "delete"],
                    "retention.ms": spec.retention_ms,
                },
            }
        },
    }


def _message_name(topic: Topic) -> str:
    return MESSAGES[topic][0].name if topic in MESSAGES else "DeadLetter"


def _record(topic: Topic) -> Json:
    key = {"type": "string", "description": _KEYS.get(topic, _CONVERSATION_KEY)}
    if topic not in MESSAGES:
        return {
            "name": "DeadLetter",
            "summary": "The bytes of the record as they were; why and from where in its headers.",
            "bindings": {"kafka": {"key": key}},
        }
    descriptor, fixed = MESSAGES[topic]
    headers = {name: {"type": "string", "const": value.decode()} for name, value in fixed}
    headers |= {
        TRACEPARENT: {"type": "string", "description": "W3C, where traces are sent"},
        APPEND_TIME: {
            "type": "string",
            "description": "on a copy: microseconds since 1970 of its first append",
        },
        SOURCE_POSITION: {"type": "string", "description": "on a copy: where it lay first"},
    }
    return {
        "name": descriptor.full_name,
        "contentType": PROTOBUF.decode(),
        "headers": {"type": "object", "properties": headers},
        "payload": {"$ref": f"#/components/schemas/{descriptor.full_name}"},
        "bindings": {"kafka": {"key": key}},
    }


def _socket() -> Json:
    return {
        _WEB_SOCKET: {
            "address": "/api/ws/conversations/{conversation_id}",
            "description": "One JSON text a frame; the first one is a hello.",
            "servers": [{"$ref": "#/servers/gateway"}],
            "parameters": {"conversation_id": {"description": "1 to 512 bytes of UTF-8"}},
            "messages": {
                **_frames("say", CLIENT_FRAMES, is_clients=True),
                **_frames("hear", SERVER_FRAMES, is_clients=False),
            },
            "bindings": {"ws": {"method": "GET"}},
        }
    }


def _frames(prefix: str, frames: Frames, *, is_clients: bool) -> Json:
    return {
        f"{prefix}_{kind}": {
            "name": kind,
            "payload": frame_schema(kind, fields, is_clients=is_clients),
        }
        for kind, fields in frames.items()
    }


def _operations() -> Json:
    """As the gateway sees its WebSocket: it receives what clients say."""
    channel = f"#/channels/{_WEB_SOCKET}"
    return {
        name: {
            "action": action,
            "channel": {"$ref": channel},
            "messages": [{"$ref": f"{channel}/messages/{prefix}_{kind}"} for kind in frames],
        }
        for name, action, prefix, frames in (
            ("hear_clients", "receive", "say", CLIENT_FRAMES),
            ("tell_clients", "send", "hear", SERVER_FRAMES),
        )
    }


def _add_schema(schemas: Json, descriptor: Descriptor) -> None:
    """The message and all that it is made of, by their full names."""
    if descriptor.full_name in schemas:
        return
    properties: Json = {}
    schemas[descriptor.full_name] = {"type": "object", "properties": properties}
    for field in descriptor.fields:
        inner = field.message_type
        if inner is not None and inner.full_name not in _KNOWN_TYPES and not _is_map(inner):
            _add_schema(schemas, inner)
        properties[field.json_name] = _field(field)


def _is_map(descriptor: Descriptor) -> bool:
    return bool(descriptor.GetOptions().map_entry)


def _field(field: FieldDescriptor) -> Json:
    if field.message_type is not None and _is_map(field.message_type):
        value = field.message_type.fields_by_name["value"]
        return {"type": "object", "additionalProperties": _value(value)}
    return {"type": "array", "items": _value(field)} if field.is_repeated else _value(field)


def _value(field: FieldDescriptor) -> Json:
    if field.enum_type is not None:
        return {"type": "string", "enum": [one.name for one in field.enum_type.values]}
    if field.message_type is None:
        return dict(_SCALARS[field.type])
    name = field.message_type.full_name
    return dict(_KNOWN_TYPES.get(name) or {"$ref": f"#/components/schemas/{name}"})


class _Plain(yaml.SafeDumper):
    """Writes everything out: anchors would be a riddle to readers."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always."""
        return True


def text() -> str:
    """The file."""
    return _HEAD + yaml.dump(document(), Dumper=_Plain, sort_keys=False, width=100)


if __name__ == "__main__":
    PAGE.write_text(text())
