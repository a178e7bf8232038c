"""Jobs as the two topics make and end them, each within the transaction of its fence."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple

from parley.analyses import Analysis, JobEnded, JobKey
from parley.db.pool import Connection, Pool
from parley.tracing import TRACING
from services.analyzer.core.history import Standing, charges_of, fold
from services.analyzer.core.jobs import Attempt, Job, Stale
from services.analyzer.core.memo import memo_of
from services.analyzer.store import money
from services.analyzer.store.memory import remember
from services.analyzer.store.rows import SQL, attempt_of, columns, job_row, key_of, key_of_row


async def insert_jobs(connection: Connection, jobs: Sequence[Job]) -> None:
    """Write new jobs within the caller's transaction; known ones stay as they are.

    One of which the analyses topic has told already begins where that leaves it.
    """
    if jobs:
        # Nobody keeps what is told of a job that is being inserted as of one that is not there.
        await connection.execute(SQL["lock_histories_shared"])
        rows = columns(job_row(job) for job in jobs)
        await connection.execute(SQL["insert_jobs"], *rows, TRACING.traceparent())
        await connection.execute(SQL["use_histories"], *columns(map(key_of, jobs)))


async def end_stale(connection: Connection, stale: Sequence[Stale]) -> list[tuple[Attempt, str]]:
    """End as superseded what is no longer wanted; returns the jobs with the reason."""
    if not stale:
        return []
    rows = await connection.fetch(SQL["end_stale_jobs"], *columns(map(astuple, stale)))
    return [(attempt_of(row), row["reason"]) for row in rows]


async def apply_told(connection: Connection, told: Sequence[Analysis]) -> None:
    """Write within the caller's transaction what the topic says, of jobs to come too."""
    await _apply_histories(connection, fold(told))
    await money.apply(connection, charges_of(told))
    memos = [memo_of(one) for one in told if isinstance(one, JobEnded)]
    await remember(connection, [memo for memo in memos if memo is not None])


async def _apply_histories(connection: Connection, told: Mapping[JobKey, Standing]) -> None:
    if not told:
        return
    rows = columns((*key, *standing) for key, standing in told.items())
    # First of all: a job that appears after this question is there for the others.
    is_any_unknown = await connection.fetchval(SQL["is_any_unknown"], *rows[:5])
    if is_any_unknown:
        await connection.execute(SQL["lock_histories"])
    await connection.execute(SQL["apply_histories"], *rows)
    if is_any_unknown:
        kept = await connection.fetch(SQL["kept_histories"], *rows[:5])
        known = {key_of_row(row): _standing(row) for row in kept}
        whole = {
            key: known[key].then(standing) if key in known else standing
            for key, standing in told.items()
        }
        merged = columns((*key, *standing) for key, standing in whole.items())
        await connection.execute(SQL["keep_histories"], *merged)


def _standing(row: Mapping[str, object]) -> Standing:
    return Standing(*(row[name] for name in Standing._fields))  # type: ignore[arg-type]


async def passed_ends(pool: Pool, consumer: str, topic: str) -> dict[int, int]:
    """Up to where each partition of the analyses topic is applied."""
    rows = await pool.fetch(SQL["passed_ends"], consumer, topic)
    return {row["partition"]: row["next_offset"] for row in rows}
