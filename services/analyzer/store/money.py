"""What calls cost: reserved and committed before each, settled after it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from parley.analyses import Charge, ChargeRecorded, Lane
from parley.codec import Header
from parley.db.pool import Connection, Pool
from services.analyzer.core.budget import Limits, Spent
from services.analyzer.core.jobs import Attempt
from services.analyzer.store.rows import SQL, charge_row, columns, key_of, key_of_row


class BudgetSpent(Exception):
    """The call does not fit into a budget: its job is parked for this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LeaseLost(Exception):
    """The claim does not hold the job any more: nothing is called for it."""


Day = tuple[str, str, date, int, int, int]
"""Tenant, pass, UTC day and lane, and the limits of both lanes and of backfills."""


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


@dataclass(frozen=True, slots=True)
class Reservation:
    """A call that is about to be made for a job that is held under a token."""

    token: str
    attempt: Attempt
    charge: Charge
    limits: Limits
    worker_id: str
    traced: tuple[Header, ...] = ()

    @property
    def day(self) -> Day:
        """Whose budget it is taken from."""
        job, charge = self.attempt.job, self.charge
        limits = self.limits.total_micro_usd, self.limits.backfill_micro_usd
        return job.segment.tenant_id, job.pass_name, charge.utc_day, charge.lane.value, *limits


Refusal = LeaseLost | BudgetSpent


async def reserve(
    connection: Connection, wanted: Sequence[Reservation], lease: timedelta
) -> list[Refusal | None]:
    """Count calls before they are made, within the caller's transaction.

    Says of each, in their order, why it is not to be made; None where it is counted.
    """
    keys = columns((one.token, *key_of(one.attempt.job)) for one in wanted)
    rows = await connection.fetch(SQL["hold_jobs"], *keys, lease)
    held = {(str(row["token"]), key_of_row(row)) for row in rows}
    refused: list[Refusal | None] = [
        None if (one.token, key_of(one.attempt.job)) in held else LeaseLost() for one in wanted
    ]
    await _reserve_days(connection, wanted, refused)
    await _reserve_runs(connection, wanted, refused)
    charges = [one for one, why in zip(wanted, refused, strict=True) if why is None]
    if charges:
        rows_of = columns(charge_row(one.attempt.job.ref, one.charge)[:-1] for one in charges)
        await connection.execute(SQL["insert_charges"], *rows_of)
    return refused


async def _reserve_days(
    connection: Connection, wanted: Sequence[Reservation], refused: list[Refusal | None]
) -> None:
    """Day by day in one order for everybody: at once where all fits, else one after the other."""
    by_day: dict[Day, list[int]] = defaultdict(list)
    for place, one in enumerate(wanted):
        if refused[place] is None:
            by_day[one.day].append(place)
    for day, places in sorted(by_day.items()):
        *key, total, of_backfills = day
        whole = sum(wanted[place].charge.estimated_micro_usd for place in places)
        if await connection.fetchval(SQL["reserve_day"], *key, whole, total, of_backfills):
            continue
        for place in places:
            part = wanted[place].charge.estimated_micro_usd
            if not await connection.fetchval(SQL["reserve_day"], *key, part, total, of_backfills):
                refused[place] = BudgetSpent("budget")


async def _reserve_runs(
    connection: Connection, wanted: Sequence[Reservation], refused: list[Refusal | None]
) -> None:
    """The budgets of backfills; what does not fit into one is not taken from its day either."""
    places = [
        place
        for place, one in enumerate(wanted)
        if refused[place] is None and one.charge.backfill_run_id
    ]
    for place in sorted(places, key=lambda one: wanted[one].charge.backfill_run_id):
        charge = wanted[place].charge
        run = (charge.backfill_run_id, charge.estimated_micro_usd)
        if await connection.fetchval(SQL["reserve_run"], *run) is None:
            refused[place] = BudgetSpent("budget_of_backfill")
            key = wanted[place].day[:4]
            await connection.execute(SQL["return_to_day"], *key, charge.estimated_micro_usd)


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
