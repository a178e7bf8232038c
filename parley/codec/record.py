"""A record of the log as bytes with its place, and the headers that every record carries."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from parley.position import InvalidPosition, Position

Header = tuple[str, bytes]

CONTENT_TYPE: Final = "content-type"
MESSAGE_NAME: Final = "parley-message"
# On a record that was copied into a new incarnation: microseconds since 1970 at which the broker
# first appended it, and where. With it a copied topic replays the same.
APPEND_TIME: Final = "parley-append-time"
SOURCE_POSITION: Final = "parley-source-position"
COPY_HEADERS: Final = (APPEND_TIME, SOURCE_POSITION)
PROTOBUF: Final = b"application/x-protobuf"

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class InvalidRecord(Exception):
    """A record that every consumer skips; `reason` is a short word, `detail` says more."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class LogRecord(NamedTuple):
    """A record as the broker gave it; `broker_time` is when the broker appended it."""

    topic: str
    partition: int
    offset: int
    broker_time: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()

    def append_time(self) -> datetime:
        """When the record was first appended: its header's time where it is a copy.

        Raises InvalidRecord for a header that is no number or lies after the broker's own time.
        """
        for name, value in self.headers:
            if name == APPEND_TIME:
                return self._copied_append_time(value)
        return self.broker_time

    def source(self) -> Position | None:
        """Where a copied record lay first; None where it is no copy.

        Raises InvalidRecord for a header that is no position.
        """
        for name, value in self.headers:
            if name == SOURCE_POSITION:
                return _source_position(value)
        return None

    def _copied_append_time(self, value: bytes) -> datetime:
        try:
            # Days, seconds, microseconds: by keyword it would take twice as long.
            copied = EPOCH + timedelta(0, 0, int(value))
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidRecord("append_time", "the header is not a time") from error
        if copied > self.broker_time:
            raise InvalidRecord("append_time", "the header lies after the broker's own time")
        return copied


def _source_position(value: bytes) -> Position:
    try:
        return Position.parse(value.decode())
    except (InvalidPosition, ValueError) as error:
        raise InvalidRecord("source_position", "the header is not a position") from error


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be published; `partition` None means by key."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[Header, ...]
    partition: int | None = None


def headers_for(message_name: str) -> tuple[Header, ...]:
    """The headers of a Protobuf record of the named message."""
    return ((CONTENT_TYPE, PROTOBUF), (MESSAGE_NAME, message_name.encode()))


# Asked for every record, and protobuf makes a list of all the enum's values each time.
@lru_cache(maxsize=1_024)
def enum_name(prefix: str, enum: Any, value: int) -> str:
    """ROLE_USER to "user"; raises InvalidRecord for what this release does not know."""
    if value not in enum.values() or value == 0:
        raise InvalidRecord("enum", f"{prefix.rstrip('_').lower()} is unknown")
    name: str = enum.Name(value)
    return name.removeprefix(prefix).lower()


def event_key(tenant_id: str, conversation_id: str) -> bytes:
    """The key of a conversation's records: NUL, which no id may hold, parts the two."""
    return f"{tenant_id}\0{conversation_id}".encode()
