"""Counts what became of jobs, and how many there are."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Final

import structlog

from parley import clock
from parley.analyses import Lane
from parley.db.errors import is_transient
from services.analyzer import metrics
from services.analyzer.core.outcomes import JobState, Outcome
from services.analyzer.in_force import SUSPENDED
from services.analyzer.store import JobStore
from services.analyzer.store.claims import Suspension

log = structlog.get_logger(__name__)

COUNT_EVERY_S: Final = 5.0
PROVIDER_DOWN: Final = "provider_down"

Counts = Mapping[tuple[str, Lane, str], int]


def observe(outcomes: Iterable[Outcome], counted: Iterable[Outcome]) -> None:
    """Count outcomes, and those among them that had an effect."""
    known = list(counted)
    metrics.OUTCOMES_REFUSED.inc(len(list(outcomes)) - len(known))
    for outcome in known:
        _observe(outcome)


def observe_money(outcome: Outcome) -> None:
    """Count what was paid, whatever became of the job."""
    spent = sum(charge.actual_micro_usd or 0 for charge in outcome.charges)
    lane = outcome.job.lane.name.lower()
    metrics.SPEND.labels(outcome.job.pass_name, lane).inc(spent)


def _observe(outcome: Outcome) -> None:
    name = outcome.job.pass_name
    if outcome.state is JobState.OPEN:
        metrics.ATTEMPTS_FAILED.labels(name, outcome.reason).inc()
        return
    metrics.JOBS_ENDED.labels(name, outcome.state.value, outcome.reason).inc()
    if outcome.state is JobState.VERDICT:
        waited = clock.now() - outcome.job.segment.sealed_at
        metrics.SEAL_TO_VERDICT.labels(name).observe(waited.total_seconds())


class JobGauge:
    """Counts the unfinished jobs now and then, for metrics and health.

    `not_called` gives the fingerprints of passes whose models do not answer: their jobs are open,
    and wait all the same.
    """

    def __init__(self, store: JobStore, not_called: Callable[[], Sequence[str]]) -> None:
        self._store = store
        self._not_called = not_called
        self.by_lane: dict[str, dict[str, int]] = {}
        self.parked: dict[str, int] = {}
        self.suspended: dict[str, str] = {}
        self._told: set[tuple[str, str]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Count until `stop`."""
        while not stop.is_set():
            try:
                counts = await self._store.count_unfinished()
                self._show(counts, await self._count_not_called())
                self._show_suspensions(await self._store.suspensions())
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("jobs_not_counted", error=type(error).__name__)
            await rest(stop, COUNT_EVERY_S)

    def _show_suspensions(self, found: Sequence[Suspension]) -> None:
        now = {(one.pass_name, one.reason) for one in found}
        for name, reason in self._told - now:
            SUSPENDED.labels(name, reason).set(0)
        for name, reason in now:
            SUSPENDED.labels(name, reason).set(1)
        self._told = now
        self.suspended = {f"{one.pass_name}@{one.pass_version}": one.reason for one in found}

    async def _count_not_called(self) -> int:
        fingerprints = self._not_called()
        return await self._store.count_open(fingerprints) if fingerprints else 0

    def _show(self, counts: Counts, not_called: int) -> None:
        self.by_lane = {lane.name.lower(): {} for lane in Lane}
        for state, lane in product((JobState.OPEN, JobState.CLAIMED, JobState.PARKED), Lane):
            number = sum(n for (of, at, _), n in counts.items() if (of, at) == (state, lane))
            self.by_lane[lane.name.lower()][state.value] = number
            metrics.JOBS.labels(state.value, lane.name.lower()).set(number)
        parked = Counter({PROVIDER_DOWN: not_called} if not_called else {})
        for (state_name, _, reason), count in counts.items():
            if state_name == JobState.PARKED:
                parked[reason] += count
        self.parked = dict(parked)
        # What nothing is parked for any more is not exported any more.
        metrics.JOBS_PARKED.clear()
        for reason, count in self.parked.items():
            metrics.JOBS_PARKED.labels(reason).set(count)


async def rest(stop: asyncio.Event, seconds: float) -> None:
    """Wait, unless it is time to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
