"""Waits for a command to seal: until it is read, its seal is published, and the tables hold it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from parley import clock
from parley.cli.output import say
from parley.cli.sealing.listing import SQL
from parley.codec import decode_seal
from parley.db.errors import is_transient
from parley.db.pool import Pool
from parley.errors import UserError
from parley.log.admin import topic_ends
from parley.seals import SegmentSealed
from parley.settings import Settings
from parley.topics import Topic, partition_of

POLL_S: Final = 0.1
# A person who has waited so long is told what for.
TOLD_AFTER_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Command:
    """A place in the events topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class _Step:
    """What is waited for, and what to do where it does not come."""

    what: str
    remedy: str


class SealWait:
    """Follows one command through the sealer, its relay and the persister, by their tables."""

    def __init__(self, settings: Settings, pool: Pool, timeout: timedelta) -> None:
        self._settings = settings
        self._pool = pool
        self._timeout_s = timeout.total_seconds()

    async def end_of(self, key: bytes) -> Command:
        """The last record so far in the partition of a key; raises UserError."""
        ends = await topic_ends(self._settings, self._settings.topic(Topic.EVENTS))
        own = ends[partition_of(key, len(ends))]
        return Command(own.partition, own.end - 1)

    async def until_read(self, place: Command) -> None:
        """Return once the sealer has read up to a place; raises UserError."""

        async def is_read() -> bool:
            row = await self._pool.fetchrow(
                SQL["sealer_fence"], self._settings.topic(Topic.EVENTS), place.partition
            )
            if row is not None and row["stopped_reason"] is not None:
                raise UserError(
                    f"The sealer has stopped partition {place.partition}: {row['stopped_reason']}.",
                    "See `parley doctor` for what to do.",
                )
            return place.offset < (0 if row is None else row["next_offset"])

        await self._until(
            is_read,
            _Step(
                f"the sealer to read up to {place}",
                "Is the sealer running, and how far behind is it? `parley status -v` shows it. "
                "A command that lies in the log counts once it is read.",
            ),
        )

    async def until_sealed(self, command: Command, key: bytes, head: int) -> list[SegmentSealed]:
        """The segments that were sealed up to a command, once the tables hold them.

        `head` is the newest row of the outbox before the command. Raises UserError.
        """
        await self.until_read(command)
        rows = await self._decided(key, head)
        sealed = [
            one for row in rows if isinstance(one := decode_seal(row["value"]), SegmentSealed)
        ]
        if sealed:
            await self._until_published(key, head)
            await self._until_stored(sealed)
        return sealed

    async def _decided(self, key: bytes, head: int) -> list[Any]:
        return list(await self._pool.fetch(SQL["decided"], head, key))

    async def _until_published(self, key: bytes, head: int) -> None:
        async def is_published() -> bool:
            return all(row["is_published"] for row in await self._decided(key, head))

        await self._until(
            is_published,
            _Step(
                "the seal to be published",
                "It is decided, and waits in the outbox. Does Kafka answer? See `parley doctor`.",
            ),
        )

    async def _until_stored(self, sealed: list[SegmentSealed]) -> None:
        async def is_stored() -> bool:
            columns = [one.segment_id for one in sealed], [one.revision for one in sealed]
            count = await self._pool.fetchval(SQL["stored"], sealed[0].tenant_id, *columns)
            return bool(count == len(sealed))

        await self._until(
            is_stored,
            _Step(
                "the persister to store the segment",
                "It is sealed and published. Is the persister running? `parley status` shows it.",
            ),
        )

    async def _until(self, is_done: Callable[[], Awaitable[bool]], step: _Step) -> None:
        """Ask until it is done; a database that is away for a moment is waited for."""
        began_at, has_told = clock.monotonic(), False
        while not await self._ask(is_done):
            waited_s = clock.monotonic() - began_at
            if waited_s >= self._timeout_s:
                raise UserError(
                    f"Waited {self._timeout_s:g} s in vain for {step.what}.", step.remedy
                )
            if waited_s >= TOLD_AFTER_S and not has_told:
                say(f"Waiting for {step.what} ...")
                has_told = True
            await asyncio.sleep(POLL_S)

    @staticmethod
    async def _ask(is_done: Callable[[], Awaitable[bool]]) -> bool:
        try:
            return await is_done()
        except Exception as error:
            if not is_transient(error):
                raise
            return False
