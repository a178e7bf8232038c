"""`parley sealing`: the segments that are open, and when each closes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import orjson
import typer

from parley import clock
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_rows, say, stdout
from parley.cli.running import run
from parley.cli.wording import counted, lasting
from parley.db.pool import Pool
from parley.db.sql import load
from parley.errors import UserError
from parley.settings import Settings

SQL: Final = load(__package__)
DEFAULT_TENANT: Final = "default"

Row = Mapping[str, Any]
_COLUMNS: Final = (
    *("conversation", "tenant", "channel", "messages", "began", "last"),
    *("closes", "in", "revision", "note"),
)
# On a narrow terminal these are left out, one after the other, rather than everything folded.
_FIRST_TO_GO: Final = ("channel", "began", "last", "revision", "messages")
# Between two columns of a table.
_SPACE: Final = 3
# Enough of an import's id to tell it from others.
_SHORT_ID: Final = 8


def sealing(
    conversation: Annotated[
        str | None, typer.Argument(help="Only the open segments of this one.")
    ] = None,
    *,
    tenant: Annotated[
        str | None, typer.Option(help="Whose; of one conversation, `default` unless given.")
    ] = None,
    due: Annotated[
        bool, typer.Option("--due", help="Only those whose deadline has passed.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the open segments, the one that closes first on top.

    A segment closes when the log's time in its partition reaches its deadline; one that an import
    holds has none, and its note names the import. Times are UTC. A narrow terminal shows fewer
    columns.

    Try:

        parley sealing --due

        parley sealing chat-7 -o json
    """
    settings = Settings.load()
    if conversation is not None:
        rows = run(_of_conversation(settings, tenant or DEFAULT_TENANT, conversation))
        shown = [one for one in rows if one["is_due"] or not due]
        _print(output, shown)
        if rows and not shown:
            say(nothing_due(conversation, rows))
        return
    # One more tells whether there are more.
    rows, counts = run(first_to_close(settings, tenant, limit + 1, is_due=due))
    _print(output, rows[:limit])
    say(summary(counts, tenant, limit if len(rows) > limit else None))


async def _of_conversation(
    settings: Settings, tenant_id: str, conversation_id: str
) -> list[dict[str, Any]]:
    async with connection_pool(settings) as pool:
        rows = await open_windows(pool, tenant_id, conversation_id)
        if not rows:
            say(await nothing_open(pool, tenant_id, conversation_id))
        return rows


@dataclass(frozen=True, slots=True)
class OpenCounts:
    """How many segments are open, by partition, and how many of them are due and held."""

    by_partition: dict[int, int]
    due: int
    held: int


async def first_to_close(
    settings: Settings, tenant_id: str | None, limit: int, *, is_due: bool
) -> tuple[list[dict[str, Any]], OpenCounts]:
    """The open segments of a tenant, or of all, that close first, and how many are open."""
    async with connection_pool(settings) as pool:
        rows = await pool.fetch(SQL["windows"], limit, tenant_id, is_due)
        partitions = await pool.fetch(SQL["open_by_partition"], tenant_id)
        rest = await pool.fetchrow(SQL["due_and_held"], tenant_id)
    counts = {row["partition"]: row["open"] for row in partitions}
    return [as_window(row) for row in rows], OpenCounts(counts, **rest)


async def open_windows(pool: Pool, tenant_id: str, conversation_id: str) -> list[dict[str, Any]]:
    """The open segments of a conversation, as the sealer's tables say."""
    rows = await pool.fetch(SQL["windows_of"], tenant_id, conversation_id)
    return [as_window(row) for row in rows]


async def nothing_open(pool: Pool, tenant_id: str, conversation_id: str) -> str:
    """What there is to say of a conversation with nothing open; raises UserError of no such."""
    last = await pool.fetchrow(SQL["last_segment"], tenant_id, conversation_id)
    if last is not None:
        messages = counted(last["message_count"], "message")
        return (
            f"Nothing is open in {conversation_id}. Its last segment is {last['segment_id']}: "
            f"{messages} up to {last['ended_at']:%Y-%m-%d %H:%M:%S} UTC, revision "
            f"{last['revision']}, closed because of: {last['cause']}."
        )
    if not await pool.fetchval(SQL["is_known"], tenant_id, conversation_id):
        raise UserError(
            f"The sealer knows no conversation {conversation_id} of tenant {tenant_id}.",
            "It may not have read it yet: `parley status` shows its lag. `parley explain "
            f"{conversation_id}` suggests near names.",
        )
    return f"Nothing is open in {conversation_id}, and no segment of it stands."


