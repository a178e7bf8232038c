"""The newest records of a partition in memory, in order, and each conversation's of them."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from parley.codec import LogRecord

# What a record costs beside its bytes: the object, its place in two queues, its key's share.
OVERHEAD_BYTES: Final = 600


class LogGap(Exception):
    """A record is not the one after the last: the broker lost some, or the topic is another one."""


class Ring:
    """Records in the order of their offsets without a gap; the oldest make room for new ones."""

    def __init__(self, next_offset: int, max_bytes: int) -> None:
        self.start_offset = next_offset
        self.next_offset = next_offset
        self._max_bytes = max_bytes
        self._bytes = 0
        self._records: deque[LogRecord] = deque()
        self._by_key: dict[bytes, deque[LogRecord]] = {}
        self._rejected: set[int] = set()

    def append(self, record: LogRecord) -> None:
        """Take the next record; raises LogGap for any other."""
        offset, key = record.offset, record.key or b""
        if offset != self.next_offset:
            raise LogGap(f"offset {offset} came where {self.next_offset} was due")
        self.next_offset = offset + 1
        self._records.append(record)
        of_key = self._by_key.get(key)
        if of_key is None:
            of_key = self._by_key[key] = deque()
        of_key.append(record)
        self._bytes += _size(record)
        while self._bytes > self._max_bytes:
            self._drop_oldest()

    def covers(self, first_offset: int) -> bool:
        """Whether every record from this offset on is here."""
        return self.start_offset <= first_offset

    def of(self, key: bytes, first_offset: int) -> Iterator[LogRecord]:
        """The conversation's records from this offset on, in order."""
        return (
            one
            for one in self._by_key.get(key, ())
            if one.offset >= first_offset and one.offset not in self._rejected
        )

    def reject(self, offset: int) -> LogRecord | None:
        """Leave a record out from now on, and return it; None where it is not here any more."""
        if not self.start_offset <= offset < self.next_offset:
            return None
        self._rejected.add(offset)
        return self._records[offset - self.start_offset]

    def _drop_oldest(self) -> None:
        oldest = self._records.popleft()
        self.start_offset = oldest.offset + 1
        self._bytes -= _size(oldest)
        if self._rejected:
            self._rejected.discard(oldest.offset)
        key = oldest.key or b""
        of_key = self._by_key[key]
        of_key.popleft()
        if not of_key:
            del self._by_key[key]


def _size(record: LogRecord) -> int:
    return len(record.value or b"") + len(record.key or b"") + OVERHEAD_BYTES
