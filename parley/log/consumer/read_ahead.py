"""Holds what was fetched and is in no batch yet, so that the client fetches on meanwhile.

aiokafka asks a broker for nothing more while records that came from it wait to be taken, be it of
one partition only, whose batch is still being written.
"""

from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition

from parley.codec import LogRecord


class ReadAhead:
    """The records of each partition that come next: fewer than `enough`, and one fetch more."""

    def __init__(self, kafka: Any, enough: int) -> None:
        self._kafka = kafka
        self._enough = enough
        # By turns: of whom some were taken, the rest comes last.
        self._held: dict[TopicPartition, list[LogRecord]] = {}

    @property
    def is_full(self) -> bool:
        """Whether enough is held of every partition."""
        return not self._short()

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Go on elsewhere: what is held is no longer what comes next."""
        self._held.pop(tp, None)
        self._kafka.seek(tp, offset)

    def turns(self) -> list[TopicPartition]:
        """The partitions of which records are held; who has waited longest comes first."""
        return list(self._held)

    def take(self, tp: TopicPartition, most: int) -> list[LogRecord]:
        """The next records of a partition."""
        held = self._held.pop(tp)
        if len(held) > most:
            self._held[tp] = held[most:]
        return held[:most]

    async def fetch(self, timeout_s: float) -> bool:
        """Wait for records of the partitions that too few are held of; whether any came."""
        fetched: Mapping[TopicPartition, list[LogRecord]] = await self._kafka.getmany(
            *self._short(), timeout_ms=int(timeout_s * 1000)
        )
        for tp, records in fetched.items():
            self._held.setdefault(tp, []).extend(records)
        return bool(fetched)

    def _short(self) -> list[TopicPartition]:
        assigned = self._kafka.assignment()
        for gone in self._held.keys() - assigned:
            del self._held[gone]
        return [tp for tp in assigned if len(self._held.get(tp, ())) < self._enough]
