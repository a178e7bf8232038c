"""`parley backfill`: passes run over segments of the past, begun, watched, and held or ended."""

import typer

from parley.cli.backfill import deciding, listing, showing, starting
from parley.cli.backfill.grouping import PassesOrCommand

app = typer.Typer(
    cls=PassesOrCommand,
    help="""Run passes over segments that were sealed before, and look after such runs.

    `parley backfill PASS…` begins a run, as `parley backfill start PASS…` does; its options are in
    `parley backfill start --help`.

    Examples: parley backfill sentiment --dry-run

    parley backfill sentiment language --since 30d --newest-first

    parley backfill list
    """,
    no_args_is_help=True,
)
app.command("start")(starting.start)
app.command("list")(listing.list_runs)
app.command("show")(showing.show)
app.command("pause")(deciding.pause)
app.command("resume")(deciding.resume)
app.command("cancel")(deciding.cancel)
