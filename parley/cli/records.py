"""Records of any topic in a readable form, without their content unless it is asked for."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

from parley.cli.visible import in_one_line
from parley.codec import InvalidRecord, LogRecord
from parley.topics import Topic
from parley.wire import analyses_pb2, config_pb2, events_pb2, live_pb2, seals_pb2

_MESSAGES: Final[dict[Topic, tuple[str, type[Message]]]] = {
    Topic.EVENTS: ("event", events_pb2.Event),
    Topic.LIVE: ("frame", live_pb2.LiveFrame),
    Topic.SEALS: ("seal", seals_pb2.Seal),
    Topic.ANALYSES: ("analysis", analyses_pb2.Analysis),
    Topic.CONFIG: ("config", config_pb2.Config),
}

# What people said, and what identifies them: terminals are recorded, and screens are shared.
_PRIVATE: Final = frozenset(
    ("text", "audioUrl", "metadataJson", "outputJson", "freeJson", "title", "clientIp", "userAgent")
)
# Fields that stand in front of a line already, or are long and say little to a reader.
_NOT_IN_LINE: Final = frozenset(
    (
        "tenantId",
        "conversationId",
        "eventId",
        "receivedAt",
        "policy",
        "memberDigest",
        "participants",
        "connectionId",
        "gatewayId",
        "clientId",
        "clientIpLength",
        "userAgentLength",
        "definitionJson",
    )
)


def as_json(topic: Topic, record: LogRecord, *, with_content: bool) -> dict[str, Any]:
    """The record's place, and its value in Protobuf's canonical JSON.

    Without content, private texts are replaced by their lengths.
    """
    shown: dict[str, Any] = {
        "partition": record.partition,
        "offset": record.offset,
        "appendTime": _append_time(record),
    }
    if topic is Topic.DEAD_LETTERS:
        return {**shown, **_raw(record, with_content=with_content)}
    name, message_type = _MESSAGES[topic]
    try:
        message = message_type.FromString(record.value or b"")
    except DecodeError:
        return {**shown, "invalid": "not of the topic's type", "bytes": len(record.value or b"")}
    fields = MessageToDict(message)
    return {**shown, name: fields if with_content else without_content(fields)}


def as_line(topic: Topic, record: LogRecord, *, with_content: bool) -> str:
    """The record in one line: when, where, whose, what."""
    return in_one_line(_line(topic, record, with_content=with_content))


def _line(topic: Topic, record: LogRecord, *, with_content: bool) -> str:
    shown = as_json(topic, record, with_content=with_content)
    place = f"{shown['appendTime']}  {record.partition}/{record.offset}"
    if topic is Topic.DEAD_LETTERS or "invalid" in shown:
        rest = {key: value for key, value in shown.items() if key not in ("partition", "offset")}
        rest.pop("appendTime")
        return f"{place}  {_flat(rest)}"
    fields = shown[_MESSAGES[topic][0]]
    body_name, body = _body(fields)
    rest = {key: value for key, value in fields.items() if key != body_name}
    whose = fields.get("conversationId", "-")
    return f"{place}  {whose}  {body_name or ''}  {_flat(body)}  {_flat(rest)}".rstrip()


def kind_of(topic: Topic, record: LogRecord) -> str | None:
    """What the record says by the name of its body, such as messageRecorded; None: unreadable."""
    fields = as_json(topic, record, with_content=False).get(_MESSAGES[topic][0])
    return None if fields is None else _body(fields)[0]


def without_content(value: Any) -> Any:
    """The same structure with the length of each private text in its place."""
    if isinstance(value, list):
        return [without_content(one) for one in value]
    if not isinstance(value, dict):
        return value
    shown = {}
    for name, one in value.items():
        if name in _PRIVATE and isinstance(one, str):
            shown[f"{name}Length"] = len(one)
        else:
            shown[name] = without_content(one)
    return shown


def _append_time(record: LogRecord) -> str:
    try:
        moment = record.append_time()
    except InvalidRecord:
        moment = record.broker_time
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _raw(record: LogRecord, *, with_content: bool) -> dict[str, Any]:
    value = record.value or b""
    return {
        "key": (record.key or b"").decode(errors="backslashreplace").replace("\0", "/"),
        "headers": {name: one.decode(errors="backslashreplace") for name, one in record.headers},
        **({"value": b64encode(value).decode()} if with_content else {"bytes": len(value)}),
    }


def _body(fields: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    """The one member that is an object and not the policy: the canonical form's `oneof`."""
    for name, value in fields.items():
        if isinstance(value, dict) and name != "policy":
            return name, value
    return None, {}


def _flat(fields: Mapping[str, Any]) -> str:
    return " ".join(
        part
        for name, value in fields.items()
        if name not in _NOT_IN_LINE
        for part in _pairs(name, value)
    )


def _pairs(name: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        return [part for inner, one in value.items() for part in _pairs(inner, one)]
    return [f"{name}={value}"]
