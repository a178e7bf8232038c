"""`parley policy`: how long a silence ends a segment, by tenant and channel."""

import typer

from parley.cli.policy import listing, previewing, setting

app = typer.Typer(
    help="Set how long a silence ends a segment, by tenant and channel.", no_args_is_help=True
)
app.command("list")(listing.list_policies)
app.command("set")(setting.set_policy)
app.command()(setting.withdraw)
app.command()(previewing.preview)
