"""`parley emit`: an event is written into the log by hand, checked as every consumer checks it."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from parley import clock, ids
from parley.cli.emit.making import NOTHING_WRITTEN, encoded, wire_of
from parley.cli.emit.sending import Wish, emit
from parley.cli.output import Output, OutputOption
from parley.errors import UserError
from parley.events import (
    Body,
    Content,
    EndReason,
    Event,
    MessageRecorded,
    Role,
    SessionEnded,
    SessionStarted,
)

app = typer.Typer(help="Write an event into the log by hand, checked as every consumer checks it.")

DEFAULT_TENANT = "default"

ConversationArgument = Annotated[str, typer.Argument(help="Its id.")]
TenantOption = Annotated[str, typer.Option(help="Whose conversation it is.")]
ChannelOption = Annotated[str, typer.Option(help="Its channel, which decides about its policy.")]
UserOption = Annotated[str, typer.Option(help="Whose words, or whose session.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Check it, print the record, and write nothing.")
]
ContentOption = Annotated[
    bool, typer.Option("--content", help="Let a dry run print what was said, not its length.")
]


@app.callback(invoke_without_command=True)
def from_file(
    context: typer.Context,
    *,
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, allow_dash=True, help="One event as JSON."),
    ] = None,
    dry_run: DryRunOption = False,
    content: ContentOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write an event into the log by hand, checked as every consumer checks it.

    A file holds one event as `parley tail events -o json --content` shows it under `event`. Ids,
    times, sender and policy may be left out. Unknown fields are refused; nothing is written then.

    Try:

        parley emit message chat-7 --role user --text "Hello!" --dry-run

        parley emit --file event.json
    """
    if context.invoked_subcommand is not None:
        return
    if file is None:
        raise UserError(
            "There is nothing to emit.", "Name --file, or see `parley emit message --help`."
        )
    emit(wire_of(_read(file)), Wish(dry_run, content, output))


@app.command()
def message(
    conversation: ConversationArgument,
    *,
    text: Annotated[str, typer.Option(help="What was said.")],
    role: Annotated[Role, typer.Option(help="Who spoke.")] = Role.USER,
    session: Annotated[str, typer.Option(help="The id of the session it belongs to.")] = "",
    message_id: Annotated[
        str, typer.Option("--id", help="Your id: the same one again is the same message.")
    ] = "",
    language: Annotated[str, typer.Option(help="Such as en.")] = "",
    tenant: TenantOption = DEFAULT_TENANT,
    channel: ChannelOption = "",
    user: UserOption = "",
    dry_run: DryRunOption = False,
    content: ContentOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write one final utterance.

    Try:

        parley emit message chat-7 --role assistant --text "How can I help?" --id greeting-1
    """
    if not text.strip():
        raise UserError("--text is empty.", NOTHING_WRITTEN)
    body = MessageRecorded(role, Content(text), language=language)
    source = (tenant, conversation, session, user, channel, message_id)
    _emit_new(body, source, Wish(dry_run, content, output))


@app.command("session-start")
def session_start(
    conversation: ConversationArgument,
    *,
    session: Annotated[str, typer.Option(help="Its id; without it, a new one is made.")] = "",
    tenant: TenantOption = DEFAULT_TENANT,
    channel: ChannelOption = "",
    user: UserOption = "",
    dry_run: DryRunOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Begin a session; without an end it counts as over half an hour after its last event.

    Try:

        parley emit session-start chat-7 --session call-1 --user ada
    """
    source = (tenant, conversation, session or ids.random_id(), user, channel, "")
    _emit_new(SessionStarted(), source, Wish(dry_run, False, output))


@app.command("session-end")
def session_end(
    conversation: ConversationArgument,
    *,
    session: Annotated[str, typer.Option(help="Its id.")],
    generation: Annotated[
        int, typer.Option(min=1, help="Which return of it; an older one's end has no effect.")
    ] = 1,
    tenant: TenantOption = DEFAULT_TENANT,
    channel: ChannelOption = "",
    user: UserOption = "",
    dry_run: DryRunOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """End a session.

    Try:

        parley emit session-end chat-7 --session call-1
    """
    source = (tenant, conversation, session, user, channel, "")
    _emit_new(SessionEnded(generation, EndReason.EXPLICIT), source, Wish(dry_run, False, output))


def _emit_new(body: Body, source: tuple[str, str, str, str, str, str], wish: Wish) -> None:
    tenant, conversation, session, user, channel, message_id = source
    now = clock.now()
    event = Event(
        "",
        body,
        now,
        now,
        tenant_id=tenant,
        conversation_id=conversation,
        session_id=session,
        user_id=user,
        channel=channel,
        client_message_id=message_id,
    )
    wire = encoded(event)
    # The policy of this moment is added, as for a file that names none.
    wire.ClearField("policy")
    emit(wire, wish)


def _read(file: Path) -> dict[str, object]:
    try:
        found = json.loads(sys.stdin.read() if str(file) == "-" else file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is not JSON: {error}.", NOTHING_WRITTEN) from error
    if not isinstance(found, dict):
        raise UserError(f"{file} does not hold a JSON object.", NOTHING_WRITTEN)
    return found
