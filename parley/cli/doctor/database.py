"""Checks the database, its tables, and what the consumers wrote there about themselves."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final

import asyncpg
from aiokafka.errors import KafkaError

from parley import clock
from parley.activity.figures import Activity
from parley.activity.reading import read_activity
from parley.cli import facts
from parley.cli.doctor.findings import Finding, check_latency, fail, failed, ok, warn
from parley.cli.doctor.remedies import for_stopped
from parley.cli.doctor.waiting import (
    check_backfills,
    check_locks,
    check_sealing,
    check_webhooks,
)
from parley.cli.facts import SQL, PartitionFacts
from parley.cli.running import as_user_error
from parley.cli.wording import counted
from parley.db import migrations
from parley.db.pool import Pool
from parley.errors import UserError
from parley.passes.suspended import Suspended, suspended_passes
from parley.settings import Settings

# A consumer that has work and has not moved for so long is stuck, or does not run.
STUCK_AFTER_S: Final = 30.0
LARGE_LAG_RECORDS: Final = 10_000
CLOCK_TOLERANCE: Final = timedelta(seconds=2)


async def check_database(settings: Settings) -> list[Finding]:
    """Whether the database answers, has this release's tables, and the consumers move in it."""
    try:
        async with facts.connection_pool(settings) as pool:
            return [await _latency(pool), *await _tables(settings, pool)]
    except asyncpg.InsufficientPrivilegeError as error:
        text = f"this login may not look at everything: {error}"
        return [warn("database", text, "Run the doctor with the operator's login.")]
    except (UserError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        return [failed("database", as_user_error(error))]


async def _latency(pool: Pool) -> Finding:
    started_at = clock.monotonic()
    await pool.fetchval(SQL["clock"])
    return check_latency("database", "it", clock.monotonic() - started_at)


async def _tables(settings: Settings, pool: Pool) -> list[Finding]:
    version = await migrations.version(settings)
    if not version.is_newest:
        text = f"the tables are at revision {version.current}, not {version.newest}"
        return [await _clock(pool), fail("database", text, "Run `parley db upgrade`.")]
    reading = await _reading(settings, pool)
    partitions = [] if isinstance(reading, Finding) else reading
    windows = await pool.fetch(SQL["windows_by_partition"])
    return [
        ok("database", f"the tables are at the newest revision, {version.newest}"),
        await _clock(pool),
        *_outbox(await pool.fetch(SQL["outbox"])),
        *_inbox(await pool.fetchrow(SQL["inbox"])),
        *check_jobs(await pool.fetch(SQL["job_reasons"])),
        *check_passes(
            await pool.fetchval(SQL["active_passes"]), (await suspended_passes(pool)).values()
        ),
        *_dead_letters(await pool.fetch(SQL["dead_letters"])),
        *_ledger(await pool.fetch(SQL["ledger"])),
        check_activity(await read_activity(pool)),
        check_sealing(windows, clock.now(), catching_up(partitions)),
        *check_backfills(await pool.fetch(SQL["backfills"])),
        *check_webhooks(await pool.fetchrow(SQL["webhooks"])),
        *check_locks(await pool.fetch(SQL["lock_holders"])),
        *([reading] if isinstance(reading, Finding) else check_consumers(partitions)),
    ]


async def _reading(settings: Settings, pool: Pool) -> list[PartitionFacts] | Finding:
    """How far the consumers are; or that nobody knows."""
    try:
        return await facts.partitions(settings, pool)
    except (UserError, KafkaError) as error:
        # Where the log ends is not known; how bad that is says the check of Kafka.
        text = "not checked, since the topics' ends are not known"
        return warn("consumers", text, as_user_error(error).remedy)


def catching_up(partitions: Sequence[PartitionFacts]) -> set[int]:
    """The partitions of the events topic in which the sealer has records to read, and reads."""
    return {
        one.partition
        for one in partitions
        if one.consumer == "sealer" and one.lag and not one.stopped_reason and not is_stuck(one)
    }


async def _clock(pool: Pool) -> Finding:
    before = clock.now()
    theirs = await pool.fetchval(SQL["clock"])
    after = clock.now()
    ahead = theirs - (before + (after - before) / 2)
    text = f"the database's clock differs by {ahead.total_seconds():+.3f} s from this machine's"
    if abs(ahead) > CLOCK_TOLERANCE:
        return warn("clocks", text, "Let both machines keep their time by NTP.")
    return ok("clocks", text)


def check_activity(activity: Activity) -> Finding:
    """Whether anybody counts for the live view; nothing else depends on it."""
    if activity.age is None:
        text = f"{activity.reasons[0]}; `parley top` shows nothing"
        return warn("activity", text, "Is the activity worker running? See `parley status`.")
    text = f"measured {activity.age.total_seconds():.1f} s ago"
    if activity.reasons:
        remedy = "It passes while the worker reads what it missed; see docs/activity.md."
        return warn("activity", f"{text}, too low: {'; '.join(activity.reasons)}", remedy)
    return ok("activity", text)


def check_consumers(partitions: list[PartitionFacts]) -> list[Finding]:
    """Whether each consumer reads every partition of its topic, and keeps up."""
    names = list(dict.fromkeys((one.consumer, one.topic) for one in partitions))
    found = []
    for name in names:
        group = [one for one in partitions if (one.consumer, one.topic) == name]
        found += _consumer(*name, group)
    return found + _broker_clock(partitions)


def _consumer(consumer: str, topic: str, group: list[PartitionFacts]) -> list[Finding]:
    subject = f"{consumer} of {topic}"
    # A service may run several consumers: persister, persister-seals.
    service = consumer.partition("-")[0]
    stopped = [one for one in group if one.stopped_reason]
    if stopped:
        return [
            fail(
                "consumers",
                f"{subject}: partition {one.partition} stands still: {one.stopped_reason}",
                for_stopped(one.stopped_reason or "")
                or f"See `parley local logs {service}`; docs/faults-and-dead-letters.md says how "
                "it goes on.",
            )
            for one in stopped
        ]
    lag = sum(one.lag for one in group)
    stuck = [one for one in group if one.lag and is_stuck(one)]
    if stuck:
        numbers = ", ".join(str(one.partition) for one in stuck)
        text = f"{subject}: partitions {numbers} do not move, with {counted(lag, 'record')} to read"
        return [fail("consumers", text, f"Is the {service} running? See `parley status`.")]
    if any(one.is_held for one in group):
        text = f"{subject}: fences are held"
        return [warn("consumers", text, "A swap of the tables is under way, or was broken off.")]
    if lag > LARGE_LAG_RECORDS:
        text = f"{subject}: {counted(lag, 'record')} behind"
        return [warn("consumers", text, f"It moves. Run more of the {service} if it stays so.")]
    return [ok("consumers", f"{subject}: {counted(lag, 'record')} behind")]


def is_stuck(partition: PartitionFacts) -> bool:
    """Whether a consumer that has records to read has not moved for too long."""
    return not partition.has_fence or partition.seconds_since_move > STUCK_AFTER_S


def _broker_clock(partitions: list[PartitionFacts]) -> list[Finding]:
    """A record is stored after it was appended: if it seems otherwise, clocks differ."""
    seen = [
        one.updated_at - one.last_append_time
        for one in partitions
        if one.updated_at is not None and one.last_append_time is not None
    ]
    if not seen or min(seen) > -CLOCK_TOLERANCE:
        return []
    text = f"the broker's clock is at least {-min(seen).total_seconds():.1f} s ahead"
    return [warn("clocks", f"{text} of the database's", "Let both keep their time by NTP.")]


def _outbox(rows: list[Any]) -> list[Finding]:
    stuck = [row for row in rows if row["oldest_seconds"] > STUCK_AFTER_S]
    if not stuck:
        return [ok("outbox", "nothing waits for long")]
    return [
        fail(
            "outbox",
            f"{counted(row['waiting'], 'record')} of the {row['consumer']} wait for "
            f"{row['oldest_seconds']:.0f} s to be published",
            f"Is the {row['consumer']} running, and does Kafka take records?",
        )
        for row in stuck
    ]


def _inbox(row: Any) -> list[Finding]:
    found = []
    if row["oldest_seconds"] > STUCK_AFTER_S:
        text = f"{counted(row['waiting'], 'message')} of record_message() wait to be published"
        found.append(fail("inbox", text, "Is the persister running, and does Kafka take records?"))
    if row["refused"]:
        text = f"{counted(row['refused'], 'message')} of record_message() cannot be published"
        remedy = f"One reason: {row['a_reason']}. See operations.inbox, column refused_reason."
        found.append(warn("inbox", text, remedy))
    return found or [ok("inbox", "nothing waits for long, nothing was refused")]


def check_jobs(rows: list[Any]) -> list[Finding]:
    """Jobs that wait for somebody, by their state and reason; rows are those of `job_reasons`."""
    remedies = {
        "parked": "See them with `parley jobs list --state parked`; "
        "`parley jobs redrive` lets them begin anew.",
        "failed": "See them with `parley jobs list --state failed`; mend the pass, then redrive.",
    }
    return [
        warn(
            "analysis",
            f"{row['state']}: {counted(row['jobs'], 'job')}, because of {row['reason'] or '?'}",
            remedies[row["state"]],
        )
        for row in rows
    ] or [ok("analysis", "no job is failed or parked")]


def check_passes(active_count: int, suspended: Collection[Suspended]) -> list[Finding]:
    """Whether there are passes in force, and none whose jobs wait as things are set."""
    if not active_count:
        text = "no pass is in force: segments get no verdicts"
        return [warn("passes", text, "Run `parley passes apply`.")]
    return [
        (fail if one.is_everywhere else warn)(
            "passes", f"{one.pass_name} version {one.pass_version} is {one}", one.remedy
        )
        for one in suspended
    ] or [ok("passes", f"{active_count} in force, none suspended")]


def _dead_letters(rows: list[Any]) -> list[Finding]:
    return [
        warn(
            "dead letters",
            f"{row['records']:,} of the {row['service']} because of {row['reason']}, "
            f"{row['last_day']:,} of them in the last day",
            f"See them with `parley dead-letters list --reason {row['reason']}`, and redrive or "
            "discard them.",
        )
        for row in rows
    ] or [ok("dead letters", "none is open")]


def _ledger(rows: list[Any]) -> list[Finding]:
    wrong = [row for row in rows if row["residue"]]
    return [
        fail(
            "ledger",
            f"{row['consumer']} of {row['topic']}/{row['partition']}: {row['residue']:+,} records "
            "are not accounted for",
            "Find out since when with `parley ledger --since`; keep the log and the database as "
            "they are, and report it.",
        )
        for row in wrong
    ] or [ok("ledger", "every record that was read is accounted for")]
