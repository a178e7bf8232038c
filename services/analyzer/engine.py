"""What runs jobs in one process: workers for code, one for prompts, and who lets jobs go on."""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

from parley.lifecycle import Task
from services.analyzer.core.circuit import CircuitRules
from services.analyzer.core.outcomes import Attempting
from services.analyzer.known import KnownPasses
from services.analyzer.model.contract import Model
from services.analyzer.observing import JobGauge
from services.analyzer.prompts.asking import Asking
from services.analyzer.prompts.circuits import Circuits
from services.analyzer.prompts.worker import PromptWorker, Room
from services.analyzer.resuming import Resuming
from services.analyzer.runner import Runner
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import JobStore, Slots
from services.analyzer.worker import Worker


def pool_size(settings: AnalyzerSettings) -> int:
    """How many connections the process needs."""
    # Each worker may write and beat at once. Prompts ask together: for a claim, texts, what is
    # remembered, reservations, settlements and leases. The rest is for consumers and relays.
    return 16 + 2 * settings.analyzer_workers


def worker_slots(settings: AnalyzerSettings) -> list[Slots]:
    """What each worker for code may claim.

    Some take no backfill, so that a live job finds one free when passes of the past take long. One
    takes both at least: a backfill that is never run is not what was asked for.
    """
    live, backfill = settings.analyzer_claim_jobs, settings.analyzer_claim_backfill_jobs
    kept = min(settings.analyzer_live_workers, settings.analyzer_workers - 1)
    both = settings.analyzer_workers - kept
    return [Slots(live, 0)] * kept + [Slots(live, backfill)] * both


class Engine:
    """Runs the jobs of the passes that this process knows."""

    def __init__(
        self,
        settings: AnalyzerSettings,
        store: JobStore,
        known: KnownPasses,
        model: Model,
        worker_id: str,
    ) -> None:
        self._settings = settings
        self._store = store
        self._known = known
        self._model = model
        self._rules = Attempting(worker_id, settings.analyzer_rest)
        self.circuits = _circuits(settings)
        self.gauge = JobGauge(store, self._not_called)

    def tasks(self, bell: asyncio.Event, ring_relay: Callable[[int], None]) -> Iterator[Task]:
        """Everything that claims jobs, or lets them be claimed."""
        settings = self._settings
        # A third of the lease: two heartbeats may be missed.
        heartbeat_s = settings.analyzer_lease.total_seconds() / 3
        runner = Runner(self._known, self._rules)
        for slots in worker_slots(settings):
            own = (self._store, self._known, runner, bell, ring_relay, heartbeat_s, slots)
            yield Worker(*own).run
        yield self.prompt_worker(ring_relay, heartbeat_s).run
        yield Resuming(
            self._store,
            self._known,
            settings.analyzer_live_share,
            has_provider=settings.has_provider,
        ).run

    def prompt_worker(self, ring_relay: Callable[[int], None], heartbeat_s: float) -> PromptWorker:
        """Who asks models."""
        asking = Asking(self._rules, self._settings.analyzer_live_share)
        room = Room(self._settings.analyzer_calls, self._settings.analyzer_live_calls)
        return PromptWorker(
            *(self._store, self._known, self._model, self.circuits, asking),
            *(ring_relay, heartbeat_s, room),
        )

    def _not_called(self) -> list[str]:
        models = set(self.circuits.not_called())
        return [one.fingerprint for one in self._known.definitions() if one.model in models]

    def facts(self) -> dict[str, Any]:
        """What health tells of the jobs."""
        return {
            "jobs": self.gauge.by_lane,
            "parked": self.gauge.parked,
            "suspended_passes": self.gauge.suspended,
            "circuits": self.circuits.states(),
        }

    async def check(self) -> None:
        """Raise where passes are suspended, or models do not answer."""
        wrong = [f"{name} is suspended: {why}" for name, why in self.gauge.suspended.items()]
        wrong += [f"{model} does not answer" for model in self.circuits.not_called()]
        if wrong:
            raise RuntimeError("; ".join(wrong))


def _circuits(settings: AnalyzerSettings) -> Circuits:
    rules = CircuitRules(
        settings.analyzer_circuit_failures,
        settings.analyzer_circuit_rest,
        settings.analyzer_circuit_longest_rest,
    )
    first, longest = settings.analyzer_call_rest, settings.analyzer_call_longest_rest
    return Circuits(rules, first, longest, random.random)
