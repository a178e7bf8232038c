"""Reads messages where they are certain to be valid: nearly all there is, at a tenth of the cost.

What is unusual about a record goes the long way, which says what is wrong with it, if anything:
so here nothing is invalid, and what is read here reads the same there. `compiled/` does it. It is
compiled when Parley is installed; where no C compiler was at hand all goes the long way.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from parley.codec.policies import valid_policy
from parley.codec.record import EPOCH, Header, InvalidRecord, LogRecord
from parley.codec.roles import ROLES
from parley.codec.validity import (
    EARLIEST,
    LATEST,
    MAX_ID_BYTES,
    RECEIVED_AT_TOLERANCE,
    check_json_object,
)

try:
    from parley.codec.speedups import MessageReader
except ImportError:
    MessageReader = None  # type: ignore[assignment, misc]

Shape = tuple[Any, ...]
"""A type, and what its fields are, by the names that `compiled/shape.h` lists."""

Reader = Callable[[Sequence[LogRecord], Any], list[Any]]
"""What is made of the message of each record, with what is given for all of them; None where
another look is needed.
"""

IS_COMPILED: Final = MessageReader is not None

_SECOND: Final = timedelta(seconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def shape_of(make: Any, names: Iterable[str], **others: Any) -> Shape:
    """The shape of what has these fields in this order; `others` are not what their names say."""
    return (make, *(others.get(name, name) for name in names))


def message_reader(shape: Shape, headers: tuple[Header, ...]) -> Reader:
    """Reads the messages of records that have exactly these headers."""
    if MessageReader is None:
        return _nothing
    return MessageReader(
        shape,
        roles=tuple(ROLES.get(number) for number in range(max(ROLES) + 1)),
        policy_of=valid_policy,
        is_metadata=_is_json_object,
        headers=headers,
        max_id_bytes=MAX_ID_BYTES,
        earliest_s=(EARLIEST - EPOCH) // _SECOND,
        latest_s=(LATEST - EPOCH) // _SECOND,
        tolerance_us=RECEIVED_AT_TOLERANCE // _MICROSECOND,
    )


def _nothing(records: Sequence[LogRecord], _: Any) -> list[None]:
    return [None] * len(records)


def _is_json_object(text: str) -> bool:
    try:
        check_json_object(text)
    except InvalidRecord:
        return False
    return True
