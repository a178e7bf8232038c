"""Waits until simulated conversations are sealed and analysed, and shows what came of one."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from parley import clock
from parley.db.pool import Pool
from parley.db.sql import load
from parley.errors import UserError

_SQL: Final = load(__package__)
POLL_S: Final = 0.25

# Of who comes without a token, unless somebody set PARLEY_GATEWAY_TENANT.
TENANT: Final = "default"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a number of conversations have come."""

    conversations: int
    sealed: int
    analysed: int
    verdicts: int


@dataclass(frozen=True, slots=True)
class SegmentShown:
    """A segment with what was said in it and what the passes found."""

    facts: Mapping[str, Any]
    lines: list[tuple[str, str]]
    verdicts: list[tuple[str, Any]]


async def wait_for_verdicts(
    pool: Pool,
    message_counts: Mapping[str, int],
    timeout_s: float,
    report: Callable[[Progress], None],
) -> Progress:
    """Return once every message is in a sealed segment and every segment has all its verdicts.

    Raises UserError after `timeout_s` seconds.
    """
    deadline = clock.monotonic() + timeout_s
    while True:
        rows = await pool.fetch(_SQL["progress"], TENANT, list(message_counts))
        progress = _progress(rows, message_counts)
        report(progress)
        if progress.analysed == progress.conversations:
            return progress
        if clock.monotonic() > deadline:
            raise UserError(
                f"After {timeout_s:.0f} s only {progress.sealed} of {progress.conversations} "
                f"conversations are sealed, and {progress.analysed} analysed.",
                "See `parley status`. A conversation is sealed only when it was quiet for its "
                "channel's gap: `--channel demo` has a short one in `make run`.",
            )
        await asyncio.sleep(POLL_S)


async def first_segment(pool: Pool, conversation_ids: list[str]) -> SegmentShown | None:
    """The segment of these conversations that was sealed first; None where there is none."""
    segment = await pool.fetchrow(_SQL["first_segment"], TENANT, conversation_ids)
    if segment is None:
        return None
    messages = await pool.fetch(
        _SQL["segment_messages"],
        segment["tenant_id"],
        segment["conversation_id"],
        segment["started_at"],
        segment["ended_at"],
    )
    verdicts = await pool.fetch(
        _SQL["segment_verdicts"], segment["tenant_id"], segment["segment_id"], segment["revision"]
    )
    return SegmentShown(
        dict(segment),
        [(row["role"], row["content"]) for row in messages],
        [(row["pass_name"], orjson.loads(row["output"])) for row in verdicts],
    )


def _progress(rows: list[Any], message_counts: Mapping[str, int]) -> Progress:
    sealed = [
        row for row in rows if row["sealed_messages"] >= message_counts[row["conversation_id"]]
    ]
    analysed = [row for row in sealed if _is_analysed(row)]
    verdicts = sum(row["verdicts"] for row in rows)
    return Progress(len(message_counts), len(sealed), len(analysed), verdicts)


def _is_analysed(row: Any) -> bool:
    has_all_jobs = row["segments"] > 0 and row["waiting_segments"] == 0
    is_done = row["unfinished_jobs"] == 0 and row["verdicts"] == row["expected_verdicts"]
    return bool(has_all_jobs and is_done)
