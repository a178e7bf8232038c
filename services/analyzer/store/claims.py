"""Jobs as workers see them: claimed, held, loaded, settled once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from parley import clock, ids
from parley.analyses import Analysis, AttemptStarted, Charge, ChargeRecorded, Lane
from parley.db.pool import Connection, Pool
from parley.digests import SpokenMember
from parley.topics import Topic
from services.analyzer.core.budget import Limits
from services.analyzer.core.jobs import Attempt, Job, Segment
from services.analyzer.core.memo import memo_of
from services.analyzer.core.outcomes import Outcome
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import money
from services.analyzer.store.memory import Recalled, recall, remember
from services.analyzer.store.rows import (
    SQL,
    attempt_of,
    bounds,
    columns,
    key_of,
    key_of_row,
    member_of,
    publish,
)


@dataclass(frozen=True, slots=True)
class Slots:
    """How many jobs there is room for: that many live ones, or that many of backfills."""

    live: int
    backfill: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Jobs that one worker holds under one token, until its lease runs out."""

    token: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Suspension:
    """A pass of which nothing is claimed, and why."""

    pass_name: str
    pass_version: int
    fingerprint: str
    reason: str


class JobStore:
    """What a worker asks of PostgreSQL."""

    def __init__(self, pool: Pool, settings: AnalyzerSettings) -> None:
        self._pool = pool
        self._settings = settings

    async def claim(self, fingerprints: Sequence[str], slots: Slots) -> Claim:
        """Lease the first jobs of these passes that can be run now; the attempts are counted."""
        settings = self._settings
        token = ids.random_id()
        rows = await self._pool.fetch(
            SQL["claim_jobs"],
            settings.topic(Topic.EVENTS),
            fingerprints,
            slots.live,
            settings.analyzer_claim_messages,
            token,
            settings.analyzer_lease,
            slots.backfill,
        )
        return Claim(token, tuple(attempt_of(row) for row in rows))

    async def extend(self, claim: Claim) -> None:
        """Say that the holder of the claim is alive."""
        keys = columns(key_of(attempt.job) for attempt in claim.attempts)
        lease = self._settings.analyzer_lease
        await self._pool.execute(SQL["extend_leases"], claim.token, *keys, lease)

    async def load(self, segments: Sequence[Segment]) -> dict[Segment, list[SpokenMember]]:
        """The messages of each segment as of the position at which it was sealed."""
        rows = await self._pool.fetch(SQL["load_members"], *columns(map(bounds, segments)))
        loaded: dict[Segment, list[SpokenMember]] = {segment: [] for segment in segments}
        for row in rows:
            loaded[segments[row["number"] - 1]].append(member_of(row))
        return loaded

    async def recall(self, tenant_id: str, key: bytes) -> Recalled | None:
        """What was answered before to the same, if it was."""
        return await recall(self._pool, tenant_id, key)

    async def reserve(
        self, token: str, attempt: Attempt, charge: Charge, limits: Limits, worker_id: str
    ) -> None:
        """Count a call, and commit that, before it is made; raises LeaseLost or BudgetSpent.

        A crash after it leaves the estimate counted: spend is never told too low.
        """
        job = attempt.job
        started = AttemptStarted(
            job.ref,
            attempt.attempt_count,
            attempt.failure_count,
            attempt.released_count,
            attempt.generation,
            worker_id,
            clock.now(),
        )
        told: list[Analysis] = [started, ChargeRecorded(job.ref, charge)]
        lease = self._settings.analyzer_lease
        async with self._pool.acquire() as connection, connection.transaction():
            await money.reserve(connection, token, attempt, charge, limits, lease)
            partition = job.segment.source_partition
            await publish(connection, self._settings, ((partition, one) for one in told))

    async def pay(self, job: Job, charges: Sequence[Charge]) -> None:
        """Write what calls cost, and tell of it, while their job goes on."""
        paid = [ChargeRecorded(job.ref, charge) for charge in charges]
        async with self._pool.acquire() as connection, connection.transaction():
            await money.apply(connection, paid)
            partition = job.segment.source_partition
            await publish(connection, self._settings, ((partition, one) for one in paid))

    async def settle(self, claim: Claim, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Write outcomes, and their ends into the outbox, in one transaction.

        Returns those that counted: of a job that this claim no longer holds only the money is
        written. A crash before the COMMIT costs the attempts, which are made again when the lease
        is out.
        """
        rows = columns(_outcome_row(outcome) for outcome in outcomes)
        async with self._pool.acquire() as connection, connection.transaction():
            settled = await connection.fetch(SQL["settle_jobs"], claim.token, *rows)
            keys = {key_of_row(row) for row in settled}
            counted = [outcome for outcome in outcomes if key_of(outcome.job) in keys]
            await money.apply(connection, _charges(outcomes))
            ends = [one.ended for one in counted if one.ended is not None]
            memos = [memo_of(ended) for ended in ends]
            await remember(connection, [memo for memo in memos if memo is not None])
            await self._suspend(connection, outcomes)
            await publish(connection, self._settings, _told(outcomes, counted))
        return counted

    async def _suspend(self, connection: Connection, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            job = outcome.job
            if outcome.suspends:
                about = (job.fingerprint, job.pass_name, job.pass_version, outcome.suspends)
                await connection.execute(SQL["suspend"], *about)

    async def suspensions(self) -> list[Suspension]:
        """Passes of which nothing is claimed."""
        rows = await self._pool.fetch(SQL["suspensions"])
        return [Suspension(*row.values()) for row in rows]

    async def end_suspensions(self, fingerprints: Sequence[str]) -> list[str]:
        """Let these passes be claimed again; returns the names of those that were suspended."""
        rows = await self._pool.fetch(SQL["end_suspensions"], fingerprints)
        return [row["pass_name"] for row in rows]

    async def reopen_parked(self, reason: str, fingerprints: Sequence[str]) -> None:
        """Let what was parked for this reason be claimed again."""
        await self._pool.execute(SQL["reopen_parked"], reason, fingerprints)

    async def waiting_for_money(self, utc_day: date) -> list[money.Waiting]:
        """What is parked by budgets."""
        return await money.waiting(self._pool, utc_day)

    async def reopen_for_money(self, group: money.Waiting, room_micro_usd: int) -> int:
        """Let as many of a group's jobs be claimed as there is room for; returns how many."""
        return await money.reopen(self._pool, group, room_micro_usd)

    async def count_open(self, fingerprints: Sequence[str]) -> int:
        """How many jobs of these passes wait for a worker."""
        count: int = await self._pool.fetchval(SQL["count_open"], fingerprints)
        return count

    async def count_unfinished(self) -> dict[tuple[str, Lane, str], int]:
        """How many jobs are open, claimed and parked, by lane; parked ones by reason too."""
        rows = await self._pool.fetch(SQL["count_unfinished"])
        return {(row["state"], Lane(row["lane"]), row["reason"]): row["jobs"] for row in rows}


def _charges(outcomes: Iterable[Outcome]) -> list[ChargeRecorded]:
    return [
        ChargeRecorded(outcome.job.ref, charge)
        for outcome in outcomes
        for charge in outcome.charges
    ]


def _told(
    outcomes: Sequence[Outcome], counted: Sequence[Outcome]
) -> Iterable[tuple[int, Analysis]]:
    """Ends that counted tell of their charges; those of others are told of by themselves."""
    counting = {key_of(outcome.job) for outcome in counted if outcome.ended is not None}
    for outcome in outcomes:
        partition = outcome.job.segment.source_partition
        if outcome.ended is not None and key_of(outcome.job) in counting:
            yield partition, outcome.ended
        else:
            for charge in outcome.charges:
                yield partition, ChargeRecorded(outcome.job.ref, charge)


def _outcome_row(outcome: Outcome) -> tuple[Any, ...]:
    return (
        *key_of(outcome.job),
        outcome.state.value,
        outcome.reason,
        outcome.failure_count,
        outcome.released_count,
        outcome.due_in,
        outcome.estimated_micro_usd,
        outcome.raw_answer,
    )
