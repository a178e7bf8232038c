"""Keeps a claim alive while its jobs are worked on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

import structlog
from opentelemetry.trace import Span, SpanKind

from parley.db.errors import is_transient
from parley.tracing import MOST_LINKS, TRACING, Attributes
from services.analyzer.store import Claim, JobStore

log = structlog.get_logger(__name__)


@asynccontextmanager
async def held(store: JobStore, claim: Claim, heartbeat_s: float) -> AsyncIterator[None]:
    """Extend the claim's lease until the end; what a heartbeat cannot handle is raised there.

    What is done meanwhile is one span, and what is published then carries it on.
    """
    beat = asyncio.create_task(_beat(store, claim, heartbeat_s))
    try:
        with _span(claim):
            yield
    finally:
        beat.cancel()
        await asyncio.wait([beat])
    if not beat.cancelled():
        beat.result()


def _span(claim: Claim) -> AbstractContextManager[Span]:
    """Around the work on a claim, linked to the seals or backfills that made its jobs."""
    jobs = [attempt.job for attempt in claim.attempts]
    attributes: Attributes = {
        "parley.job.count": len(jobs),
        "parley.pass.names": ",".join(sorted({one.pass_name for one in jobs})),
    }
    made_by = list(dict.fromkeys(filter(None, (one.traceparent for one in claim.attempts))))
    return TRACING.span("run passes", SpanKind.INTERNAL, attributes, made_by[-MOST_LINKS:])


async def _beat(store: JobStore, claim: Claim, heartbeat_s: float) -> None:
    while True:
        await asyncio.sleep(heartbeat_s)
        try:
            await store.extend(claim)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("heartbeat_missed", error=type(error).__name__)
