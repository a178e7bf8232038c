"""Judges what waits in the tables: segments for the sealer, backfills, webhooks, and locks."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from parley.cli.doctor.findings import Finding, fail, ok, warn
from parley.cli.wording import counted

# A segment is sealed within seconds of its deadline, by a tick where nobody speaks.
OVERDUE_AFTER: Final = timedelta(minutes=1)
# An analyzer takes a backfill up within a second, and a dead one's part after a lease.
LEFT_ALONE_AFTER_S: Final = 60.0
OLD_DELIVERY_S: Final = 3_600.0
# Services wait for a lock for 10 s, and then try again.
LONG_LOCK_S: Final = 2.0


def check_sealing(rows: Sequence[Any], now: datetime, catching_up: Collection[int] = ()) -> Finding:
    """Whether segments that are over get sealed; rows are those of `windows_by_partition`.

    In partitions where the sealer has records to read, and reads them, its time is behind ours:
    what is over is sealed when it gets there.
    """
    overdue = [row for row in rows if _is_overdue(row, now)]
    left = [row for row in overdue if row["partition"] not in catching_up]
    if left:
        remedy = "Is the sealer running, and does it write its ticks? See `parley status -v`."
        return fail("sealing", _due(left, "should be sealed", now), remedy)
    if overdue:
        remedy = "It passes by itself; `parley status -v` shows how far it is."
        return warn("sealing", f"catching up: {_due(overdue, 'will be sealed', now)}", remedy)
    open_count = sum(row["open"] for row in rows)
    return ok("sealing", f"{counted(open_count, 'segment')} open, none overdue")


def _is_overdue(row: Any, now: datetime) -> bool:
    due_at = row["next_deadline"]
    return due_at is not None and now - due_at > OVERDUE_AFTER


def _due(rows: Sequence[Any], what: str, now: datetime) -> str:
    since_s = (now - min(row["next_deadline"] for row in rows)).total_seconds()
    due_count = sum(row["due"] for row in rows)
    return f"{counted(due_count, 'segment')} {what}, the first one since {since_s:.0f} s"


def check_backfills(rows: list[Any]) -> list[Finding]:
    """Whether backfills go on; rows are those of `backfills`."""
    found = [one for row in rows if (one := _backfill(row)) is not None]
    return found or [ok("backfills", f"{counted(len(rows), 'backfill')} under way, none stuck")]


def _backfill(row: Any) -> Finding | None:
    run_id, state = row["run_id"][:8], row["state"]
    why = f": {row['reason']}" if row["reason"] else ""
    if state == "stopped":
        return fail("backfills", f"{run_id} has stopped{why}", "Begin it again: it makes the rest.")
    if state == "paused" and row["reason"]:
        text = f"{run_id} is paused{why}"
        return warn(
            "backfills", text, f"Go on with `parley backfill resume {run_id} --budget USD`."
        )
    if state == "running" and not row["is_read"] and row["seconds"] > LEFT_ALONE_AFTER_S:
        text = f"no analyzer is at {run_id}, which runs"
        return fail("backfills", text, "Is the analyzer running? Four runs are read at one time.")
    return None


def check_webhooks(row: Any) -> list[Finding]:
    """Whether webhooks are told; the row is that of `webhooks`."""
    found = []
    if row["disabled"]:
        text = f"{counted(row['disabled'], 'webhook')} disabled by failures"
        remedy = "See `parley webhooks list`; once it answers, `parley webhooks enable NAME`."
        found.append(warn("webhooks", text, remedy))
    if row["oldest_seconds"] > OLD_DELIVERY_S:
        text = (
            f"{counted(row['waiting'], 'verdict')} wait to be told, the oldest for "
            f"{row['oldest_seconds'] / 3600:.1f} h"
        )
        remedy = "See `parley webhooks list`, and the analyzer's /health for PARLEY_WEBHOOK_KEY."
        found.append(warn("webhooks", text, remedy))
    return found or [ok("webhooks", "none is disabled, and nothing waits for long")]


def check_locks(rows: list[Any]) -> list[Finding]:
    """Whether somebody holds a lock that others wait for; rows are those of `lock_holders`."""
    return [
        warn(
            "locks",
            f"{counted(row['waiting'], 'session')} wait since {row['seconds']:.0f} s for process "
            f"{row['pid']} ({row['login']}, {row['application'] or 'unnamed'}, {row['state']})",
            f"If nobody needs it: SELECT pg_terminate_backend({row['pid']}). What waits goes on by "
            "itself.",
        )
        for row in rows
        if row["seconds"] > LONG_LOCK_S
    ] or [ok("locks", "nobody waits for long")]
