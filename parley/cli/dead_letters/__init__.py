"""`parley dead-letters`: records that could not be used, and what to do about each."""

import typer

from parley.cli.dead_letters import discarding, listing, redriving, showing

app = typer.Typer(
    help="Look at records that could not be used; publish them again, or discard them.",
    no_args_is_help=True,
)
app.command("list")(listing.list_letters)
app.command()(showing.show)
app.command()(redriving.redrive)
app.command()(discarding.discard)
