"""`parley import jsonl`: a file with one JSON object a line."""

from typing import Annotated

import typer

from parley.cli.imports.files import FileRequest, import_file
from parley.cli.imports.options import (
    DEFAULT_CHANNEL,
    DEFAULT_MAX_LAG,
    DEFAULT_TENANT,
    ChannelOption,
    DryRunOption,
    MaxLagOption,
    SkipBadOption,
    TenantOption,
    WaitOption,
)
from parley.cli.output import Output, OutputOption
from parley.importing.jsonl import jsonl_rows


def jsonl(
    file: Annotated[str, typer.Argument(help="A JSONL file, also .gz; - is the standard input.")],
    tenant: TenantOption = DEFAULT_TENANT,
    channel: ChannelOption = DEFAULT_CHANNEL,
    wait: WaitOption = True,
    dry_run: DryRunOption = False,
    skip_bad: SkipBadOption = False,
    max_lag: MaxLagOption = DEFAULT_MAX_LAG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Import messages from a file with one JSON object a line.

    Needed: conversation_id, role (user, assistant, system, tool), content, occurred_at (ISO 8601;
    without a zone it is UTC). Optional: message_id, session_id, author, user_id, metadata (an
    object), audio_url, language. The author is kept in the metadata, and is the user id of a
    user's message that names none.

    The whole file is checked first; with a bad line nothing is published. Importing a file again
    adds nothing, and an interrupted import goes on where it was: simply run it again.

    Try:

        parley import jsonl chats.jsonl.gz

        parley import jsonl chats.jsonl --dry-run

        zcat old/*.gz | parley import jsonl - --channel support --no-wait
    """
    import_file(
        FileRequest(file, jsonl_rows, tenant, channel, wait, dry_run, skip_bad, max_lag, output)
    )