def nothing_due(conversation_id: str, windows: Sequence[Row]) -> str:
    """What there is to say of a conversation with open segments of which none is due."""
    told = f"Nothing of {conversation_id} is due: {counted(len(windows), 'segment')} open"
    coming = [one for one in windows if one["deadline"] is not None]
    if not coming:
        return f"{told}, held by imports."
    first = min(coming, key=lambda one: one["deadline"])
    at = first["deadline"].astimezone(UTC)
    return f"{told}, the next due at {at:%Y-%m-%d %H:%M:%S} UTC, in {_left(first['seconds_left'])}."


def as_window(row: Row) -> dict[str, Any]:
    """An open segment with all that is known of it, for programs."""
    facts = dict(row)
    ending, seconds_left = orjson.loads(facts.pop("ending")), facts["seconds_left"]
    # Of an import whose records were copied from several partitions, the name alone.
    held_by = sorted({one.partition("\n")[0] for one in orjson.loads(facts["held_by"])})
    return {
        **facts,
        "segment_id": str(row["segment_id"]),
        "held_by": held_by,
        "is_due": seconds_left is not None and seconds_left <= 0,
        "is_reopened": row["revision"] > 0,
        "is_ending": ending is not None,
    }


def _print(output: Output, windows: Sequence[Row]) -> None:
    if output is not Output.TABLE:
        print_rows(output, windows, ())
    elif windows:
        now = clock.now()
        shows_tenant = {one["tenant_id"] for one in windows} != {DEFAULT_TENANT}
        lines = [line_of(one, now, shows_tenant=shows_tenant) for one in windows]
        print_rows(output, lines, columns_for(lines, stdout.width))


def columns_for(lines: Sequence[Row], width: int) -> list[str]:
    """The columns for which a terminal of so many characters has room."""
    shown = [one for one in _COLUMNS if any(line[one] not in (None, "") for line in lines)]
    for name in _FIRST_TO_GO:
        if _width_of(lines, shown) <= width:
            break
        shown = [one for one in shown if one != name]
    return shown


def _width_of(lines: Sequence[Row], columns: Sequence[str]) -> int:
    widest = (max(len(str(line[one] or "")) for line in (*lines, {one: one})) for one in columns)
    return sum(widest) + _SPACE * len(columns)


def line_of(window: Row, now: datetime, *, shows_tenant: bool) -> dict[str, Any]:
    """An open segment, for people."""
    left = window["seconds_left"]
    return {
        "conversation": window["conversation_id"],
        "tenant": window["tenant_id"] if shows_tenant else None,
        "channel": window["channel"],
        "messages": window["message_count"],
        "began": _moment(window["began_at"], now, "%H:%M"),
        "last": _moment(window["last_message_at"], now, "%H:%M"),
        "closes": None if left is None else _moment(window["deadline"], now, "%H:%M:%S"),
        "in": None if left is None else _left(left),
        "revision": window["revision"] or None,
        "note": _note(window),
    }


def _moment(at: datetime, now: datetime, form: str) -> str:
    """The time of day where it is less than a day away, otherwise the day."""
    is_near = abs(at - now) < timedelta(days=1)
    return at.astimezone(UTC).strftime(form if is_near else "%Y-%m-%d")


def _left(seconds: float) -> str:
    return f"{'-' if seconds <= 0 else ''}{lasting(timedelta(seconds=abs(seconds)))}"


def _note(window: Row) -> str:
    notes = []
    if window["held_by"]:
        held_by = ", ".join(one[:_SHORT_ID] for one in window["held_by"])
        notes.append(f"import {held_by}")
    if window["is_ending"]:
        notes.append("ended")
    if window["is_reopened"]:
        notes.append("reopened")
    return ", ".join(notes)


def summary(counts: OpenCounts, tenant_id: str | None, first: int | None) -> str:
    """How many a tenant, or all, have open, and where; `first` if only so many are shown."""
    whose = "" if tenant_id is None else f" of tenant {tenant_id}"
    total = sum(counts.by_partition.values())
    if not total:
        return f"No segment{whose} is open."
    where = ", ".join(f"{number}: {count:,}" for number, count in counts.by_partition.items())
    shown = "" if first is None else f" The first {first:,} are shown."
    return (
        f"{counted(total, 'segment')}{whose} open, {counts.due:,} due, {counts.held:,} held by "
        f"imports.{shown}\nBy partition: {where}."
    )
