"""`parley passes`: which analyses are run over segments, in which version, and for whom."""

import typer

from parley.cli.passes import applying, test

app = typer.Typer(
    help="Apply, enable and look at passes, the analyses of segments.", no_args_is_help=True
)
app.command()(applying.apply)
app.command()(test.test)
