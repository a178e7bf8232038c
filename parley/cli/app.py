"""The `parley` command: its groups put together, and how it ends when something is wrong."""

import logging
import sys

import structlog
import typer

from parley.cli import (
    db,
    dead_letters,
    doctor,
    explain,
    export,
    imports,
    keys,
    ledger,
    local,
    policy,
    rebuild,
    retention,
    simulate,
    status,
    tail,
    tenant,
    topics,
    verify,
)
from parley.cli.output import say_error
from parley.errors import UserError

app = typer.Typer(
    help="Parley: a durable, replayable conversation pipeline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Long paragraphs of a help then follow the terminal's width.
    rich_markup_mode="markdown",
)
app.add_typer(local.app, name="local")
app.add_typer(topics.app, name="topics")
app.add_typer(db.app, name="db")
app.add_typer(imports.app, name="import")
app.add_typer(tenant.app, name="tenant")
app.add_typer(keys.app, name="keys")
app.add_typer(retention.app, name="retention")
app.add_typer(policy.app, name="policy")
app.add_typer(dead_letters.app, name="dead-letters")
app.command()(export.export)
app.command()(simulate.simulate)
app.command()(rebuild.rebuild)
app.command()(verify.verify)
app.command()(tail.tail)
app.command()(status.status)
app.command()(ledger.ledger)
app.command()(explain.explain)
app.command()(doctor.doctor)


def main() -> None:
    """Run the command; exit 1 with what is wrong and what to do, 130 after Ctrl-C."""
    _quiet_libraries()
    try:
        app(prog_name="parley")
    except UserError as error:
        say_error(error)
        sys.exit(1)


def _quiet_libraries() -> None:
    # Their warnings are retries; what fails for good reaches the person as an error.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
