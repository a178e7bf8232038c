"""`parley stats`: how much was said, found out and spent."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, print_rows, say, stdout
from parley.cli.running import run
from parley.cli.verdicts.options import (
    DEFAULT_TENANT,
    ConversationOption,
    TenantOption,
    since_of,
)
from parley.cli.wording import counted
from parley.results.reading import SQL
from parley.settings import Settings

_COLUMNS: Final = (
    *("pass", "verdicts", "current", "input_tokens", "output_tokens", "dollars", "latest_at"),
)
_MILLION: Final = 1_000_000


def show_stats(
    *,
    conversation: ConversationOption = None,
    since: Annotated[
        str | None, typer.Option(help="From then on: a time, or how long ago, such as 7d.")
    ] = None,
    tenant: TenantOption = DEFAULT_TENANT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show how much was said, found out and spent, by pass.

    Verdicts are all that were made; current are those of segments as they stand. Spent is what
    their calls cost; attempts that led to no verdict are not in it.

    Try:

        parley stats --since 7d

        parley stats --conversation chat-7 -o json
    """
    whole, passes = run(_read(Settings.load(), tenant, conversation, since))
    rows = [line_of(row) for row in passes]
    if output is not Output.TABLE:
        sums = {name: _sum(passes, name) for name in ("verdicts", "cost_micro_usd")}
        print_data(output, {**whole, **sums, "passes": rows})
        return
    stdout.print(sentence(whole, passes))
    if rows:
        print_rows(output, rows, _COLUMNS)
    else:
        say("Nothing was found out. `parley missing` says what is to come, and what holds it up.")


async def _read(
    settings: Settings, tenant: str, conversation: str | None, since: str | None
) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
    chosen = (tenant, conversation, since_of(since))
    async with connection_pool(settings) as pool:
        whole = await pool.fetchrow(SQL["totals"], *chosen)
        return dict(whole), await pool.fetch(SQL["pass_totals"], *chosen)


def sentence(whole: Mapping[str, Any], passes: Sequence[Mapping[str, Any]]) -> str:
    """What there is, in words."""
    names = ("conversations", "messages", "sessions", "segments")
    parts = [counted(whole[name], name.removesuffix("s")) for name in names]
    return " · ".join((*parts, counted(_sum(passes, "verdicts"), "verdict")))


def line_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A version of a pass, as it can be asked for."""
    own = dict(row)
    own["dollars"] = own["cost_micro_usd"] / _MILLION
    return {"pass": f"{own.pop('pass_name')}@{own.pop('pass_version')}", **own}


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(row[name] for row in rows)
