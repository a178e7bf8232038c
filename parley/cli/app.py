"""The `parley` command: its groups put together, and how it ends when something is wrong."""

import logging
import sys
from collections.abc import Mapping
from typing import ClassVar

import structlog
import typer

from parley.cli.lazy_group import MARKUP_MODE, LazyGroup, Place
from parley.cli.output import say_error
from parley.errors import UserError


class Commands(LazyGroup):
    """Every command, in the order of the help."""

    places: ClassVar[Mapping[str, Place]] = {
        "export": Place(
            "parley.cli.export",
            "export",
            "Write messages, conversations, sessions, segments or verdicts to a file.",
        ),
        "simulate": Place(
            "parley.cli.simulate",
            "simulate",
            "Let made-up conversations flow in through the gateway's WebSocket.",
        ),
        "rebuild": Place(
            "parley.cli.rebuild",
            "rebuild",
            "Make the tables anew from the log, beside the live ones, and swap them in.",
        ),
        "verify": Place(
            "parley.cli.verify",
            "verify",
            "Compare the tables with the log, and name the first rows that differ, by their ids.",
        ),
        "tail": Place(
            "parley.cli.tail",
            "tail",
            "Print the records of a topic, decoded; the last 10 first, then what comes.",
        ),
        "emit": Place(
            "parley.cli.emit",
            "app",
            "Write an event into the log by hand, checked as every consumer checks it.",
        ),
        "status": Place(
            "parley.cli.status",
            "status",
            "Show services, topics, consumers and counts; exit status 1 when a part cannot be "
            "seen.",
        ),
        "top": Place(
            "parley.cli.top",
            "top",
            "Show messages, active conversations and words of the last 1, 5 and 15 minutes, by "
            "channel.",
        ),
        "sealing": Place(
            "parley.cli.sealing.listing",
            "sealing",
            "Show the open segments, the one that closes first on top.",
        ),
        "seal": Place(
            "parley.cli.sealing.forcing",
            "seal",
            "Seal what is open in a conversation now, whatever its deadline, and show the segment.",
        ),
        "ledger": Place(
            "parley.cli.ledger",
            "ledger",
            "Show what became of every record: stored, known already, dead-lettered or not for a "
            "table.",
        ),
        "stats": Place(
            "parley.cli.stats",
            "show_stats",
            "Show how much was said, found out and spent, by pass.",
        ),
        "coverage": Place(
            "parley.cli.coverage",
            "show_coverage",
            "Show for each pass in force and UTC day how many segments have its verdict.",
        ),
        "missing": Place(
            "parley.cli.missing",
            "show_missing",
            "Show which segments, as they stand, lack the verdict of a pass, and why.",
        ),
        "explain": Place(
            "parley.cli.explain",
            "explain",
            "Show all that is known of a conversation, in order.",
        ),
        "doctor": Place(
            "parley.cli.doctor",
            "doctor",
            "Check Kafka, topics, database, services, consumers and this machine.",
        ),
        "settings": Place(
            "parley.cli.settings",
            "settings",
            "Show the settings in force and from where they are; exit status 1 when one is wrong.",
        ),
        "local": Place(
            "parley.cli.local", "app", "Run Kafka, PostgreSQL and the services on this machine."
        ),
        "topics": Place("parley.cli.topics", "app", "Create, list, grow and repair the topics."),
        "db": Place("parley.cli.db", "app", "Create and upgrade the database's tables."),
        "import": Place(
            "parley.cli.imports", "app", "Bring old conversations in, through the log."
        ),
        "tenant": Place("parley.cli.tenant", "app", "Create, disable and list tenants."),
        "keys": Place("parley.cli.keys", "app", "Create, revoke and list API keys."),
        "retention": Place(
            "parley.cli.retention",
            "app",
            "How long the tables keep what was said; the log has its own retention.",
        ),
        "policy": Place(
            "parley.cli.policy",
            "app",
            "Set how long a silence ends a segment, by tenant and channel.",
        ),
        "passes": Place(
            "parley.cli.passes",
            "app",
            "Apply, enable and look at passes, the analyses of segments.",
        ),
        "backfill": Place(
            "parley.cli.backfill",
            "app",
            "Run passes over segments that were sealed before, and look after such runs.",
        ),
        "rules": Place("parley.cli.rules", "app", "See and activate versions of the sealing rule."),
        "verdicts": Place("parley.cli.verdicts", "app", "See what the passes found out."),
        "jobs": Place(
            "parley.cli.jobs",
            "app",
            "Look at analysis jobs; have failed and parked ones begin anew, or cancel them.",
        ),
        "webhooks": Place("parley.cli.webhooks", "app", "Tell other programs of new verdicts."),
        "dead-letters": Place(
            "parley.cli.dead_letters",
            "app",
            "Look at records that could not be used; publish them again, or discard them.",
        ),
    }


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Long paragraphs of a help then follow the terminal's width.
    rich_markup_mode=MARKUP_MODE,
)


@app.callback()
def parley() -> None:
    """Parley: a durable, replayable conversation pipeline."""


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
