"""Shows how far a run is until it is over; the run does not need it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from typing import Any, Final

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from parley import clock
from parley.backfilling import runs
from parley.backfilling.request import MICRO
from parley.backfilling.runs import Progress as Standing
from parley.backfilling.runs import RunState
from parley.cli.backfill.findings import parked_remarks, remarks
from parley.cli.facts import connection_pool
from parley.cli.output import Output, print_data, say, stderr
from parley.cli.running import run
from parley.cli.wording import counted, lasting
from parley.errors import UserError
from parley.passes.suspended import Suspended
from parley.settings import Settings

POLL_S: Final = 0.5
# An analyzer looks for runs more often than that.
UNTAKEN_S: Final = 10.0


def watch(settings: Settings, run_id: str, output: Output) -> None:
    """Show it until it is over; exits 1 where it was cancelled or stopped."""
    try:
        found = run(_follow(settings, run_id))
    except KeyboardInterrupt:
        say(f"\nThe backfill goes on. Watch it again with `parley backfill show {run_id} --watch`.")
        raise typer.Exit(130) from None
    if output is Output.TABLE:
        for sentence in sentences(found):
            say(sentence)
    else:
        print_data(output, facts(found))
    if found.run.state is not RunState.FINISHED:
        raise typer.Exit(1)


async def _follow(settings: Settings, run_id: str) -> Standing:
    async with connection_pool(settings) as pool:

        async def look() -> Standing:
            known = await runs.run(pool, run_id)
            if known is None:
                raise UserError(f"There is no backfill {run_id}.", "See `parley backfill list`.")
            return (await runs.progress(pool, [known]))[0]

        with Bars() as bars:
            return await until_over(look, bars.show)


async def until_over(
    look: Callable[[], Awaitable[Standing]], show: Callable[[Standing], None]
) -> Standing:
    """Look and show, until the run is over."""
    began_at, is_told = clock.monotonic(), False
    while True:
        found = await look()
        show(found)
        if found.run.state.is_over:
            return found
        is_untaken = found.run.prepared_at is None
        if is_untaken and not is_told and clock.monotonic() - began_at > UNTAKEN_S:
            say("No analyzer has taken it up yet: see with `parley status` whether one is running.")
            is_told = True
        await asyncio.sleep(POLL_S)


class Bars:
    """A bar for what was read, and one for the jobs that were found by then."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=stderr,
        )
        self._seals = self._begin("seals")
        self._jobs = self._begin("jobs")

    def _begin(self, what: str) -> TaskID:
        return self._progress.add_task(what, total=None, rate="", note="")

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, found: Standing) -> None:
        """Where it stands now."""
        self._move(self._seals, found.passed, found.total, found.run.state.value)
        self._move(self._jobs, found.ended, found.run.enqueued_count, _waiting(found))

    def _move(self, bar: TaskID, done: int, total: int, note: str) -> None:
        self._progress.update(bar, completed=done, total=total, note=note)
        speed = self._progress.tasks[bar].finished_speed or self._progress.tasks[bar].speed
        self._progress.update(bar, rate=f"{speed:,.0f}/s" if speed else "")


def _waiting(found: Standing) -> str:
    parked = ", ".join(f"{count:,} parked: {why}" for why, count in found.parked_because.items())
    suspended = ", ".join(f"{one.pass_name} {one}" for one in found.suspended)
    failed = found.jobs.get("failed", 0)
    spent = found.spent_micro_usd
    notes = (
        suspended,
        parked,
        f"{failed:,} failed" if failed else "",
        _usd(spent) if spent else "",
    )
    return "; ".join(filter(None, notes))


def _usd(micro_usd: int) -> str:
    return f"${micro_usd / MICRO:,.4f}"


