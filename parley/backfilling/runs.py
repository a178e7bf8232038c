"""Runs of backfills as rows: begun, looked at, and told to pause, go on or end.

Whoever does that only writes rows: analyzers carry it out, so it goes on when this process ends.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from parley import ids
from parley.backfilling.core import BackfillPass, Filters, Tally
from parley.backfilling.request import BackfillRequest, in_one_order
from parley.db.pool import Pool
from parley.db.sql import load
from parley.passes.suspended import Suspended, suspended_passes

_SQL: Final = load(__package__)
MOST_RUNS: Final = 1_000
_AT_WORK: Final = ("open", "claimed")


class RunState(StrEnum):
    """Where a run stands; the last three are its end."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    STOPPED = "stopped"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self in (RunState.CANCELLED, RunState.FINISHED, RunState.STOPPED)


class Act(StrEnum):
    """What a person may do with a run."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


_MOVES: Final[Mapping[Act, tuple[tuple[RunState, ...], RunState]]] = {
    Act.PAUSE: ((RunState.RUNNING,), RunState.PAUSED),
    Act.RESUME: ((RunState.PAUSED,), RunState.RUNNING),
    Act.CANCEL: ((RunState.RUNNING, RunState.PAUSED), RunState.CANCELLING),
}


@dataclass(frozen=True, slots=True)
class Run:
    """A run, as its row says."""

    id: str
    state: RunState
    reason: str
    passes: tuple[BackfillPass, ...]
    filters: Filters
    limit: int | None
    is_newest_first: bool
    is_from_segments: bool
    rate: float | None
    concurrency: int
    budget_micro_usd: int | None
    topic: str | None
    enqueued_count: int
    started_by: str
    created_at: datetime
    prepared_at: datetime | None
    enqueued_at: datetime | None
    finished_at: datetime | None

    @property
    def is_ordered(self) -> bool:
        """Whether one analyzer reads all partitions, in the order of time."""
        return in_one_order(
            self.limit, is_newest_first=self.is_newest_first, is_from_segments=self.is_from_segments
        )

    @property
    def goes_down(self) -> bool:
        """Whether offsets are passed downwards; stored segments are counted up in either order."""
        return self.is_newest_first and not self.is_from_segments


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: records of its range that were passed, what was found, what became of it.

    `jobs` counts the run's jobs by state, and `by_pass` by pass and state. While it runs,
    `suspended` are those of its passes of which no job is run.
    """

    run: Run
    passed: int
    total: int
    lost: int
    workers: int
    tally: Tally
    jobs: Mapping[str, int]
    by_pass: Mapping[str, Mapping[str, int]]
    parked_because: Mapping[str, int]
    spent_micro_usd: int = 0
    suspended: tuple[Suspended, ...] = ()

    @property
    def ended(self) -> int:
        """Jobs that have ended."""
        unfinished = ("open", "claimed", "parked")
        return sum(count for state, count in self.jobs.items() if state not in unfinished)

    @property
    def parked(self) -> int:
        """Jobs that wait for something: a provider, money, or a person."""
        return self.jobs.get("parked", 0)


async def start(
    pool: Pool, request: BackfillRequest, started_by: str, run_id: str | None = None
) -> str:
    """Write the run; an analyzer takes it up within about a second. Returns its id.

    The same `run_id` again changes nothing. Raises UserError.
    """
    request.check()
    run_id, filters = run_id or ids.random_id(), request.filters
    await pool.execute(
        _SQL["insert_run"],
        run_id,
        orjson.dumps([one.to_json() for one in request.passes]).decode(),
        filters.since,
        filters.until,
        filters.tenant_id,
        filters.channel,
        filters.conversation_id,
        request.limit,
        request.is_newest_first,
        request.is_from_segments,
        request.rate,
        request.concurrency,
        request.budget_micro_usd,
        started_by,
    )
    return run_id


async def runs(pool: Pool, tenant_id: str | None = None, limit: int = MOST_RUNS) -> list[Run]:
    """The newest runs; of a tenant those that it filters by."""
    return [run_of(row) for row in await pool.fetch(_SQL["runs"], tenant_id, None, limit)]


async def run(pool: Pool, run_id: str, tenant_id: str | None = None) -> Run | None:
    """The run of that id; None where there is none."""
    row = await pool.fetchrow(_SQL["runs"], tenant_id, run_id, 1)
    return None if row is None else run_of(row)


