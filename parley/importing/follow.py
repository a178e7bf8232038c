"""Follows a published import until it is stored, sealed and analysed, and counts the outcome."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from parley.db.errors import is_transient
from parley.db.pool import Pool
from parley.db.sql import load
from parley.errors import UserError
from parley.importing.publish import Published
from parley.log.admin import topic_ends
from parley.settings import Settings
from parley.topics import Topic

_SQL: Final = load(__package__)
POLL_S: Final = 0.25
_CONVERSATIONS_A_QUERY: Final = 1_000


class Phase(StrEnum):
    """What an import waits for, in this order."""

    STORED = "stored"
    SEALED = "sealed"
    ANALYSED = "analysed"


Progress = Callable[[Phase, int, int], None]
"""Told a phase, what of it is done, and of how much (records, or jobs)."""

# The consumers' names in their fences.
PERSISTER: Final = "persister"
PERSISTER_OF_SEALS: Final = "persister-seals"
PERSISTER_OF_ANALYSES: Final = "persister-analyses"
SEALER: Final = "sealer"
ANALYZER: Final = "analyzer"

Targets = dict[int, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import came to; segments and verdicts are all of its conversations' current ones."""

    new_messages: int
    segments: int
    verdicts: int
    open_windows: int
    dead_letters: int


class Follower:
    """Waits for the services by their fences: it asks the tables, and nothing of the services."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        tenant_id: str,
        published: Published,
        progress: Progress,
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._tenant_id = tenant_id
        self._published = published
        self._progress = progress

    async def wait(self, phase: Phase) -> None:
        """Return once the phase is reached; raises UserError where a partition stands still."""
        match phase:
            case Phase.STORED:
                await self._fence(phase, PERSISTER, Topic.EVENTS, self._event_targets())
            case Phase.SEALED:
                await self._fence(phase, SEALER, Topic.EVENTS, self._event_targets())
                await self._until_none(phase, self._windows_closing)
                await self._outbox(phase, SEALER)
                seals = await self._ends(Topic.SEALS)
                await self._fence(phase, PERSISTER_OF_SEALS, Topic.SEALS, seals)
            case Phase.ANALYSED:
                await self._fence(phase, ANALYZER, Topic.SEALS, await self._ends(Topic.SEALS))
                await self._until_none(phase, self._jobs_left)
                await self._outbox(phase, ANALYZER)
                analyses = await self._ends(Topic.ANALYSES)
                await self._fence(phase, PERSISTER_OF_ANALYSES, Topic.ANALYSES, analyses)

    async def outcome(self, conversation_ids: Iterable[str]) -> Outcome:
        """Count what is in the tables now."""
        spans = self._published.spans
        partitions = [span.partition for span in spans]
        starts = [span.started_offset for span in spans]
        ends = [span.finished_offset for span in spans]
        topic = self._settings.topic(Topic.EVENTS)
        new_messages = segments = verdicts = 0
        for some in _chunks(conversation_ids):
            new_messages += await self._pool.fetchval(
                _SQL["count_messages"],
                self._tenant_id,
                some,
                self._published.import_id,
                partitions,
                starts,
            )
            row = await self._pool.fetchrow(_SQL["count_segments"], self._tenant_id, some)
            segments += row["segments"]
            verdicts += row["verdicts"]
        dead_letters = await self._pool.fetchval(
            _SQL["count_dead_letters"], topic, partitions, starts, ends, self._published.import_id
        )
        windows = await self._windows()
        return Outcome(new_messages, segments, verdicts, windows["open"], dead_letters)

    def _event_targets(self) -> Targets:
        return {span.partition: span.finished_offset + 1 for span in self._published.spans}

    async def _ends(self, topic: Topic) -> Targets:
        ends = await topic_ends(self._settings, self._settings.topic(topic))
        return {one.partition: one.end for one in ends}

    async def _fence(self, phase: Phase, consumer: str, topic: Topic, targets: Targets) -> None:
        name = self._settings.topic(topic)

        async def records_left() -> int:
            row = await self._pool.fetchrow(
                _SQL["records_left"], consumer, name, list(targets), list(targets.values())
            )
            if row["stopped_reason"] is not None:
                raise UserError(
                    f"The {consumer} has stopped a partition of {name}: {row['stopped_reason']}.",
                    "The import is safe in the log. See `parley doctor` for what to do.",
                )
            return int(row["records_left"])

        await self._until_none(phase, records_left)

    async def _outbox(self, phase: Phase, consumer: str) -> None:
        head = await self._pool.fetchval(_SQL["outbox_head"], consumer)
        if head is None:
            return

        async def rows_left() -> int:
            return int(await self._pool.fetchval(_SQL["outbox_left"], consumer, head))

        await self._until_none(phase, rows_left)

    async def _windows(self) -> Any:
        return await self._pool.fetchrow(
            _SQL["open_windows"], self._tenant_id, self._published.import_id
        )

    async def _windows_closing(self) -> int:
        return int((await self._windows())["closing"])

    async def _jobs_left(self) -> int:
        spans = self._published.spans
        count = await self._pool.fetchval(
            _SQL["jobs_left"],
            [span.partition for span in spans],
            [span.started_offset for span in spans],
            [span.finished_offset for span in spans],
        )
        return int(count)

    async def _until_none(self, phase: Phase, left: Callable[[], Awaitable[int]]) -> None:
        """Ask until nothing is left; a database that is away for a while is waited for."""
        total = 0
        while True:
            try:
                remaining = await left()
            except Exception as error:
                if not is_transient(error):
                    raise
            else:
                total = max(total, remaining)
                self._progress(phase, total - remaining, total)
                if remaining == 0:
                    return
            await asyncio.sleep(POLL_S)


def _chunks(conversation_ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(conversation_ids)
    while some := list(islice(rest, _CONVERSATIONS_A_QUERY)):
        yield some
