"""Judges what waits in the tables: segments for the sealer, backfills, webhooks, and locks."""

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


def check_sealing(row: Any, now: datetime) -> Finding:
    """Whether segments that are over get sealed; the row is that of `open_windows`."""
    due_at = row["next_deadline"]
    if due_at is not None and now - due_at > OVERDUE_AFTER:
        text = (
            f"{counted(row['due'], 'segment')} should be sealed, the first one since "
            f"{(now - due_at).total_seconds():.0f} s"
        )
        remedy = "Is the sealer running, and does it write its ticks? See `parley status -v`."
        return fail("sealing", text, remedy)
    return ok("sealing", f"{counted(row['open'], 'segment')} open, none overdue")


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
