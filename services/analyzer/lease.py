"""Keeps claimed jobs while they are worked on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

import structlog
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from parley.analyses import JobKey
from parley.db.errors import is_transient
from parley.tracing import MOST_LINKS, TRACING, Attributes
from services.analyzer.core.jobs import Attempt
from services.analyzer.store import Claim, JobStore

log = structlog.get_logger(__name__)


@asynccontextmanager
async def held(store: JobStore, claim: Claim, heartbeat_s: float) -> AsyncIterator[None]:
    """Extend the claim's lease until the end; what a heartbeat cannot handle is raised there.

    What is done meanwhile is one span, and what is published then carries it on.
    """
    beats = Heartbeats(store, heartbeat_s)
    for attempt in claim.attempts:
        beats.hold(claim.token, attempt)
    beat = asyncio.create_task(beats.run())
    try:
        with span_around(claim.attempts):
            yield
    finally:
        beat.cancel()
        await asyncio.wait([beat])
    if not beat.cancelled():
        beat.result()


class Heartbeats:
    """Extends the leases of all jobs that are held, together."""

    def __init__(self, store: JobStore, every_s: float) -> None:
        self._store = store
        self._every_s = every_s
        self._held: dict[JobKey, tuple[str, Attempt]] = {}

    def hold(self, token: str, attempt: Attempt) -> None:
        """From now on this one, too; its lease has just begun."""
        self._held[attempt.job.ref.key] = token, attempt

    def let_go(self, token: str, attempt: Attempt) -> None:
        """It is over, unless the job is held under another token by now."""
        key = attempt.job.ref.key
        if (known := self._held.get(key)) is not None and known[0] == token:
            del self._held[key]

    async def run(self) -> None:
        """Until cancelled; what passes by itself is missed, anything else is raised."""
        while True:
            await asyncio.sleep(self._every_s)
            if not self._held:
                continue
            try:
                await self._store.extend(list(self._held.values()))
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("heartbeat_missed", error=type(error).__name__)


def span_around(attempts: Sequence[Attempt]) -> AbstractContextManager[Span]:
    """Around the work on claimed jobs, linked to the seals or backfills that made them."""
    if not TRACING.is_on:
        return nullcontext(INVALID_SPAN)
    jobs = [attempt.job for attempt in attempts]
    attributes: Attributes = {
        "parley.job.count": len(jobs),
        "parley.pass.names": ",".join(sorted({one.pass_name for one in jobs})),
    }
    made_by = list(dict.fromkeys(filter(None, (one.traceparent for one in attempts))))
    return TRACING.span("run passes", SpanKind.INTERNAL, attributes, made_by[-MOST_LINKS:])
