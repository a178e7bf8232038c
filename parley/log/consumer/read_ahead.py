"""Holds what was fetched and is in no batch yet, so that the client fetches on meanwhile.

aiokafka asks a broker for nothing more while records that came from it wait to be taken, be it of
one partition only, whose batch is still being written.
"""

import asyncio
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from aiokafka import TopicPartition

from parley.codec import LogRecord

_value_of: Final = attrgetter("value")

# Of all partitions together, and a fetch of each more: a record may have a megabyte.
MOST_BYTES: Final = 32 * 1024 * 1024


class ReadAhead:
    """The records of each partition that come next: fewer than `enough`, and one fetch more.

    Fewer still where they are so long that those of all partitions would take `most_bytes`.
    """

    def __init__(self, kafka: Any, enough: int, most_bytes: int = MOST_BYTES) -> None:
        self._kafka = kafka
        self._enough = enough
        self._most_bytes = most_bytes
        self._bytes: dict[TopicPartition, int] = {}
        # By turns: of whom some were taken, the rest comes last.
        self._held: dict[TopicPartition, list[LogRecord]] = {}

    @property
    def is_full(self) -> bool:
        """Whether enough is held of every partition."""
        return not self._short()

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Go on elsewhere: what is held is no longer what comes next."""
        self._forget(tp)
        self._kafka.seek(tp, offset)

    def turns(self) -> list[TopicPartition]:
        """The partitions of which records are held; who has waited longest comes first."""
        return list(self._held)

    def take(self, tp: TopicPartition, most: int) -> list[LogRecord]:
        """The next records of a partition."""
        held = self._held.pop(tp)
        taken, rest = held[:most], held[most:]
        if rest:
            self._held[tp] = rest
        self._bytes[tp] -= _size(taken)
        return taken

    async def fetch(self, timeout_s: float) -> bool:
        """Wait for records of the partitions that too few are held of; whether any came."""
        short = self._short()
        if self._held and not short:
            # Asked for none of them, the client would give those of all.
            await asyncio.sleep(timeout_s)
            return False
        fetched: Mapping[TopicPartition, list[LogRecord]] = await self._kafka.getmany(
            *short, timeout_ms=int(timeout_s * 1000)
        )
        for tp, records in fetched.items():
            self._held.setdefault(tp, []).extend(records)
            self._bytes[tp] = self._bytes.get(tp, 0) + _size(records)
        return bool(fetched)

    def _short(self) -> list[TopicPartition]:
        assigned = self._kafka.assignment()
        for gone in self._held.keys() - assigned:
            self._forget(gone)
        most_bytes = self._most_bytes / max(1, len(assigned))
        return [
            tp
            for tp in assigned
            if len(self._held.get(tp, ())) < self._enough and self._bytes.get(tp, 0) < most_bytes
        ]

    def _forget(self, tp: TopicPartition) -> None:
        self._held.pop(tp, None)
        self._bytes.pop(tp, None)


def _size(records: Sequence[LogRecord]) -> int:
    return sum([len(value) for value in map(_value_of, records) if value])
