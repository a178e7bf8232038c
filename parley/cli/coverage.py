"""`parley coverage`: how far the passes in force have come."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from parley import clock
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.cli.times import moment_of
from parley.results.coverage import Period, coverage, tenants
from parley.settings import Settings

STATES: Final = ("current", "missing", "stale", "parked", "failed")
_COLUMNS: Final = ("pass", "day", "segments", *STATES)
# What ends within the command's own time is not left out.
_SOON: Final = timedelta(days=1)


def show_coverage(
    *,
    wanted: Annotated[
        str | None, typer.Option("--pass", "-p", help="Only this one's, by its name.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="Segments that ended then or later: a time, or how long ago.")
    ] = "30d",
    until: Annotated[
        str | None, typer.Option(help="Segments that ended before: a time, or how long ago.")
    ] = None,
    total: Annotated[bool, typer.Option("--total", help="All days in one line.")] = False,
    tenant: Annotated[
        str | None, typer.Option(help="Only this one's; otherwise all tenants'.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show for each pass in force and UTC day how many segments have its verdict.

    Each segment that stands, and that the pass is for, is counted once: current, it has the verdict
    of its latest revision by the version in force; failed or parked, its job is; stale, it has
    one of a former revision or version; missing, it has none, or waits. `parley missing` has the
    names.

    Try:

        parley coverage --since 7d

        parley coverage --pass topics --total -o json
    """
    now = clock.now()
    period = Period(
        moment_of("--since", since, now),
        now + _SOON if until is None else moment_of("--until", until, now),
    )
    found = run(_read(Settings.load(), tenant, period, wanted))
    rows = [line_of(row) for row in (totals(found) if total else found)]
    if not rows and output is Output.TABLE:
        say("No segment of that time is for a pass that is in force: see `parley passes list`.")
        return
    print_rows(output, rows, [one for one in _COLUMNS if one != "day" or not total])


async def _read(
    settings: Settings, tenant: str | None, period: Period, wanted: str | None
) -> Sequence[Mapping[str, Any]]:
    async with connection_pool(settings) as pool:
        whose = [tenant] if tenant is not None else await tenants(pool)
        return await coverage(pool, whose, period, wanted)


def totals(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All days of each pass in one row."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        key = row["pass_name"], row["pass_version"]
        whole = found.setdefault(key, {"pass_name": key[0], "pass_version": key[1]})
        for name in ("segments", *STATES):
            whole[name] = whole.get(name, 0) + row[name]
    return list(found.values())


def line_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row, with the pass as it can be asked for."""
    days = {"day": f"{row['day']:%Y-%m-%d}"} if "day" in row else {}
    counts = {name: row[name] for name in ("segments", *STATES)}
    return {"pass": f"{row['pass_name']}@{row['pass_version']}", **days, **counts}
