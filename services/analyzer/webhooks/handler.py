"""Reads the analyses topic under a fence of its own, and makes a delivery for each new verdict.

The verdict's record and the rows of its deliveries have one transaction, so that each webhook is
told of each verdict, whatever is killed in between. It is another consumer than the one that ends
jobs: what is wrong with a webhook stops no job.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from parley.analyses import JobEnded
from parley.codec import InvalidRecord
from parley.db.fence import Fence
from parley.db.pool import Connection
from parley.log.consumer import Batch
from services.analyzer.decoding import decode
from services.analyzer.known import Passes
from services.analyzer.webhooks import store
from services.analyzer.webhooks.core import Made, category_in, deliveries_of, made_of

CONSUMER: Final = "analyzer-webhooks"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdicts of a batch, in its order."""

    fence: Fence
    made: Sequence[Made]


class VerdictsHandler:
    """Makes deliveries; rings `bell` once there may be some."""

    def __init__(self, passes: Passes, bell: asyncio.Event) -> None:
        self._passes = passes
        self._category_of = category_in(passes.catalog)
        self._bell = bell

    async def claimed(self, claim: Fence) -> None:
        """Nothing is kept in memory for a partition."""

    def released(self, partition: int) -> None:
        """Nothing is kept in memory for a partition."""

    async def prepare(self, batch: Batch) -> Verdicts:
        """The verdicts; the persister keeps the records that say nothing.

        Whoever made a verdict had the pass from the log: read up to its end, that tells the
        category. Without it a webhook that is told of a category would miss the verdict for ever.
        """
        made = []
        for record in batch.records:
            try:
                found = decode(record.value)
            except InvalidRecord:
                continue
            if isinstance(found, JobEnded) and (one := made_of(found, record.offset)):
                made.append(one)
        if made:
            await self._passes.catch_up()
        return Verdicts(batch.fence, made)

    async def apply(self, connection: Connection, work: Verdicts) -> None:
        """Write what the webhooks of this moment are to be told."""
        start = await store.start_of(connection, work.fence.key)
        made = [one for one in work.made if one.log_offset >= start]
        if not made:
            return
        tenant_ids = sorted({one.ended.tenant_id for one in made})
        receivers = await store.receivers(connection, tenant_ids)
        deliveries = deliveries_of(made, receivers, self._category_of)
        fence = work.fence
        await store.insert(connection, deliveries, fence.incarnation, fence.key.partition)

    async def committed(self, work: Verdicts) -> None:
        """There may be something to send."""
        if work.made:
            self._bell.set()
