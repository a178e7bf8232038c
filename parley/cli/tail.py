"""`parley tail`: the records of a topic as they are, decoded."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

import typer

from parley.cli.log_reader import FromBeginning, FromEnd, Request, Selection, Where, read
from parley.cli.output import Output, print_item
from parley.cli.records import as_json, as_line
from parley.cli.running import run
from parley.errors import UserError
from parley.settings import Settings
from parley.topics import Topic

_LAST: Final = 10


class TopicName(StrEnum):
    """The topics by their short names."""

    EVENTS = "events"
    SEALS = "seals"
    ANALYSES = "analyses"
    DEAD_LETTERS = "dead-letters"
    LIVE = "live"
    CONFIG = "config"


def tail(
    topic: Annotated[TopicName, typer.Argument(help="Which topic.")] = TopicName.EVENTS,
    *,
    start: Annotated[
        str, typer.Option("--from", help="beginning, end, or an ISO 8601 time (UTC without zone).")
    ] = "end",
    conversation: Annotated[str | None, typer.Option(help="Only this one's records.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this one's records.")] = None,
    lines: Annotated[
        int | None,
        typer.Option("-n", min=0, help="From the end: so many old ones first. Else: stop after."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for new records, until Ctrl-C.")
    ] = True,
    content: Annotated[
        bool, typer.Option("--content", help="Show what was said, not only how long it is.")
    ] = False,
    output: Annotated[
        Output,
        typer.Option(
            "--output", "-o", help="A line to read, a line of JSON, or a YAML document, each."
        ),
    ] = Output.TABLE,
) -> None:
    """Print the records of a topic, decoded; the last 10 first, then what comes.

    Try:

        parley tail events

        parley tail seals --from beginning --no-follow -o json

        parley tail events --conversation chat-7 --from 2026-01-31T12:00:00Z --content
    """
    where = parse_start(start)
    if lines is None and isinstance(where, FromEnd):
        lines = _LAST
    chosen = Topic[topic.name]
    request = Request(chosen, where, Selection(tenant, conversation), lines, follow)

    async def show() -> None:
        async for record in read(settings, request):
            if output is Output.TABLE:
                typer.echo(as_line(chosen, record, with_content=content))
            else:
                print_item(output, as_json(chosen, record, with_content=content))

    settings = Settings.load()
    run(show())


def parse_start(text: str) -> Where:
    """Where to begin; raises UserError."""
    if text == "beginning":
        return FromBeginning()
    if text == "end":
        return FromEnd()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(
            f"--from {text} is not understood.",
            "Write beginning, end, or a time such as 2026-01-31T12:00:00Z.",
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
