"""Reads the fields of events all at once: texts as texts, and what lies in messages as bytes.

To Protobuf a message in a field is bytes with a length. A description of the same event in which
those are bytes spares an object for each time, policy and body of every record. It is made of the
contract's own description, so that it cannot say anything else.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

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


def _flat_type() -> Any:
    event = DescriptorProto()
    events_pb2.Event.DESCRIPTOR.CopyToProto(event)
    for field in event.field:
        if field.type == FieldDescriptorProto.TYPE_MESSAGE:
            field.type = FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
    name = "parley.flat"
    file = FileDescriptorProto(name=name, package=name, syntax="proto3", message_type=[event])
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{name}.{event.name}"))


parse: Final[Callable[[bytes], Any]] = _flat_type().FromString
fields_of: Final[Callable[[Any], tuple[Any, ...]]] = attrgetter(*TEXTS, *TIMES, *PARTS)
