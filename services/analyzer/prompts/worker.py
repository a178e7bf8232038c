"""Claims prompt jobs as long as there is room for calls, and settles each as it ends."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from parley import clock
from parley.analyses import Lane
from parley.db.errors import is_transient
from parley.passes.definition import PassDefinition, PassKind
from parley.tracing import TRACING
from services.analyzer import metrics
from services.analyzer.core.circuit import CircuitState
from services.analyzer.core.jobs import Attempt
from services.analyzer.core.outcomes import JobState, Outcome, released
from services.analyzer.core.pace import Pace
from services.analyzer.known import KnownPasses
from services.analyzer.lease import Heartbeats, span_around
from services.analyzer.model.contract import Model
from services.analyzer.observing import PROVIDER_DOWN, observe, observe_money, rest
from services.analyzer.prompts.asking import NOW, Asker, Asking
from services.analyzer.prompts.circuits import Circuits
from services.analyzer.prompts.together import JobsTogether
from services.analyzer.prompts.turns import Turns
from services.analyzer.store import Claim, HeldOutcome, JobStore, Slots
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

    @property
    def backfill_jobs(self) -> int:
        """How many of a backfill; one at least: what is never run is not what was asked for."""
        return max(1, self.jobs - self.live_jobs)

    def free(self, lanes: Sequence[Lane], ahead: int = 0) -> Slots:
        """What is left beside jobs of these lanes, with so many more that wait for their turn."""
        free = max(0, self.jobs + ahead - len(lanes))
        of_backfills = sum(lane is Lane.BACKFILL for lane in lanes)
        return Slots(free, max(0, min(free, self.backfill_jobs + ahead - of_backfills)))


class PromptWorker:
    """Works on many jobs at the same time, each waiting for its model."""

    def __init__(
        self,
        store: JobStore,
        known: KnownPasses,
        model: Model,
        circuits: Circuits,
        asking: Asking,
        ring_relay: Callable[[int], None],
        heartbeat_s: float,
        room: Room,
    ) -> None:
        self._store = store
        self._known = known
        self._circuits = circuits
        self._ring_relay = ring_relay
        self._room = room
        self._jobs = JobsTogether(store)
        self._asker = Asker(self._jobs, model, circuits, asking)
        self._turns = Turns(room.jobs, room.backfill_jobs)
        self._heartbeats = Heartbeats(store, heartbeat_s)
        self._pace = Pace(room.jobs)
        self._running: dict[asyncio.Task[None], Lane] = {}
        self._is_any_done = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; the database's absence is waited out, anything unknown is raised."""
        beating = asyncio.create_task(self._heartbeats.run())
        rest_s = FIRST_RETRY_S
        try:
            while not stop.is_set():
                if beating.done():
                    beating.result()
                try:
                    if not await self.claim_some():
                        await self._wait()
                    rest_s = FIRST_RETRY_S
                except Exception as error:
                    if not is_transient(error):
                        raise
                    log.warning("worker_waits", error=type(error).__name__)
                    await rest(stop, rest_s)
                    rest_s = min(rest_s * 2, LONGEST_RETRY_S)
        finally:
            await self._drain()
            beating.cancel()

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
        now_s = clock.monotonic()
        slots = self._room.free(list(self._running.values()), self._pace.ahead(now_s))
        if probed_model is not None:
            most = self._circuits.free_calls(probed_model, slots.live)
            slots = Slots(most, min(most, slots.backfill))
        elif not self._pace.is_worth_a_claim(slots.live, now_s):
            return 0
        if not prompts or not slots.live:
            return 0
        claim = await self._claim(prompts, slots, probed_model)
        definitions = {one.fingerprint: one for one in prompts}
        for attempt in claim.attempts:
            definition = definitions[attempt.job.fingerprint]
            metrics.CLAIMED.labels(PassKind.PROMPT.value, attempt.job.lane.name.lower()).inc()
            self._circuits.probing(definition.model)
            is_probe = probed_model is not None
            self._start(self._work(claim.token, attempt, definition, is_probe), attempt.job.lane)
        return len(claim.attempts)

    async def _claim(
        self, prompts: Sequence[PassDefinition], slots: Slots, probed_model: str | None
    ) -> Claim:
        """Claim; a probe is of a segment over which the model has not failed, if there is one.

        Else those that no model answers would keep it from all the others.
        """
        fingerprints = [one.fingerprint for one in prompts]
        blamed = () if probed_model is None else self._circuits.blamed(probed_model)
        if blamed:
            claim = await self._store.claim(fingerprints, slots, without=blamed)
            if claim.attempts:
                return claim
        return await self._store.claim(fingerprints, slots)

    def _start(self, work: Coroutine[None, None, None], lane: Lane) -> None:
        task = asyncio.create_task(work)
        self._running[task] = lane
        task.add_done_callback(lambda _: self._is_any_done.set())

    async def _work(
        self, token: str, attempt: Attempt, definition: PassDefinition, is_probe: bool
    ) -> None:
        self._heartbeats.hold(token, attempt)
        try:
            with span_around([attempt]):
                await self._work_on(token, attempt, definition, is_probe)
        except Exception as error:
            if not is_transient(error):
                raise
            # The job is claimed again when its lease is out.
            log.warning("worker_waits", error=type(error).__name__)
        finally:
            self._heartbeats.let_go(token, attempt)
            self._circuits.undecided(definition.model)

    async def _work_on(
        self, token: str, attempt: Attempt, definition: PassDefinition, is_probe: bool
    ) -> None:
        ready = await self._asker.prepare(attempt, definition)
        if isinstance(ready, Outcome):
            await self._settle(token, ready)
            return
        # Until the answer is written: so many calls at most are made again after a crash.
        async with self._turns.turn(attempt.job.lane):
            if not is_probe and not self._is(definition, CircuitState.CLOSED):
                outcome: Outcome | None = released(attempt, PROVIDER_DOWN, NOW)
            else:
                outcome = await self._asker.ask(token, ready)
            if outcome is None:
                metrics.OUTCOMES_REFUSED.inc()
            else:
                await self._settle(token, outcome)

    async def _settle(self, token: str, outcome: Outcome) -> None:
        counts = await self._jobs.settle(HeldOutcome(token, outcome, TRACING.headers()))
        self._ring_relay(outcome.job.segment.source_partition)
        observe([outcome], [outcome] if counts else [])
        observe_money(outcome)
        if outcome.state is JobState.VERDICT:
            self._pace.ended(clock.monotonic())

    async def settled(self) -> None:
        """Return once no job is worked on; raises what one of them raised."""
        if self._running:
            await asyncio.wait(list(self._running))
        self._reap()

    def _reap(self) -> None:
        for task in [task for task in self._running if task.done()]:
            del self._running[task]
            task.result()

    async def _wait(self) -> None:
        """Until a job is done, or for a moment."""
        try:
            async with asyncio.timeout(POLL_S):
                await self._is_any_done.wait()
        except TimeoutError:
            return
        finally:
            self._is_any_done.clear()

    async def _drain(self) -> None:
        if not self._running:
            return
        _, late = await asyncio.wait(list(self._running), timeout=DRAIN.total_seconds())
        for task in late:
            # What was reserved goes on to count, and the job is claimed again later.
            task.cancel()
        if late:
            await asyncio.wait(late)
