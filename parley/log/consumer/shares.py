"""How much of a partition is one batch, after batches that took longer than a transaction may."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from parley.codec import LogRecord

# SQLSTATE of a statement and of a transaction that were ended because of their time.
TOO_LONG_CODES: Final = ("57014", "25P04")
# Once may be chance, such as a machine that stood still.
MOST_TRIES: Final = 2
# Batches of one size that must succeed before a larger one is tried: each that fails costs time.
GROW_AFTER: Final = 16


def took_too_long(error: BaseException) -> bool:
    """Whether the server ended a transaction because of its time: a smaller one may succeed."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in TOO_LONG_CODES


class Shares:
    """Halves a partition's batches where they take too long, and doubles them when many did not."""

    def __init__(self) -> None:
        self._most: dict[int, int] = {}
        self._written: dict[int, int] = {}

    def cut(self, partition: int, records: list[LogRecord]) -> list[LogRecord]:
        """As many of the records as may be one batch; the rest is fetched again."""
        return records[: self._most.get(partition, len(records))]

    def halve(self, partition: int, failed: Sequence[LogRecord]) -> int:
        """A batch took too long: how many records of the partition may be the next one."""
        self._most[partition] = max(1, len(failed) // 2)
        self._written[partition] = 0
        return self._most[partition]

    def grow(self, partition: int, written: Sequence[LogRecord]) -> None:
        """A batch was written; one that was not cut ends the care."""
        if partition not in self._most:
            return
        if len(written) < self._most[partition]:
            del self._most[partition]
            return
        self._written[partition] += 1
        if self._written[partition] == GROW_AFTER:
            self._most[partition] *= 2
            self._written[partition] = 0
