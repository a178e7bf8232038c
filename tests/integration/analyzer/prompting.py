"""The analyzer's prompt side without Kafka: a scripted model, real tables."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from parley.analyses import Analysis, JobEnded
from parley.codec import decode_analysis
from parley.passes.applied import AppliedPass
from parley.passes.definition import PassDefinition
from parley.seals import SegmentSealed
from services.analyzer import store as tables_of_jobs
from services.analyzer.core.jobs import jobs_of, segment_of, stale_after
from services.analyzer.engine import Engine
from services.analyzer.known import FixedPasses
from services.analyzer.resuming import Resuming
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import JobStore
from tests.integration.analyzer.stage import record_of
from tests.unit.analyzer.fake_model import FakeModel, prompt_pass


class Prompting:
    """Seals go in by hand, jobs are asked about, the outbox and the tables are looked at."""

    def __init__(
        self,
        pool: Any,
        settings: AnalyzerSettings,
        model: FakeModel,
        passes: Sequence[PassDefinition] = (),
        worker_id: str = "w",
    ) -> None:
        self.pool = pool
        self.settings = settings
        self.model = model
        self.passes = passes or (prompt_pass(),)
        self.resumed: dict[str, datetime] = {}
        self.known = FixedPasses((), self.passes, self.resumed)
        self.store = JobStore(pool, settings)
        self.engine = Engine(settings, self.store, self.known, model, worker_id)
        self.worker = self.engine.prompt_worker(lambda _: None, 5.0)
        self.resuming = Resuming(
            self.store, self.known, settings.analyzer_live_share, has_provider=True
        )

    async def read(self, seal: SegmentSealed, **job: Any) -> None:
        """The jobs of a seal; earlier revisions are no longer wanted."""
        segment = segment_of(seal, 0, record_of(self.settings, seal).broker_time)
        jobs = jobs_of(segment, [AppliedPass.of(one) for one in self.passes])
        jobs = [replace(one, **job) for one in jobs]
        async with self.pool.acquire() as connection, connection.transaction():
            await tables_of_jobs.insert_jobs(connection, jobs)
            await tables_of_jobs.end_stale(connection, stale_after(seal))

    async def work(self) -> int:
        """Ask about what can be asked about now; returns how many jobs were begun with."""
        begun = await self.worker.claim_some()
        await self.worker.settled()
        return begun

    async def told(self) -> list[Analysis]:
        """What the outbox holds, in order."""
        rows = await self.pool.fetch("SELECT value FROM outbox ORDER BY id")
        return [decode_analysis(row["value"]) for row in rows]

    async def ends(self) -> list[JobEnded]:
        """The ends among it."""
        return [one for one in await self.told() if isinstance(one, JobEnded)]

    async def read_back(self) -> None:
        """Apply everything that the outbox holds, as the reader of the analyses topic would."""
        async with self.pool.acquire() as connection, connection.transaction():
            await tables_of_jobs.apply_told(connection, await self.told())

    async def jobs(self) -> list[tuple[str, str]]:
        """State and reason of each job."""
        rows = await self.pool.fetch(
            "SELECT state, reason FROM operations.jobs ORDER BY segment_id"
        )
        return [(row["state"], row["reason"]) for row in rows]

    async def job(self) -> Any:
        """The only job."""
        return await self.pool.fetchrow("SELECT * FROM operations.jobs")

    async def job_of(self, conversation_id: str) -> Any:
        """The only job of a conversation."""
        sql = "SELECT * FROM operations.jobs WHERE conversation_id = $1"
        return await self.pool.fetchrow(sql, conversation_id)

    async def spent(self) -> tuple[int, int]:
        """What counts as spent, live and by backfills: by the sums, which the charges agree to."""
        row = await self.pool.fetchrow(
            "SELECT coalesce(sum(live_micro_usd), 0)::bigint AS live,"
            " coalesce(sum(backfill_micro_usd), 0)::bigint AS backfill FROM operations.budget_days"
        )
        by_charge = await self.pool.fetchval(
            "SELECT coalesce(sum(coalesce(actual_micro_usd, estimated_micro_usd)), 0)::bigint"
            " FROM operations.charges"
        )
        assert row["live"] + row["backfill"] == by_charge
        return row["live"], row["backfill"]

    async def lapse(self) -> None:
        """Let every lease and every rest run out."""
        await self.pool.execute(
            "UPDATE operations.jobs SET due_at = now() - interval '1 s'"
            " WHERE state IN ('open', 'claimed')"
        )
