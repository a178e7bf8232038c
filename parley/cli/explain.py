"""`parley explain`: everything that is known of one conversation, in the order of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from parley.cli.facts import SQL, connection_pool
from parley.cli.not_due import not_due
from parley.cli.output import Output, OutputOption, print_data, say, stdout
from parley.cli.running import run
from parley.cli.timeline import Entry, Row, entries
from parley.cli.wording import counted
from parley.codec import event_key
from parley.db.pool import Pool
from parley.errors import UserError
from parley.passes.stored import stored_catalog
from parley.passes.suspended import suspended_passes
from parley.settings import Settings

# All of these are asked by (tenant, conversation).
_BY_CONVERSATION: Final = (
    "messages",
    "sessions",
    "acts",
    "revisions",
    "windows",
    "open_sessions",
    "cuts",
    "conversation_jobs",
    "verdicts",
)
# Of these the latest alone are shown; their options show more.
_OPTIONS: Final = {"messages": "-n", "acts": "--acts"}
# Ids are compared that begin alike, but for so many characters at the end.
_LIKE_PREFIX: Final = 4
# A short id has to begin alike in fewer.
_SHORT_PREFIX: Final = 2
_SUGGESTED: Final = 5


@dataclass(frozen=True, slots=True)
class _Known:
    """What the tables hold of a conversation: its own facts, and rows by the name of a query."""

    conversation: Row | None
    sections: Mapping[str, list[Row]]
    # How many messages and acts there are, shown or not.
    totals: Mapping[str, int]

    @property
    def not_shown(self) -> dict[str, int]:
        """How many earlier messages and acts are not among the rows."""
        return {name: total - len(self.sections[name]) for name, total in self.totals.items()}


def explain(
    conversation: Annotated[str, typer.Argument(help="Its id.")],
    *,
    tenant: Annotated[str, typer.Option(help="Whose conversation it is.")] = "default",
    content: Annotated[
        bool, typer.Option("--content", help="Show what was said, not only how long it is.")
    ] = False,
    messages: Annotated[int, typer.Option("-n", min=0, help="At most so many messages.")] = 1_000,
    acts: Annotated[
        int, typer.Option(min=0, help="At most so many changes of state, revisions, commands ...")
    ] = 1_000,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show all that is known of a conversation, in order.

    What was said and done in it, its sessions, segments with their revisions, cuts and deadlines,
    passes and verdicts, and why other passes were not run. It shows the latest messages and the
    latest of what else was done, and says how many earlier ones there are.

    Try:

        parley explain chat-7

        parley explain chat-7 --content -o json
    """
    limits = {"messages": messages, "acts": acts}
    known = run(_gather(Settings.load(), tenant, conversation, limits))
    found = entries(known.sections, with_content=content)
    if output is Output.TABLE:
        _print(conversation, known, found)
        return
    facts = dict(known.conversation) if known.conversation else None
    shown = [one.as_json() for one in found]
    print_data(output, {"conversation": facts, "not_shown": known.not_shown, "entries": shown})
    if any(known.not_shown.values()):
        say(_left_out(known.not_shown))


async def _gather(
    settings: Settings, tenant_id: str, conversation_id: str, limits: Mapping[str, int]
) -> _Known:
    async with connection_pool(settings) as pool:
        whose = (tenant_id, conversation_id)
        conversation = await pool.fetchrow(SQL["conversation"], *whose)
        read: dict[str, list[Row]] = {
            "conversation_dead_letters": await pool.fetch(
                SQL["conversation_dead_letters"], event_key(*whose)
            )
        }
        for name in _BY_CONVERSATION:
            # Where there is a limit, one at least: each row says how many there are.
            limit = (max(1, limits[name]),) if name in limits else ()
            read[name] = await pool.fetch(SQL[name], *whose, *limit)
        if conversation is None and not any(read.values()):
            raise await _unknown(pool, tenant_id, conversation_id)
        catalog, suspended = await stored_catalog(pool), await suspended_passes(pool)
    sections = {name: rows[: limits.get(name)] for name, rows in read.items()}
    sections["conversation_jobs"] = [
        {**row, "suspended": str(suspended.get(row["fingerprint"], ""))}
        for row in sections["conversation_jobs"]
    ]
    sections["not_due"] = not_due(catalog, tenant_id, sections)
    totals = {name: read[name][0]["total_count"] if read[name] else 0 for name in limits}
    return _Known(conversation, sections, totals)


async def _unknown(pool: Pool, tenant_id: str, conversation_id: str) -> UserError:
    tenants = await pool.fetch(SQL["other_tenants"], conversation_id)
    if tenants:
        names = ", ".join(row["tenant_id"] for row in tenants)
        return UserError(
            f"Tenant {tenant_id} has no conversation {conversation_id}.",
            f"There is one of that id under --tenant {names}.",
        )
    prefix = conversation_id[: max(_SHORT_PREFIX, len(conversation_id) - _LIKE_PREFIX)]
    rows = await pool.fetch(SQL["similar_conversations"], tenant_id, prefix, conversation_id)
    known = [row["conversation_id"] for row in rows]
    near = get_close_matches(conversation_id, known, _SUGGESTED, cutoff=0.5)
    near += [one for one in sorted(known) if conversation_id in one and one not in near]
    remedy = f"Did you mean {', '.join(near[:_SUGGESTED])}?" if near else ""
    return UserError(
        f"Tenant {tenant_id} has no conversation {conversation_id}.",
        remedy or "It may not have been read yet: `parley status` shows the persister's lag.",
    )


def _print(conversation_id: str, known: _Known, found: list[Entry]) -> None:
    stdout.print(f"[bold]conversation {escape(conversation_id)}[/]")
    if known.conversation is not None:
        stdout.print(escape(_summary(known.conversation, known)))
    if any(known.not_shown.values()):
        stdout.print(_left_out(known.not_shown))
    if stdout.is_terminal:
        _print_days(found)
        return
    # A line each, for whoever searches them.
    for entry in found:
        at = f"{entry.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] if entry.at else "-"
        stdout.print(f"{at:<23}  {entry.kind:<11}  {escape(entry.text)}")


def _print_days(found: list[Entry]) -> None:
    """Day by day, with long sentences beside their times rather than below."""
    for day, some in groupby(found, key=lambda one: one.at.date() if one.at else None):
        stdout.print(f"\n[bold]{day or 'when something else has happened'}[/]")
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True, style="cyan")
        grid.add_column(overflow="fold")
        for entry in some:
            at = f"{entry.at:%H:%M:%S.%f}"[:-3] if entry.at else "-"
            grid.add_row(at, entry.kind, escape(entry.text))
        stdout.print(grid)


def _left_out(not_shown: Mapping[str, int]) -> str:
    parts = (
        f"{counted(count, f'earlier {name[:-1]}')} ({_OPTIONS[name]} shows more)"
        for name, count in not_shown.items()
        if count
    )
    return f"Not shown: {', '.join(parts)}."


def _summary(facts: Row, known: _Known) -> str:
    sections = known.sections
    parts = [
        f"tenant {facts['tenant_id']}",
        f"channel {facts['channel'] or '-'}",
        counted(known.totals["messages"], "message"),
        counted(len(sections["sessions"]), "session"),
        counted(sum(bool(row["is_current"]) for row in sections["revisions"]), "segment"),
        f"{len(sections['windows']):,} open",
        counted(known.totals["acts"], "other act"),
        counted(len(sections["verdicts"]), "verdict"),
    ]
    return " · ".join(parts)
