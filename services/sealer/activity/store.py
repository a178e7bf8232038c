"""Writes the latest figures, whole, in one transaction: readers see one measurement or the next."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from parley.activity.figures import PartitionFigures
from parley.db.pool import Pool
from parley.db.sql import load

_SQL: Final = load(__package__)
_COLUMNS: Final = 9


class Store:
    """The tables of the live view, written by one worker."""

    def __init__(self, pool: Pool, worker: str) -> None:
        self._pool = pool
        self._worker = worker

    async def write(self, figures: Sequence[PartitionFigures], partition_count: int) -> None:
        """Let these figures take the former ones' place; raises what asyncpg raises."""
        numbers = [one.partition for one in figures]
        rows = [row for one in figures for row in _rows(one)]
        async with self._pool.acquire() as connection, connection.transaction():
            # First, so that two workers of one partition wait for each other here.
            await connection.execute(
                _SQL["measured"],
                partition_count,
                self._worker,
                numbers,
                [one.behind_records for one in figures],
                [one.is_capped for one in figures],
            )
            await connection.execute(_SQL["forget"], numbers)
            await connection.execute(_SQL["figures"], *_by_column(rows))

    async def leave(self) -> None:
        """Say that nobody measures what this worker did: at once, and not after a while."""
        await self._pool.execute(_SQL["leave"], self._worker)


def _rows(one: PartitionFigures) -> Iterator[tuple[Any, ...]]:
    for group, windows in one.groups.items():
        for window, counts in windows.items():
            yield (
                one.partition,
                group.tenant_id,
                group.channel,
                int(window.total_seconds()),
                counts.messages,
                counts.conversations,
                counts.user_words,
                counts.assistant_words,
                counts.audio_messages,
            )


def _by_column(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    if not rows:
        return [[] for _ in range(_COLUMNS)]
    return [list(column) for column in zip(*rows, strict=True)]
