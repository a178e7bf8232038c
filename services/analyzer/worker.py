"""Claims jobs of passes that are code, has them run in a thread, and writes what came out."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from parley.db.errors import is_transient
from parley.passes.definition import PassKind
from services.analyzer import metrics
from services.analyzer.in_time import Thread
from services.analyzer.known import KnownPasses
from services.analyzer.lease import held
from services.analyzer.observing import observe, rest
from services.analyzer.runner import Runner
from services.analyzer.store import Claim, JobStore, Slots

log = structlog.get_logger(__name__)

# How long a job may wait that no seal of this process announced: the persister passed its
# position, a rest ended, or another worker's lease ran out.
POLL_S: Final = 0.25
FIRST_RETRY_S: Final = 0.5
LONGEST_RETRY_S: Final = 30.0


class Worker:
    """Works on one claim after another; several share a store, a runner and a bell."""

    def __init__(
        self,
        store: JobStore,
        known: KnownPasses,
        runner: Runner,
        bell: asyncio.Event,
        ring_relay: Callable[[int], None],
        heartbeat_s: float,
        slots: Slots,
    ) -> None:
        self._store = store
        self._known = known
        self._runner = runner
        self._bell = bell
        self._ring_relay = ring_relay
        self._heartbeat_s = heartbeat_s
        self._slots = slots

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; the database's absence is waited out, anything unknown is raised."""
        rest_s = FIRST_RETRY_S
        while not stop.is_set():
            try:
                if not await self.work_once():
                    await wait_for(self._bell)
                rest_s = FIRST_RETRY_S
            except Exception as error:
                if not is_transient(error):
                    raise
                # What was claimed is claimed again when its lease is out.
                log.warning("worker_waits", error=type(error).__name__)
                await rest(stop, rest_s)
                rest_s = min(rest_s * 2, LONGEST_RETRY_S)

    async def work_once(self) -> int:
        """Claim, run and settle once; returns how many jobs were claimed."""
        codes = [one for one in self._known.definitions() if one.kind is PassKind.CODE]
        claim = await self._store.claim([one.fingerprint for one in codes], self._slots)
        if claim.attempts:
            lane = claim.attempts[0].job.lane.name.lower()
            metrics.CLAIMED.labels(PassKind.CODE.value, lane).inc(len(claim.attempts))
            async with held(self._store, claim, self._heartbeat_s):
                await self._work(claim)
        return len(claim.attempts)

    async def _work(self, claim: Claim) -> None:
        segments = list(dict.fromkeys(attempt.job.segment for attempt in claim.attempts))
        members = await self._store.load(segments)
        outcomes = await Thread(self._runner, claim.attempts, members).outcomes()
        counted = await self._store.settle(claim, outcomes)
        for partition in {outcome.job.segment.source_partition for outcome in counted}:
            self._ring_relay(partition)
        observe(outcomes, counted)


async def wait_for(bell: asyncio.Event) -> None:
    """Wait for the bell, or for a moment."""
    try:
        async with asyncio.timeout(POLL_S):
            await bell.wait()
    except TimeoutError:
        return
    finally:
        bell.clear()
