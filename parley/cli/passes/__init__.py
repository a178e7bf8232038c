"""`parley passes`: which analyses are run over segments, in which version, and for whom."""

import typer

from parley.cli.passes import applying, comparing, listing, showing, subscribing, switching, test

app = typer.Typer(
    help="Apply, enable and look at passes, the analyses of segments.", no_args_is_help=True
)
app.command("list")(listing.list_passes)
app.command()(showing.show)
app.command()(comparing.diff)
app.command()(applying.apply)
app.command()(switching.enable)
app.command()(switching.disable)
app.command()(switching.resume)
app.command()(subscribing.subscribe)
app.command()(subscribing.unsubscribe)
app.command()(subscribing.subscriptions)
app.command()(test.test)
