"""`parley explain`: everything that is known of one conversation, in the order of time."""

from collections.abc import Mapping
from difflib import get_close_matches
from itertools import groupby
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from parley.cli.facts import SQL, connection_pool
from parley.cli.not_due import not_due
from parley.cli.output import Output, OutputOption, print_data, stdout
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
    "sessions",
    "acts",
    "revisions",
    "windows",
    "open_sessions",
    "cuts",
    "conversation_jobs",
    "verdicts",
)
# Ids are compared that begin alike, but for so many characters at the end.
_LIKE_PREFIX: Final = 4
# A short id has to begin alike in fewer.
_SHORT_PREFIX: Final = 2
_SUGGESTED: Final = 5


def explain(
    conversation: Annotated[str, typer.Argument(help="Its id.")],
    *,
    tenant: Annotated[str, typer.Option(help="Whose conversation it is.")] = "default",
    content: Annotated[
        bool, typer.Option("--content", help="Show what was said, not only how long it is.")
    ] = False,
    messages: Annotated[int, typer.Option("-n", min=0, help="At most so many messages.")] = 1_000,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show all that is known of a conversation, in order.

    What was said and done in it, its sessions, segments with their revisions, cuts and deadlines,
    passes and verdicts, and why other passes were not run.

    Try:

        parley explain chat-7

        parley explain chat-7 --content -o json
    """
    sections = run(_gather(Settings.load(), tenant, conversation, messages))
    facts = sections.pop("conversation")
    found = entries(sections, with_content=content)
    if output is not Output.TABLE:
        shown = [one.as_json() for one in found]
        print_data(output, {"conversation": dict(facts[0]) if facts else None, "entries": shown})
        return
    _print(conversation, facts[0] if facts else None, sections, found)


async def _gather(
    settings: Settings, tenant_id: str, conversation_id: str, message_limit: int
) -> dict[str, list[Row]]:
    async with connection_pool(settings) as pool:
        whose = (tenant_id, conversation_id)
        sections: dict[str, list[Row]] = {
            "conversation": await pool.fetch(SQL["conversation"], *whose),
            "messages": await pool.fetch(SQL["messages"], *whose, message_limit),
            "conversation_dead_letters": await pool.fetch(
                SQL["conversation_dead_letters"], event_key(*whose)
            ),
        }
        for name in _BY_CONVERSATION:
            sections[name] = await pool.fetch(SQL[name], *whose)
        if not any(sections.values()):
            raise await _unknown(pool, tenant_id, conversation_id)
        catalog, suspended = await stored_catalog(pool), await suspended_passes(pool)
    sections["conversation_jobs"] = [
        {**row, "suspended": str(suspended.get(row["fingerprint"], ""))}
        for row in sections["conversation_jobs"]
    ]
    sections["not_due"] = not_due(catalog, tenant_id, sections)
    return sections


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


def _print(
    conversation_id: str,
    facts: Row | None,
    sections: Mapping[str, list[Row]],
    found: list[Entry],
) -> None:
    stdout.print(f"[bold]conversation {escape(conversation_id)}[/]")
    if facts is not None:
        stdout.print(escape(_summary(facts, sections)))
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


def _summary(facts: Row, sections: Mapping[str, list[Row]]) -> str:
    rows = sections["messages"]
    count = rows[0]["message_count"] if rows else 0
    left_out = f" (the latest {len(rows):,} are shown)" if count > len(rows) else ""
    parts: list[Any] = [
        f"tenant {facts['tenant_id']}",
        f"channel {facts['channel'] or '-'}",
        f"{counted(count, 'message')}{left_out}",
        counted(len(sections["sessions"]), "session"),
        counted(sum(bool(row["is_current"]) for row in sections["revisions"]), "segment"),
        f"{len(sections['windows']):,} open",
        counted(len(sections["verdicts"]), "verdict"),
    ]
    return " · ".join(parts)
