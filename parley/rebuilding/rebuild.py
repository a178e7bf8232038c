"""Rebuilds the tables from the log beside the live ones, and swaps them in."""

from dataclasses import dataclass
from typing import Final

from parley import clock, retaining
from parley.db.pool import Connection, Pool
from parley.errors import UserError
from parley.rebuilding import shadow
from parley.rebuilding.children import Replayer, start_all, stop_all
from parley.rebuilding.replaying import (
    Counter,
    Watch,
    check_logs,
    consumers_of,
    described,
    distance,
    have_tables,
    locked,
    log_ends,
    mark,
    patient,
    pools,
    positions,
)
from parley.rebuilding.seals import SealCheck
from parley.rebuilding.shadow import LIVE
from parley.rebuilding.swap import (
    FORMER,
    Fences,
    FencesMoved,
    drain,
    drop_former,
    held,
    stop_vacuum,
    swap,
)
from parley.settings import Settings

SCHEMA: Final = "parley_rebuild"
# So close to the live tables that the services are held for a moment only.
CLOSE_ENOUGH: Final = 2_000
MOST_ROUNDS: Final = 20
SWAP_ATTEMPTS: Final = 3
NAMED_DIFFERENCES: Final = 5


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild came to.

    `records` are of all topics, read by each service that reads them. `left_to_publish` were
    decided by the replay and are in no topic yet. `held_seconds` is how long the services stood.
    """

    records: int
    seconds: float
    seals_compared: int
    left_to_publish: int
    held_seconds: float


async def rebuild(settings: Settings, watch: Watch, *, is_anew: bool) -> Rebuilt:
    """Make the tables anew and swap them in; until then the live ones are not touched.

    What was begun by a call that was killed is gone on with, unless `is_anew`. Raises UserError.
    """
    async with locked(settings) as connection:
        await have_tables(settings)
        await check_logs(settings)
        await shadow.check_nothing_depends(connection)
        if not await drop_former(connection):
            raise UserError(
                f"Somebody still reads what the last rebuild replaced (schema {FORMER}).",
                "End that (see pg_stat_activity), and run the command again.",
            )
        was_there = await shadow.prepare(connection, SCHEMA, mark(), is_anew=is_anew)
        if was_there:
            watch.say("Going on with the rebuild that was begun before.")
        replayers = await start_all(settings, SCHEMA)
        try:
            return await _Rebuild(settings, watch, connection, replayers).run()
        finally:
            await stop_all(replayers)


class _Rebuild:
    def __init__(
        self, settings: Settings, watch: Watch, connection: Connection, replayers: list[Replayer]
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._connection = connection
        self._consumers = consumers_of(replayers)
        self._counter = Counter(replayers, watch)

    async def run(self) -> Rebuilt:
        async with pools(self._settings, SCHEMA) as (live, replayed):
            await self._catch_up(replayed)
            self._watch.begin("making indexes", None)
            async with patient(self._settings) as beside:
                await shadow.finish(self._connection, beside, SCHEMA)
            await self._catch_up(replayed)
            for kept in await retaining.recorded(self._settings, live):
                # What the live tables have deleted is in the log still.
                await retaining.keep(replayed, kept)
            seals = SealCheck(replayed, self._settings)
            await seals.begin()
            self._watch.begin("comparing seals", None)
            await seals.update()
            await _check(seals, is_ahead=False)
            # While the services are held only what is new since then is compared.
            await seals.settle()
            for _ in range(SWAP_ATTEMPTS):
                try:
                    return await self._swap(live, seals)
                except FencesMoved:
                    self._watch.say("The services moved meanwhile; once more.")
        raise UserError(
            "The services kept moving while the tables were to be swapped; nothing was changed.",
            "Run `parley rebuild` again: it goes on where it was.",
        )

    async def _catch_up(self, replayed: Pool) -> None:
        """Replay until the log's end is close, which moves on meanwhile."""
        for number in range(MOST_ROUNDS):
            ends = await log_ends(self._settings, self._consumers)
            left = distance(await positions(replayed, SCHEMA), ends)
            if left <= CLOSE_ENOUGH and number > 0:
                return
            self._watch.begin("replaying", left)
            async with shadow.settling(self._connection, SCHEMA):
                await self._counter.run(ends)

    async def _swap(self, live: Pool, seals: SealCheck) -> Rebuilt:
        """Exchange the tables while everybody stands still.

        The live outbox is empty then, so the topics hold all that the live tables have decided.
        Beyond the live fences the replay may be: what it decided there is published afterwards.
        """
        self._watch.begin("swapping", None)
        await stop_vacuum(self._connection, SCHEMA)
        held_at = clock.monotonic()
        async with held(live) as fences:
            await drain(live, self._settings, self._consumers)
            await self._counter.run(_targets(fences))
            await seals.update()
            await _check(seals, is_ahead=True)
            seals_compared, left = await seals.count(), await seals.mark_published(LIVE)
            await swap(self._connection, SCHEMA, list(self._consumers), fences)
        held_seconds = clock.monotonic() - held_at
        # Nobody waits for it any more.
        if not await drop_former(self._connection):
            self._watch.say(
                f"Somebody still reads the replaced tables (schema {FORMER}), so they stay; the "
                "next rebuild drops them."
            )
        return Rebuilt(
            self._counter.records, self._counter.seconds, seals_compared, left, held_seconds
        )


async def _check(seals: SealCheck, *, is_ahead: bool) -> None:
    found = await seals.not_given(NAMED_DIFFERENCES, is_ahead=is_ahead)
    if found:
        raise UserError(
            "The seals topic holds what a replay of the events does not give, so nothing was "
            f"changed: {'; '.join(map(described, found))}.",
            "See with `parley verify` what else differs.",
        )


def _targets(fences: Fences) -> dict[str, dict[int, int]]:
    targets: dict[str, dict[int, int]] = {}
    for (consumer, _, partition), (_, next_offset) in fences.items():
        targets.setdefault(consumer, {})[partition] = next_offset
    return targets
