"""Claims jobs, has them run beside the event loop, and writes what came out under the claim."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import product
from typing import Final

import structlog
from prometheus_client import Counter, Gauge, Histogram

from parley import clock
from parley.analyses import Lane
from parley.db.errors import is_transient
from services.analyzer.core.outcomes import JobState, Outcome
from services.analyzer.runner import Runner
from services.analyzer.store import Claim, JobStore

log = structlog.get_logger(__name__)

# How long a job may wait that no seal of this process announced: the persister passed its
# position, a rest ended, or another worker's lease ran out.
POLL_S: Final = 0.25
FIRST_RETRY_S: Final = 0.5
LONGEST_RETRY_S: Final = 30.0
COUNT_EVERY_S: Final = 5.0

JOBS_ENDED: Final = Counter(
    "parley_analyzer_jobs_ended_total",
    "Jobs that reached an end, or were parked.",
    ["pass_name", "end", "reason"],
)
ATTEMPTS_FAILED: Final = Counter(
    "parley_analyzer_attempts_failed_total",
    "Attempts that raised; most are tried again.",
    ["pass_name", "reason"],
)
OUTCOMES_REFUSED: Final = Counter(
    "parley_analyzer_outcomes_refused_total",
    "Outcomes without effect: the job was superseded meanwhile, or the lease had run out.",
)
JOBS: Final = Gauge(
    "parley_analyzer_jobs",
    "Unfinished jobs in the table, the same for every analyzer.",
    ["state", "lane"],
)
JOBS_PARKED: Final = Gauge(
    "parley_analyzer_parked_jobs",
    "Jobs that wait for something else than a worker, by what: the same for every analyzer.",
    ["reason"],
)
SEAL_TO_VERDICT: Final = Histogram(
    "parley_analyzer_seal_to_verdict_seconds",
    "Seconds from a seal's append to its verdict's commit.",
    ["pass_name"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 3_600),
)


class Worker:
    """Works on one claim after another; several share a store, a runner and a bell."""

    def __init__(
        self,
        store: JobStore,
        runner: Runner,
        bell: asyncio.Event,
        ring_relay: Callable[[int], None],
        heartbeat_s: float,
    ) -> None:
        self._store = store
        self._runner = runner
        self._bell = bell
        self._ring_relay = ring_relay
        self._heartbeat_s = heartbeat_s

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; the database's absence is waited out, anything unknown is raised."""
        rest_s = FIRST_RETRY_S
        while not stop.is_set():
            try:
                if not await self.work_once():
                    await self._wait()
                rest_s = FIRST_RETRY_S
            except Exception as error:
                if not is_transient(error):
                    raise
                # What was claimed is claimed again when its lease is out.
                log.warning("worker_waits", error=type(error).__name__)
                await _rest(stop, rest_s)
                rest_s = min(rest_s * 2, LONGEST_RETRY_S)

    async def work_once(self) -> int:
        """Claim, run and settle once; returns how many jobs were claimed."""
        claim = await self._store.claim()
        if claim.attempts:
            async with self._heartbeat(claim):
                await self._work(claim)
        return len(claim.attempts)

    async def _work(self, claim: Claim) -> None:
        segments = list(dict.fromkeys(attempt.job.segment for attempt in claim.attempts))
        members = await self._store.load(segments)
        outcomes = await asyncio.to_thread(self._runner.run, claim.attempts, members)
        counted = await self._store.settle(claim, outcomes)
        for partition in {outcome.job.segment.source_partition for outcome in counted}:
            self._ring_relay(partition)
        OUTCOMES_REFUSED.inc(len(outcomes) - len(counted))
        for outcome in counted:
            _observe(outcome)

    @asynccontextmanager
    async def _heartbeat(self, claim: Claim) -> AsyncIterator[None]:
        beat = asyncio.create_task(self._beat(claim))
        try:
            yield
        finally:
            beat.cancel()
            await asyncio.wait([beat])
        if not beat.cancelled():
            beat.result()

    async def _beat(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            try:
                await self._store.extend(claim)
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("heartbeat_missed", error=type(error).__name__)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._bell.wait()
        except TimeoutError:
            return
        finally:
            self._bell.clear()


class JobGauge:
    """Counts the unfinished jobs now and then, for metrics and health."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self.counts: dict[str, dict[str, int]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Count until `stop`."""
        while not stop.is_set():
            try:
                self._show(await self._store.count_unfinished())
                _show_parked(await self._store.count_parked())
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("jobs_not_counted", error=type(error).__name__)
            await _rest(stop, COUNT_EVERY_S)

    def _show(self, counts: dict[tuple[str, Lane], int]) -> None:
        self.counts = {
            lane.name.lower(): {
                state: count for (state, of), count in sorted(counts.items()) if of is lane
            }
            for lane in Lane
        }
        for state, lane in product((JobState.OPEN, JobState.CLAIMED, JobState.PARKED), Lane):
            JOBS.labels(state.value, lane.name.lower()).set(counts.get((state.value, lane), 0))


def _show_parked(counts: Mapping[str, int]) -> None:
    # What nothing is parked for any more is not exported any more.
    JOBS_PARKED.clear()
    for reason, count in counts.items():
        JOBS_PARKED.labels(reason).set(count)


def _observe(outcome: Outcome) -> None:
    name = outcome.job.pass_name
    if outcome.state is JobState.OPEN:
        ATTEMPTS_FAILED.labels(name, outcome.reason).inc()
        return
    JOBS_ENDED.labels(name, outcome.state.value, outcome.reason).inc()
    if outcome.state is JobState.VERDICT:
        waited = clock.now() - outcome.job.segment.sealed_at
        SEAL_TO_VERDICT.labels(name).observe(waited.total_seconds())


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    """Wait, unless it is time to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