async def ids_like(pool: Pool, beginning: str) -> list[str]:
    """Up to two ids that begin so."""
    return [row["id"] for row in await pool.fetch(_SQL["run_ids_like"], beginning)]


async def act(
    pool: Pool, run_id: str, wanted: Act, by: str, budget_micro_usd: int | None = None
) -> bool:
    """Tell the analyzers; False where the run is in no state for it, as when it is so already.

    With a budget, in millionths of a US dollar, it has that one from then on; what it spent counts.
    Where the act is refused the budget is, too.
    """
    before, after = _MOVES[wanted]
    states = [one.value for one in before]
    told = (run_id, after.value, "", by, states, budget_micro_usd)
    return await pool.fetchval(_SQL["change_state"], *told) is not None


async def progress(pool: Pool, found: Sequence[Run]) -> list[Progress]:
    """How far these runs are, from their jobs themselves, so that nothing is counted twice."""
    wanted = [one.id for one in found]
    partitions = await pool.fetch(_SQL["partitions"], wanted)
    jobs = await pool.fetch(_SQL["job_states"], wanted)
    spent = {
        row["run_id"]: row["spent_micro_usd"] for row in await pool.fetch(_SQL["spent"], wanted)
    }
    suspended = await suspended_passes(pool)
    return [
        _progress(
            one,
            [row for row in partitions if row["run_id"] == one.id],
            [row for row in jobs if row["run_id"] == one.id],
            spent.get(one.id, 0),
            suspended,
        )
        for one in found
    ]


def _progress(
    run: Run,
    partitions: Sequence[Any],
    jobs: Iterable[Any],
    spent_micro_usd: int,
    suspended: Mapping[str, Suspended],
) -> Progress:
    tally, states, parked = Tally(), Counter[str](), Counter[str]()
    by_pass: dict[str, Counter[str]] = {}
    for row in partitions:
        tally.add(Tally.from_json(orjson.loads(row["counts"])))
    for row in jobs:
        states[row["state"]] += row["jobs"]
        by_pass.setdefault(row["pass_name"], Counter())[row["state"]] += row["jobs"]
        if row["state"] == "parked":
            parked[row["reason"]] += row["jobs"]
    return Progress(
        run=run,
        passed=sum(_passed(row, goes_down=run.goes_down) for row in partitions),
        total=sum(row["end_offset"] - row["begin_offset"] for row in partitions),
        lost=sum(row["lost_count"] for row in partitions),
        workers=sum(row["is_held"] for row in partitions),
        tally=tally,
        jobs=states,
        by_pass=by_pass,
        parked_because=parked,
        spent_micro_usd=spent_micro_usd,
        suspended=tuple(_left(run, by_pass, suspended)),
    )


def _left(
    run: Run, by_pass: Mapping[str, Mapping[str, int]], suspended: Mapping[str, Suspended]
) -> Iterator[Suspended]:
    """The passes that the run waits for: jobs of theirs are left, or are still to be made."""
    for one in run.passes:
        states = by_pass.get(one.name, {})
        is_wanted = run.enqueued_at is None or any(states.get(state) for state in _AT_WORK)
        if run.state is RunState.RUNNING and is_wanted and one.fingerprint in suspended:
            yield suspended[one.fingerprint]


def _passed(row: Any, *, goes_down: bool) -> int:
    passed: int = (
        row["end_offset"] - row["next_offset"]
        if goes_down
        else row["next_offset"] - row["begin_offset"]
    )
    return row["end_offset"] - row["begin_offset"] if row["is_done"] else passed


def run_of(row: Any) -> Run:
    """A run's row as a value."""
    return Run(
        id=str(row["id"]),
        state=RunState(row["state"]),
        reason=row["reason"],
        passes=tuple(BackfillPass.from_json(one) for one in orjson.loads(row["passes"])),
        filters=Filters(
            row["since"],
            row["until"],
            row["tenant_id"],
            row["channel"],
            row["conversation_id"],
        ),
        limit=row["job_limit"],
        is_newest_first=row["is_newest_first"],
        is_from_segments=row["is_from_segments"],
        rate=row["rate"],
        concurrency=row["concurrency"],
        budget_micro_usd=row["budget_micro_usd"],
        topic=row["topic"],
        enqueued_count=row["enqueued_count"],
        started_by=row["started_by"],
        created_at=row["created_at"],
        prepared_at=row["prepared_at"],
        enqueued_at=row["enqueued_at"],
        finished_at=row["finished_at"],
    )
