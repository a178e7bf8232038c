"""Jobs as workers see them: claimed, held, loaded, settled once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from parley import clock, ids
from parley.analyses import Analysis, AttemptStarted, Charge, ChargeRecorded, Lane
from parley.codec import Header
from parley.db.pool import Connection, Pool
from parley.digests import SpokenMember
from parley.topics import Topic
from services.analyzer.core.jobs import Attempt, Job, Segment
from services.analyzer.core.memo import memo_of
from services.analyzer.core.outcomes import Outcome
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import money
from services.analyzer.store.memory import Recalled, recall, remember
from services.analyzer.store.rows import (
    SQL,
    Told,
    attempt_of,
    bounds,
    columns,
    enqueue,
    key_of,
    key_of_row,
    member_of,
    publish,
    to_outgoing,
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
class HeldOutcome:
    """What became of a job that is held under a token; `traced` names whose span tells of it."""

    token: str
    outcome: Outcome
    traced: tuple[Header, ...] = ()


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

    async def claim(
        self, fingerprints: Sequence[str], slots: Slots, without: Sequence[str] = ()
    ) -> Claim:
        """Lease the first jobs of these passes that can be run now; the attempts are counted.

        `without` are ids of segments that are left alone.
        """
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
            without,
        )
        return Claim(token, tuple(attempt_of(row) for row in rows))

    async def extend(self, held: Sequence[tuple[str, Attempt]]) -> None:
        """Say that the holder of these jobs, each under its claim's token, is alive."""
        keys = columns((token, *key_of(attempt.job)) for token, attempt in held)
        await self._pool.execute(SQL["extend_leases"], *keys, self._settings.analyzer_lease)

    async def load(self, segments: Sequence[Segment]) -> dict[Segment, list[SpokenMember]]:
        """The messages of each segment as of the position at which it was sealed."""
        rows = await self._pool.fetch(SQL["load_members"], *columns(map(bounds, segments)))
        loaded: dict[Segment, list[SpokenMember]] = {segment: [] for segment in segments}
        for row in rows:
            loaded[segments[row["number"] - 1]].append(member_of(row))
        return loaded

    async def recall(self, keys: Sequence[tuple[str, bytes]]) -> list[Recalled | None]:
        """What was answered before to the same, by tenant and key, in their order."""
        return await recall(self._pool, keys)

    async def reserve(self, wanted: Sequence[money.Reservation]) -> list[money.Refusal | None]:
        """Count calls, and commit that, before they are made.

        Says of each why it is not to be made; None where it is counted. A crash after it leaves the
        estimates counted: spend is never told too low.
        """
        lease = self._settings.analyzer_lease
        async with self._pool.acquire() as connection, connection.transaction():
            refused = await money.reserve(connection, wanted, lease)
            counted = [one for one, why in zip(wanted, refused, strict=True) if why is None]
            told = [one for reservation in counted for one in self._begun(reservation)]
            await enqueue(connection, self._settings, told)
        return refused

    def _begun(self, one: money.Reservation) -> Iterable[Told]:
        attempt, job = one.attempt, one.attempt.job
        started = AttemptStarted(
            job.ref,
            attempt.attempt_count,
            attempt.failure_count,
            attempt.released_count,
            attempt.generation,
            one.worker_id,
            clock.now(),
        )
        told: tuple[Analysis, ...] = started, ChargeRecorded(job.ref, one.charge)
        partition = job.segment.source_partition
        return [(partition, to_outgoing(self._settings, said, one.traced)) for said in told]

    async def pay(self, job: Job, charges: Sequence[Charge]) -> None:
        """Write what calls cost, and tell of it, while their job goes on."""
        paid = [ChargeRecorded(job.ref, charge) for charge in charges]
        async with self._pool.acquire() as connection, connection.transaction():
            await money.apply(connection, paid)
            partition = job.segment.source_partition
            await publish(connection, self._settings, ((partition, one) for one in paid))

    async def settle(self, claim: Claim, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Settle what became of a claim's jobs; returns the outcomes that counted."""
        held = [HeldOutcome(claim.token, one) for one in outcomes]
        counted = await self.settle_all(held)
        return [one.outcome for one, counts in zip(held, counted, strict=True) if counts]

    async def settle_all(self, held: Sequence[HeldOutcome]) -> list[bool]:
        """Write outcomes, and their ends into the outbox, in one transaction.

        Says of each, in their order, whether it counted: of a job that its claim no longer holds
        only the money is written. A crash before the COMMIT costs the attempts, which are made
        again when the lease is out.
        """
        rows = columns(_outcome_row(one) for one in held)
        outcomes = [one.outcome for one in held]
        async with self._pool.acquire() as connection, connection.transaction():
            settled = await connection.fetch(SQL["settle_jobs"], *rows)
            keys = {(str(row["token"]), key_of_row(row)) for row in settled}
            counted = [(one.token, key_of(one.outcome.job)) in keys for one in held]
            await money.apply(connection, _charges(outcomes))
            ends = [
                one.ended
                for one, counts in zip(outcomes, counted, strict=True)
                if counts and one.ended is not None
            ]
            memos = [memo_of(ended) for ended in ends]
            await remember(connection, [memo for memo in memos if memo is not None])
            await self._suspend(connection, outcomes)
            told = [
                (one.outcome.job.segment.source_partition, said, one.traced)
                for one, counts in zip(held, counted, strict=True)
                for said in _told(one.outcome, counts=counts)
            ]
            made = [(at, to_outgoing(self._settings, said, by)) for at, said, by in told]
            await enqueue(connection, self._settings, made)
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


def _told(outcome: Outcome, *, counts: bool) -> Iterable[Analysis]:
    """An end that counted tells of its charges; those of others are told of by themselves."""
    if counts and outcome.ended is not None:
        return [outcome.ended]
    return [ChargeRecorded(outcome.job.ref, charge) for charge in outcome.charges]


def _outcome_row(held: HeldOutcome) -> tuple[Any, ...]:
    outcome = held.outcome
    return (
        held.token,
        *key_of(outcome.job),
        outcome.state.value,
        outcome.reason,
        outcome.failure_count,
        outcome.released_count,
        outcome.due_in,
        outcome.estimated_micro_usd,
        outcome.raw_answer,
    )
