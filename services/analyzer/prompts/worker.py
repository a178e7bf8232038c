"""Claims prompt jobs as long as there is room for calls, and settles each as it ends."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from parley.analyses import Lane
from parley.db.errors import is_transient
from parley.passes.definition import PassDefinition, PassKind
from services.analyzer import metrics
from services.analyzer.core.circuit import CircuitState
from services.analyzer.core.jobs import Attempt
from services.analyzer.known import KnownPasses
from services.analyzer.lease import held
from services.analyzer.observing import observe, observe_money, rest
from services.analyzer.prompts.asking import Asker
from services.analyzer.prompts.circuits import Circuits
from services.analyzer.store import Claim, JobStore, Slots
from services.analyzer.worker import FIRST_RETRY_S, LONGEST_RETRY_S, POLL_S

log = structlog.get_logger(__name__)

# Answers that are under way at the end are paid for: they are waited for so long, of the 30 seconds
# that a service is given to stop.
DRAIN: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Room:
    """How many jobs are worked on at one time, and how many of these are kept for live ones."""

    jobs: int
    live_jobs: int

    def free(self, lanes: Sequence[Lane]) -> Slots:
        """What is left beside jobs of these lanes."""
        free = max(0, self.jobs - len(lanes))
        of_backfills = sum(lane is Lane.BACKFILL for lane in lanes)
        # One at least: a backfill that is never run is not what was asked for.
        most = max(1, self.jobs - self.live_jobs)
        return Slots(free, max(0, min(free, most - of_backfills)))


class PromptWorker:
    """Works on many jobs at the same time, each waiting for its model."""

    def __init__(
        self,
        store: JobStore,
        known: KnownPasses,
        asker: Asker,
        circuits: Circuits,
        ring_relay: Callable[[int], None],
        heartbeat_s: float,
        room: Room,
    ) -> None:
        self._store = store
        self._known = known
        self._asker = asker
        self._circuits = circuits
        self._ring_relay = ring_relay
        self._heartbeat_s = heartbeat_s
        self._room = room
        self._running: dict[asyncio.Task[None], Lane] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; the database's absence is waited out, anything unknown is raised."""
        rest_s = FIRST_RETRY_S
        try:
            while not stop.is_set():
                try:
                    if not await self.claim_some():
                        await self._wait(stop)
                    rest_s = FIRST_RETRY_S
                except Exception as error:
                    if not is_transient(error):
                        raise
                    log.warning("worker_waits", error=type(error).__name__)
                    await rest(stop, rest_s)
                    rest_s = min(rest_s * 2, LONGEST_RETRY_S)
        finally:
            await self._drain()

    async def claim_some(self) -> int:
        """Begin with the first jobs that there is room for; returns how many."""
        self._reap()
        self._circuits.show()
        prompts = [one for one in self._known.definitions() if one.kind is PassKind.PROMPT]
        closed = [one for one in prompts if self._is(one, CircuitState.CLOSED)]
        begun = await self._begin(closed, None)
        half_open = {one.model for one in prompts if self._is(one, CircuitState.HALF_OPEN)}
        for model in sorted(half_open):
            begun += await self._begin([one for one in prompts if one.model == model], model)
        return begun

    def _is(self, definition: PassDefinition, state: CircuitState) -> bool:
        return self._circuits.state(definition.model) is state

    async def _begin(self, prompts: Sequence[PassDefinition], probed_model: str | None) -> int:
        """Claim jobs of these passes: as many as there is room for, or one to probe a model."""
        slots = self._room.free(list(self._running.values()))
        if probed_model is not None:
            most = self._circuits.free_calls(probed_model, slots.live)
            slots = Slots(most, min(most, slots.backfill))
        if not prompts or not slots.live:
            return 0
        claim = await self._store.claim([one.fingerprint for one in prompts], slots)
        definitions = {one.fingerprint: one for one in prompts}
        for attempt in claim.attempts:
            definition = definitions[attempt.job.fingerprint]
            metrics.CLAIMED.labels(PassKind.PROMPT.value, attempt.job.lane.name.lower()).inc()
            self._circuits.probing(definition.model)
            task = asyncio.create_task(self._work(claim.token, attempt, definition))
            self._running[task] = attempt.job.lane
        return len(claim.attempts)

    async def _work(self, token: str, attempt: Attempt, definition: PassDefinition) -> None:
        claim = Claim(token, (attempt,))
        try:
            async with held(self._store, claim, self._heartbeat_s):
                await self._work_on(claim, attempt, definition)
        except Exception as error:
            if not is_transient(error):
                raise
            # The job is claimed again when its lease is out.
            log.warning("worker_waits", error=type(error).__name__)
        finally:
            self._circuits.undecided(definition.model)

    async def _work_on(self, claim: Claim, attempt: Attempt, definition: PassDefinition) -> None:
        outcome = await self._asker.attempt(claim.token, attempt, definition)
        if outcome is None:
            metrics.OUTCOMES_REFUSED.inc()
            return
        counted = await self._store.settle(claim, [outcome])
        self._ring_relay(attempt.job.segment.source_partition)
        observe([outcome], counted)
        observe_money(outcome)

    async def settled(self) -> None:
        """Return once no job is worked on; raises what one of them raised."""
        if self._running:
            await asyncio.wait(list(self._running))
        self._reap()

    def _reap(self) -> None:
        for task in [task for task in self._running if task.done()]:
            del self._running[task]
            task.result()

    async def _wait(self, stop: asyncio.Event) -> None:
        """Until there is room again, for a moment, or until it is time to stop."""
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait(
                [*self._running, stopping],
                timeout=POLL_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            stopping.cancel()

    async def _drain(self) -> None:
        if not self._running:
            return
        _, late = await asyncio.wait(list(self._running), timeout=DRAIN.total_seconds())
        for task in late:
            # What was reserved goes on to count, and the job is claimed again later.
            task.cancel()
        if late:
            await asyncio.wait(late)
