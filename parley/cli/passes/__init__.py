"""`parley passes`: which analyses are run over segments, in which version, and for whom."""

import typer

from parley.cli.passes import applying

app = typer.Typer(
    help="Apply, enable and look at passes, the analyses of segments.", no_args_is_help=True
)
app.command()(applying.apply)