def sentences(found: Standing) -> list[str]:
    """How it ended, or stands, for people."""
    state, jobs = found.run.state, found.jobs
    verdicts = jobs.get("verdict", 0)
    but = f" but for {counted(found.parked, 'parked job')}" if _is_left(found) else ""
    said = [
        f"Backfill {found.run.id} is {state.value}{but}: {counted(found.passed, 'record')} of "
        f"{found.total:,} read, {counted(found.run.enqueued_count, 'job')} made, "
        f"{counted(verdicts, 'verdict')}{_others(jobs)}.{_took(found)}"
    ]
    if found.run.reason:
        said.append(f"Because: {found.run.reason}.")
    said += [f"{one[0].upper()}{one[1:]}." for one in waits(found)]
    if found.spent_micro_usd:
        of = "" if found.run.budget_micro_usd is None else f" of {_usd(found.run.budget_micro_usd)}"
        said.append(f"Spent: {_usd(found.spent_micro_usd)}{of}.")
    if found.lost:
        said.append(
            f"WARNING: {counted(found.lost, 'record')} of the seals topic are gone and were passed "
            "over; --from-segments reads the stored segments instead."
        )
    if failed := jobs.get("failed", 0):
        said.append(
            f"{counted(failed, 'job')} of it failed; `parley jobs redrive` runs them again."
        )
    said += parked_remarks(found.parked_because)
    return [*said, *remarks(found.tally.by_pass)]


def waits(found: Standing) -> list[str]:
    """The passes that a run stands still for, and what somebody can do about each."""
    return [
        f"waiting: pass {one.pass_name} {_since(one)}, `parley passes resume {one.pass_name}`"
        if one.is_everywhere
        else f"waiting: pass {one.pass_name} {_since(one)}"
        for one in found.suspended
    ]


def _since(one: Suspended) -> str:
    whom = "" if one.is_everywhere else f" by {counted(one.analyzer_count, 'analyzer')}"
    since = one.since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f"suspended{whom} since {since} ({one.reason})"


def _is_left(found: Standing) -> bool:
    """Whether it has ended without some of its jobs."""
    return found.parked > 0 and found.run.state is RunState.FINISHED


def _others(jobs: Any) -> str:
    others = [f"{count:,} {state}" for state, count in sorted(jobs.items()) if state != "verdict"]
    return f" ({', '.join(others)})" if others else ""


def _took(found: Standing) -> str:
    if found.run.finished_at is None:
        return ""
    took: timedelta = found.run.finished_at - found.run.created_at
    return f" It took {lasting(took)}."


def facts(found: Standing) -> dict[str, Any]:
    """The run, for programs."""
    one = found.run
    return {
        "id": one.id,
        "state": one.state.value,
        "reason": one.reason,
        "passes": [
            {
                "name": each.name,
                "version": each.version,
                "fingerprint": each.fingerprint,
                "found": dict(found.tally.by_pass.get(each.name, {})),
                "jobs": dict(found.by_pass.get(each.name, {})),
            }
            for each in one.passes
        ],
        "filters": {
            "since": one.filters.since,
            "until": one.filters.until,
            "tenant": one.filters.tenant_id,
            "channel": one.filters.channel,
            "conversation": one.filters.conversation_id,
            "limit": one.limit,
            "newest_first": one.is_newest_first,
            "from_segments": one.is_from_segments,
        },
        "rate": one.rate,
        "concurrency": one.concurrency,
        "budget_micro_usd": one.budget_micro_usd,
        "spent_micro_usd": found.spent_micro_usd,
        "records_passed": found.passed,
        "records_total": found.total,
        "records_lost": found.lost,
        "analyzers": found.workers,
        "enqueued": one.enqueued_count,
        "jobs": dict(found.jobs),
        "parked_because": dict(found.parked_because),
        "suspended_passes": [
            {
                "name": each.pass_name,
                "version": each.pass_version,
                "reason": each.reason,
                "since": each.since,
                "analyzers": each.analyzer_count or None,
            }
            for each in found.suspended
        ],
        "started_by": one.started_by,
        "created_at": one.created_at,
        "enqueued_at": one.enqueued_at,
        "finished_at": one.finished_at,
    }
