"""Keeps a claim alive while its jobs are worked on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from parley.db.errors import is_transient
from services.analyzer.store import Claim, JobStore

log = structlog.get_logger(__name__)


@asynccontextmanager
async def held(store: JobStore, claim: Claim, heartbeat_s: float) -> AsyncIterator[None]:
    """Extend the claim's lease until the end; what a heartbeat cannot handle is raised there."""
    beat = asyncio.create_task(_beat(store, claim, heartbeat_s))
    try:
        yield
    finally:
        beat.cancel()
        await asyncio.wait([beat])
    if not beat.cancelled():
        beat.result()


async def _beat(store: JobStore, claim: Claim, heartbeat_s: float) -> None:
    while True:
        await asyncio.sleep(heartbeat_s)
        try:
            await store.extend(claim)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("heartbeat_missed", error=type(error).__name__)
