"""`parley verdicts`: what the passes found out."""

import typer

from parley.cli.verdicts import listing, showing

app = typer.Typer(help="See what the passes found out.", no_args_is_help=True)
app.command("list")(listing.list_verdicts)
app.command()(showing.show)
