"""Reads the fields of many events at once: texts as texts, and what lies in messages as bytes.

To Protobuf a message in a field is bytes with a length. A description of the same event in which
those are bytes spares an object for each time, policy and body of every record. And many messages
that stand one after the other, each with its length, are one message to it, which is read at one
go. Both are made of the contract's own description, so that they cannot say anything else.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from parley.codec.wire_fields import length, tag
from parley.wire import events_pb2

IDS: Final = (
    "event_id",
    "tenant_id",
    "conversation_id",
    "session_id",
    "user_id",
    "sender",
    "client_id",
    "client_message_id",
    "connection_id",
    "gateway_id",
    "channel",
)
TEXTS: Final = (*IDS, "import_id")
TIMES: Final = ("occurred_at", "sent_at", "received_at", "event_time")
PARTS: Final = ("policy", "message_recorded")

_PACKAGE: Final = "parley.flat"
_ALL: Final = "all"

Parse = Callable[[bytes], Any]


def _flat_event() -> DescriptorProto:
    event = DescriptorProto()
    events_pb2.Event.DESCRIPTOR.CopyToProto(event)
    for field in event.field:
        if field.type == FieldDescriptorProto.TYPE_MESSAGE:
            field.type = FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
    return event


def _many(name: str, type_name: str) -> DescriptorProto:
    """A message of many messages and nothing else."""
    field = FieldDescriptorProto(
        name=_ALL,
        number=1,
        label=FieldDescriptorProto.LABEL_REPEATED,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=f".{type_name}",
    )
    return DescriptorProto(name=name, field=[field])


def _add(pool: DescriptorPool, file: Any) -> None:
    """A file behind those that it stands on."""
    for needed in file.dependencies:
        _add(pool, needed)
    pool.AddSerializedFile(file.serialized_pb)


def _types() -> list[Any]:
    bodies, moments = events_pb2.MessageRecorded.DESCRIPTOR, Timestamp.DESCRIPTOR
    messages = [
        _flat_event(),
        _many("Events", f"{_PACKAGE}.{events_pb2.Event.DESCRIPTOR.name}"),
        _many("Messages", bodies.full_name),
        _many("Moments", moments.full_name),
    ]
    pool = DescriptorPool()
    _add(pool, bodies.file)
    needed = [bodies.file.name, moments.file.name]
    pool.Add(
        FileDescriptorProto(
            name=_PACKAGE,
            package=_PACKAGE,
            syntax="proto3",
            dependency=needed,
            message_type=messages,
        )
    )
    names = [f"{_PACKAGE}.{one.name}" for one in messages[1:]]
    return [GetMessageClass(pool.FindMessageTypeByName(name)) for name in names]


_Events, _Messages, _Moments = _types()
_TAG: Final = tag(_Events, _ALL)


def _before(size: int) -> bytes:
    return _TAG + length(size)


# To look it up takes a third of the time of a call.
_BEFORE: Final = tuple(map(_before, range(4_096)))

fields_of: Final[Callable[[Any], tuple[Any, ...]]] = attrgetter(*TEXTS, *TIMES, *PARTS)
parse_events: Final[Parse] = _Events.FromString
"""Of `one_after_another` a message whose `all` are events, with their parts as bytes."""
parse_messages: Final[Parse] = _Messages.FromString
"""The same of recorded messages, each whole."""
parse_moments: Final[Parse] = _Moments.FromString
"""The same of timestamps."""


def one_after_another(values: Sequence[bytes]) -> bytes:
    """Messages as one, each with its length."""
    sizes = list(map(len, values))
    if max(sizes, default=0) < len(_BEFORE):
        before = map(_BEFORE.__getitem__, sizes)
    else:
        before = map(_before, sizes)
    return b"".join(chain.from_iterable(zip(before, values, strict=True)))
