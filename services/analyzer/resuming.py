"""Lets jobs go on once there is what they wait for: money, a provider, or an operator's word."""

import asyncio
from datetime import datetime
from typing import Final

import structlog

from parley import clock
from parley.db.errors import is_transient
from parley.passes.definition import PassKind
from services.analyzer.core.budget import limits_of
from services.analyzer.known import KnownPasses
from services.analyzer.observing import rest
from services.analyzer.store import JobStore
from services.analyzer.store.money import Waiting

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 2.0
RETRY_S: Final = 1.0


class Resuming:
    """Looks again and again: at budgets (a new day, a greater one, calls that cost less), for what
    workers without a provider have parked, and for passes that are to be tried again.
    """

    def __init__(
        self, store: JobStore, known: KnownPasses, live_share: float, *, has_provider: bool
    ) -> None:
        self._store = store
        self._known = known
        self._has_provider = has_provider
        self._live_share = live_share
        # What operators said of suspended passes, as far as it was done.
        self._heard: dict[str, datetime] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Try once again what waited for an operator, then look until `stop`."""
        has_begun = False
        while not stop.is_set():
            try:
                if not has_begun:
                    await self.begin()
                    has_begun = True
                await self.look()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("resuming_waits", error=type(error).__name__)
            await rest(stop, LOOK_EVERY_S)

    async def begin(self) -> None:
        """A worker starts with other settings: suspended passes and a missing provider may be over.

        If nothing has changed, the first jobs say so again.
        """
        said = self._resumptions()
        await self._end_suspensions(self._prompts())
        self._heard = said
        await self._reopen_without_provider()

    def _prompts(self) -> list[str]:
        definitions = self._known.definitions()
        return [one.fingerprint for one in definitions if one.kind is PassKind.PROMPT]

    def _resumptions(self) -> dict[str, datetime]:
        moments = {one.name: self._known.resumed_at(one.name) for one in self._known.definitions()}
        return {name: moment for name, moment in moments.items() if moment is not None}

    async def _resume_what_is_said(self) -> None:
        """What `parley passes resume` says, once: every analyzer hears of it, one is enough."""
        said = self._resumptions()
        names = {name for name, moment in said.items() if moment != self._heard.get(name)}
        if names:
            definitions = self._known.definitions()
            await self._end_suspensions(
                [one.fingerprint for one in definitions if one.name in names]
            )
        # Only now: what the database did not take is said again.
        self._heard = said

    async def _end_suspensions(self, fingerprints: list[str]) -> None:
        for name in await self._store.end_suspensions(fingerprints):
            log.info("pass_resumed", pass_name=name)

    async def _reopen_without_provider(self) -> None:
        if self._has_provider:
            await self._store.reopen_parked("no_provider", self._prompts())

    async def look(self) -> int:
        """Let what fits go on; returns how many jobs."""
        await self._resume_what_is_said()
        # A worker that has none may have parked some since this one began, and be gone by now.
        await self._reopen_without_provider()
        waiting = await self._store.waiting_for_money(clock.now().date())
        rooms = [(group, self._room(group)) for group in waiting]
        return sum(
            [
                await self._store.reopen_for_money(group, room)
                for group, room in rooms
                if room is not None and room >= group.least_micro_usd
            ]
        )

    def _room(self, group: Waiting) -> int | None:
        """What the group's jobs may spend now; None where this worker does not have the pass."""
        budgets = {one.fingerprint: one.daily_budget_micro_usd for one in self._known.definitions()}
        if group.fingerprint not in budgets:
            return None
        limits = limits_of(budgets[group.fingerprint], self._live_share)
        room = limits.room(group.spent, group.lane)
        if group.run_room_micro_usd is not None:
            room = min(room, group.run_room_micro_usd)
        return room
