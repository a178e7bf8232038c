"""How much of an import lies in the log, by partition: kept, so that it goes on where it was.

A bookmark counts events in the import's order, so it holds only for the same content: another
content is another import. What a crash leaves unmarked is published again, under the same ids.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from parley.db.errors import is_transient
from parley.db.pool import Pool
from parley.db.sql import load
from parley.log.admin import PartitionEnds

_SQL: Final = load(__package__)
SAVE_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """So many events of the import are durable in a partition; the last one lies there."""

    event_count: int
    last_offset: int


@dataclass(slots=True)
class Bookmarks:
    """The places of one import in one incarnation of the topic."""

    pool: Pool
    tenant_id: str
    import_id: str
    topic: str
    incarnation: str
    _changed: dict[int, Place] = field(default_factory=dict)

    async def load(self, ends: Sequence[PartitionEnds]) -> dict[int, int]:
        """How many events each partition holds already, by its number; 0 is left out.

        A place that the log does not reach any more, since it lost its end, counts for nothing.
        """
        rows = await self.pool.fetch(
            _SQL["load_bookmarks"], self.tenant_id, self.import_id, self.topic, self.incarnation
        )
        end_of = {one.partition: one.end for one in ends}
        return {
            row["partition"]: row["event_count"]
            for row in rows
            if row["last_offset"] < end_of.get(row["partition"], 0)
        }

    def move(self, partition: int, place: Place) -> None:
        """Note how far a partition has come; saved by `keep`, and by `save`."""
        self._changed[partition] = place

    async def keep(self) -> None:
        """Save what moves about once a second, until cancelled."""
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            try:
                await self.save()
            except Exception as error:
                if not is_transient(error):
                    raise

    async def save(self) -> None:
        """Save what has moved. Raises asyncpg's errors, and then still knows it."""
        changed = dict(self._changed)
        if not changed:
            return
        await self.pool.execute(
            _SQL["save_bookmarks"],
            self.tenant_id,
            self.import_id,
            self.topic,
            self.incarnation,
            list(changed),
            [one.event_count for one in changed.values()],
            [one.last_offset for one in changed.values()],
        )
        for partition, place in changed.items():
            if self._changed.get(partition) == place:
                del self._changed[partition]
