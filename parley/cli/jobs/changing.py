"""`parley jobs redrive` and `parley jobs cancel`: jobs begin anew, or end."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from parley import clock, jobs
from parley.analyses import JobKey
from parley.cli.config_topic import who
from parley.cli.facts import connection_pool
from parley.cli.jobs.choosing import (
    Choice,
    ConversationOption,
    PassOption,
    ReasonOption,
    Segments,
    State,
    TenantOption,
    choose,
    key_of,
    segments_of,
    summary,
)
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.cli.wording import counted
from parley.db.pool import Connection
from parley.errors import UserError
from parley.settings import Settings

_PAGE: Final = 500
_COLUMNS: Final = ("segment", "revision", "pass", "tenant", "conversation", "reason", "result")

StateOption = Annotated[
    list[State] | None, typer.Option(help="Only in this state; it may be named more than once.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All that are in such a state.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show which ones.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@dataclass(frozen=True, slots=True)
class _Verb:
    """What a command does with jobs: those in the states of `otherwise`, unless it is told."""

    name: str
    done: str
    change: Callable[[Connection, Settings, Sequence[JobKey]], Awaitable[list[JobKey]]]
    possible: Sequence[str]
    otherwise: Sequence[State]


def _command(verb: _Verb, help_text: str) -> Callable[..., None]:
    """A command that chooses jobs, asks, and changes them: the options are the same for all."""

    def command(
        segments: Segments = None,
        *,
        state: StateOption = None,
        pass_name: PassOption = None,
        conversation: ConversationOption = None,
        tenant: TenantOption = None,
        reason: ReasonOption = None,
        everything: AllOption = False,
        dry_run: DryRunOption = False,
        yes: YesOption = False,
        output: OutputOption = Output.TABLE,
    ) -> None:
        states = _states(state, verb.possible, verb.otherwise)
        chosen = Choice(states, segments_of(segments), pass_name, conversation, tenant, reason)
        _require_choice(chosen, everything=everything)
        rows = run(_change(Settings.load(), chosen, verb, is_dry=dry_run, is_agreed=yes))
        _print(output, rows, verb.done)

    command.__name__, command.__doc__ = verb.name, help_text
    return command


async def _reopen(
    connection: Connection, settings: Settings, keys: Sequence[JobKey]
) -> list[JobKey]:
    return await jobs.reopen(connection, settings, keys, who(), clock.now())


async def _cancel(
    connection: Connection, settings: Settings, keys: Sequence[JobKey]
) -> list[JobKey]:
    return await jobs.cancel(connection, settings, keys, "operator", who(), clock.now())


redrive: Final = _command(
    _Verb("redrive", "redriven", _reopen, jobs.REOPENABLE, (State.FAILED, State.PARKED)),
    """Have jobs that failed, were cancelled or are parked begin anew, with all their attempts.

    A job that has a verdict never begins anew, and neither does one of a revision that is not its
    segment's latest: it is left out, and then the exit status is 1. Budgets go on to count what
    was spent. Without --state failed and parked jobs are meant.

    Try:

        parley jobs redrive --pass summary --state failed --dry-run

        parley jobs redrive 0f3c1d2e-… --pass summary
    """,
)
cancel: Final = _command(
    _Verb(
        *("cancel", "cancelled", _cancel, jobs.CHANGEABLE),
        (State.OPEN, State.CLAIMED, State.PARKED),
    ),
    """End jobs that are open, claimed or parked, without a verdict.

    What a worker finds out about one meanwhile is not written. `parley jobs redrive --state
    cancelled` brings them back.

    Try:

        parley jobs cancel --pass summary --state parked --reason budget
    """,
)


def _states(
    asked: Sequence[State] | None, possible: Sequence[str], otherwise: Sequence[State]
) -> tuple[str, ...]:
    for one in asked or ():
        if one.value not in possible:
            raise UserError(
                f"That cannot be done with jobs that are {one.value}.",
                f"It can with those that are {', '.join(possible)}.",
            )
    return tuple(one.value for one in asked or otherwise)


def _require_choice(chosen: Choice, *, everything: bool) -> None:
    if not chosen.is_narrow and not everything:
        raise UserError(
            "Which jobs?", "Name segments, or a filter such as --pass; --all means all of them."
        )


async def _change(
    settings: Settings,
    chosen: Choice,
    verb: _Verb,
    *,
    is_dry: bool,
    is_agreed: bool,
) -> list[dict[str, Any]]:
    """Change them page by page: what was changed stays changed when the rest is not."""
    async with connection_pool(settings) as pool:
        first = await choose(pool, chosen, limit=1)
        count = first[0]["chosen_count"] if first else 0
        if not is_dry and chosen.segments is None:
            _confirm(f"{verb.name.title()} {counted(count, 'job')}?", count, is_agreed=is_agreed)
        found: list[dict[str, Any]] = []
        after: JobKey | None = None
        while rows := await choose(pool, chosen, limit=_PAGE, after=after):
            keys = [key_of(row) for row in rows]
            after = keys[-1]
            changed = set(keys)
            if not is_dry:
                async with pool.acquire() as connection, connection.transaction():
                    changed = set(await verb.change(connection, settings, keys))
            results = {True: "ready" if is_dry else "done", False: "left out"}
            found += [{**summary(row), "result": results[key_of(row) in changed]} for row in rows]
        return found


def _confirm(question: str, count: int, *, is_agreed: bool) -> None:
    if is_agreed or not count:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{question} Nobody is there to say so.", "Say it with --yes.")
    typer.confirm(question, abort=True, err=True)


def _print(output: Output, rows: list[dict[str, Any]], done: str) -> None:
    if rows or output is not Output.TABLE:
        print_rows(output, rows, _COLUMNS)
    left_out = sum(row["result"] == "left out" for row in rows)
    would_be = "would be " if any(row["result"] == "ready" for row in rows) else ""
    say(f"{counted(len(rows) - left_out, 'job')} {would_be}{done}, {left_out:,} left out.")
    if left_out:
        raise typer.Exit(1)
