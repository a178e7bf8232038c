"""`make faults`: plays rows of the fault table as often as asked, and keeps what came out."""

import asyncio
import logging
import sys
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from parley import clock
from tests.faults.results import Results, commit
from tests.faults.row import CannotPlay, Findings, Row
from tests.faults.rows import ROWS
from tests.faults.stage import Stage, stage

# Where nobody looks, as in a pipe, the table need not be folded into 80 columns.
console = Console(width=None if sys.stdout.isatty() else 160)
progress = Console(stderr=True, highlight=False)


def main(
    row: Annotated[str, typer.Argument(help="a row, `all`, or `list`")] = "all",
    amount: Annotated[
        int | None, typer.Option("--amount", "-n", min=1, help="how often; the full figure if none")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="begin nothing new after so long")
    ] = None,
) -> None:
    """Play the rows. What a commit has done already is not done again; exits 1 where one fails."""
    # Libraries tell of every broken connection.
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if row == "list":
        console.print(_list())
        return
    chosen = list(ROWS.values()) if row == "all" else [_row(name) for name in row.split(",")]
    results = Results(commit())
    until = clock.monotonic() + seconds if seconds is not None else float("inf")
    with stage() as played_on:
        are_right = [_play(one, amount or one.full, played_on, results, until) for one in chosen]
    console.print(_table(chosen, results))
    if not all(are_right):
        raise typer.Exit(1)


def _row(name: str) -> Row:
    if name not in ROWS:
        raise typer.BadParameter(f"no row {name}: `make faults ROW=list` lists them")
    return ROWS[name]


def _play(row: Row, amount: int, played_on: Stage, results: Results, until: float) -> bool:
    """Do what is left of a row, until the first go that does not come out right."""
    done = results.done(row)
    while done < amount and clock.monotonic() < until:
        count = min(row.at_once, amount - done)
        began_at = clock.monotonic()
        try:
            found = asyncio.run(_go(row, played_on, done, count))
        except CannotPlay as error:
            progress.print(f"{row.name}: left out: {error}", style="yellow")
            return True
        seconds = clock.monotonic() - began_at
        results.add(row, done, count, seconds, found)
        for problem in found.all_problems:
            progress.print(f"{row.name}: {problem}", style="red")
        if found.all_problems:
            return False
        done += count
        progress.print(f"{row.name}: {done} of {amount} {row.unit}, {seconds:.0f} s", style="dim")
    return True


async def _go(row: Row, played_on: Stage, first: int, count: int) -> Findings:
    try:
        return await row.run(played_on, first, count)
    except CannotPlay:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a row ends with is its finding
        progress.print_exception()
        return Findings(problems=(f"{type(error).__name__}: {error}",))


def _list() -> Table:
    table = Table(title="Rows")
    for name in ("row", "full", "", "what must hold"):
        table.add_column(name, justify="right" if name == "full" else "left")
    for row in ROWS.values():
        table.add_row(row.name, f"{row.full:,}", row.unit, row.claim)
    return table


def _table(rows: list[Row], results: Results) -> Table:
    table = Table(title=f"At {results.path.stem}")
    table.add_column("row")
    for name in ("done", "of", "records", "lost", "doubled", "residue", "catch-up", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("last problem")
    for row in rows:
        total = results.total(row)
        if total is not None:
            catch_up = total.longest_catch_up_s
            figures = (total.done, row.full, total.acknowledged)
            counts = (total.lost, total.doubled, total.residue)
            table.add_row(
                row.name,
                *(f"{one:,}" for one in (*figures, *counts)),
                f"{catch_up:.1f} s" if catch_up is not None else "",
                f"{total.seconds:,.0f}",
                total.last_problem,
            )
    return table


if __name__ == "__main__":
    typer.run(main)
