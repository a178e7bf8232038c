"""`parley webhooks`: who is told of new verdicts, and what became of it."""

import typer

from parley.cli.webhooks import deliveries, listing, redelivering, setting, trying

app = typer.Typer(help="Tell other programs of new verdicts.", no_args_is_help=True)
app.command()(setting.add)
app.command("list")(listing.list_webhooks)
app.command()(listing.show)
app.command("test")(trying.try_out)
app.command("deliveries")(deliveries.list_deliveries)
app.command()(redelivering.redeliver)
app.command()(setting.rotate)
app.command()(setting.disable)
app.command()(setting.enable)
app.command()(setting.remove)
