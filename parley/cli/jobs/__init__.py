"""`parley jobs`: the passes that are to be run over segments, and what became of them."""

import typer

from parley.cli.jobs import changing, looking

app = typer.Typer(
    help="Look at analysis jobs; have failed and parked ones begin anew, or cancel them.",
    no_args_is_help=True,
)
app.command("list")(looking.list_jobs)
app.command()(looking.show)
app.command()(changing.redrive)
app.command()(changing.cancel)
