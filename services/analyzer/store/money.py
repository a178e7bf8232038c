"""What calls cost: reserved and committed before each, settled after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from parley.analyses import Charge, ChargeRecorded, Lane
from parley.db.pool import Connection, Pool
from services.analyzer.core.budget import Limits, Spent
from services.analyzer.core.jobs import Attempt
from services.analyzer.store.rows import SQL, charge_row, columns, key_of


class BudgetSpent(Exception):
    """The call does not fit into a budget: its job is parked for this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LeaseLost(Exception):
    """The claim does not hold the job any more: nothing is called for it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs that wait for money: of one pass, tenant, lane and backfill.

    `run_room_micro_usd` is None where the backfill has no budget of its own.
    """

    fingerprint: str
    tenant_id: str
    lane: Lane
    reason: str
    backfill_run_id: str | None
    least_micro_usd: int
    spent: Spent
    run_room_micro_usd: int | None


async def reserve(
    connection: Connection,
    token: str,
    attempt: Attempt,
    charge: Charge,
    limits: Limits,
    lease: timedelta,
) -> None:
    """Count a call before it is made, within the caller's transaction.

    Raises LeaseLost, and BudgetSpent where it does not fit.
    """
    job = attempt.job
    held = await connection.execute(SQL["hold_job"], token, *key_of(job), lease)
    if held != "UPDATE 1":
        raise LeaseLost
    reserved = await connection.fetchval(
        SQL["reserve_day"],
        job.segment.tenant_id,
        job.pass_name,
        charge.utc_day,
        charge.lane.value,
        charge.estimated_micro_usd,
        limits.total_micro_usd,
        limits.backfill_micro_usd,
    )
    if reserved is None:
        raise BudgetSpent("budget")
    if charge.backfill_run_id:
        run = (charge.backfill_run_id, charge.estimated_micro_usd)
        if await connection.fetchval(SQL["reserve_run"], *run) is None:
            raise BudgetSpent("budget_of_backfill")
    await connection.execute(SQL["insert_charge"], *charge_row(job.ref, charge)[:-1])


async def apply(connection: Connection, charges: Sequence[ChargeRecorded]) -> None:
    """Write charges within the caller's transaction; those that are known count once."""
    if charges:
        rows = columns(charge_row(one.job, one.charge) for one in charges)
        await connection.execute(SQL["apply_charges"], *rows)


async def waiting(pool: Pool, utc_day: date) -> list[Waiting]:
    """What waits for money, with what its budgets have spent."""
    rows = await pool.fetch(SQL["parked_by_budget"], utc_day)
    return [
        Waiting(
            row["fingerprint"],
            row["tenant_id"],
            Lane(row["lane"]),
            row["reason"],
            row["backfill_run_id"],
            row["least_micro_usd"] or 0,
            Spent(row["live_micro_usd"], row["backfill_micro_usd"]),
            row["run_room_micro_usd"],
        )
        for row in rows
    ]


async def reopen(pool: Pool, group: Waiting, room_micro_usd: int) -> int:
    """Let as many of the jobs be claimed as there is room for; returns how many."""
    status = await pool.execute(
        SQL["reopen_by_budget"],
        group.reason,
        group.fingerprint,
        group.tenant_id,
        group.lane.value,
        group.backfill_run_id,
        room_micro_usd,
    )
    return int(status.removeprefix("UPDATE "))
