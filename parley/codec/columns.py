"""Reads the fields of many messages at once, each field as a column.

To Protobuf a message in a field is bytes with a length, and messages that stand one after the
other are one, of which a field is there as often as it is in all of them. A description in which
every field may be there many times, and what lies in messages is bytes, gives all values of a field
at one go, and no object is made for what is not asked for. That holds where none of them has a
field twice, which another reading tells: of many messages as parts of one. All is made of the
contract's own description, so that it cannot say anything else.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from itertools import chain
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
from parley.wire import content_pb2, events_pb2

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

_PACKAGE: Final = "parley.columns"
_ALL: Final = "all"
_COLUMNS: Final = (
    events_pb2.Event,
    events_pb2.MessageRecorded,
    content_pb2.Content,
    content_pb2.PlainContent,
)
# What messages and enums are on the wire.
_ON_THE_WIRE: Final[Mapping[Any, Any]] = {
    FieldDescriptorProto.TYPE_MESSAGE: FieldDescriptorProto.TYPE_BYTES,
    FieldDescriptorProto.TYPE_ENUM: FieldDescriptorProto.TYPE_INT32,
}

Parse = Callable[[bytes], Any]


def _flat(type_: Any) -> DescriptorProto:
    """The same type; of messages and enums what is on the wire."""
    described = DescriptorProto()
    type_.DESCRIPTOR.CopyToProto(described)
    for field in described.field:
        field.type = _ON_THE_WIRE.get(field.type, field.type)
        field.ClearField("type_name")
    return described


def _columns_of(type_: Any) -> DescriptorProto:
    """The same fields, each any number of times."""
    fields = [
        FieldDescriptorProto(
            name=one.name,
            number=one.number,
            type=one.type,
            label=FieldDescriptorProto.LABEL_REPEATED,
        )
        for one in _flat(type_).field
    ]
    return DescriptorProto(name=_columns_name(type_), field=fields)


def _columns_name(type_: Any) -> str:
    return f"{type_.DESCRIPTOR.name}Columns"


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


def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    bodies, moments = events_pb2.MessageRecorded.DESCRIPTOR, Timestamp.DESCRIPTOR
    _add(pool, bodies.file)
    flat_event = _flat(events_pb2.Event)
    pool.Add(
        FileDescriptorProto(
            name=_PACKAGE,
            package=_PACKAGE,
            syntax="proto3",
            dependency=[bodies.file.name, moments.file.name],
            message_type=[
                flat_event,
                _many("Events", f"{_PACKAGE}.{flat_event.name}"),
                _many("Messages", bodies.full_name),
                _many("Moments", moments.full_name),
                *map(_columns_of, _COLUMNS),
            ],
        )
    )
    return pool


_POOL: Final = _pool()


@cache
def _class(name: str) -> Any:
    return GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


_Events, _Messages, _Moments = map(_class, ("Events", "Messages", "Moments"))
_TAG: Final = tag(_Events, _ALL)


def _before(size: int) -> bytes:
    return _TAG + length(size)


# To look it up takes a third of the time of a call.
_BEFORE: Final = tuple(map(_before, range(4_096)))


parse_moments: Final[Parse] = _Moments.FromString
"""Of `one_after_another` a message whose `all` are timestamps."""


def one_after_another(values: Sequence[bytes]) -> bytes:
    """Messages as one, each with its length."""
    sizes = list(map(len, values))
    if max(sizes, default=0) < len(_BEFORE):
        before = map(_BEFORE.__getitem__, sizes)
    else:
        before = map(_before, sizes)
    return b"".join(chain.from_iterable(zip(before, values, strict=True)))


def has_each_once(events: Sequence[bytes]) -> bool:
    """Whether no event has a field twice, nor two bodies; raises DecodeError.

    Protobuf writes what it has read in as few bytes as can be, and of what is there twice only the
    last: together they are as long only where nothing is.
    """
    together = one_after_another(events)
    return bool(_Events.FromString(together).ByteSize() == len(together))


def says_each_once(messages: Sequence[bytes]) -> bool:
    """The same of recorded messages, throughout, as long as none has a role below 0.

    Of that, which no role is, Protobuf would write more bytes than need be. And all of each is
    known: a role that is written as a list is none to the message, and any number of them here.
    """
    together = one_after_another(messages)
    read = _Messages.FromString(together)
    read.DiscardUnknownFields()
    return bool(read.ByteSize() == len(together))


class Columns(dict[str, Sequence[Any]]):
    """The fields of messages in which none is there twice: by name, one value a message.

    A field that a message does not have is empty, or 0. Nothing is read before it is asked for.
    """

    def __init__(self, type_: Any, values: Sequence[bytes]) -> None:
        """Raises DecodeError."""
        super().__init__()
        self._type = _class(_columns_name(type_))
        self._values = values
        self._together = self._type.FromString(b"".join(values))

    def __missing__(self, name: str) -> Sequence[Any]:
        column: list[Any] = getattr(self._together, name)[:]
        if len(column) < len(self._values):
            column = self._one_by_one(name, bool(column))
        self[name] = column
        return column

    def _one_by_one(self, name: str, has_any: bool) -> list[Any]:
        nothing = _nothing(self._type.DESCRIPTOR.fields_by_name[name])
        if not has_any:
            return [nothing] * len(self._values)
        found = (getattr(one, name) for one in self._each)
        return [one[0] if one else nothing for one in found]

    @cached_property
    def _each(self) -> list[Any]:
        return list(map(self._type.FromString, self._values))


def _nothing(field: Any) -> str | bytes | int:
    found: dict[int, str | bytes] = {field.TYPE_STRING: "", field.TYPE_BYTES: b""}
    return found.get(field.type, 0)
