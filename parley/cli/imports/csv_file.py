"""`parley import csv`: a file whose first row names the columns."""

from collections.abc import Sequence
from typing import Annotated, Final

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
from parley.errors import UserError
from parley.importing.delimited import CsvFormat

_SPELLED: Final = {"tab": "\t", "\\t": "\t"}


def csv(
    file: Annotated[str, typer.Argument(help="A CSV file, also .gz; - is the standard input.")],
    names: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OURS=THEIRS", help="The file's name for a field; repeat."),
    ] = None,
    delimiter: Annotated[
        str, typer.Option(help="What parts the cells: one character, or tab.")
    ] = ",",
    *,
    tenant: TenantOption = DEFAULT_TENANT,
    channel: ChannelOption = DEFAULT_CHANNEL,
    wait: WaitOption = True,
    dry_run: DryRunOption = False,
    skip_bad: SkipBadOption = False,
    max_lag: MaxLagOption = DEFAULT_MAX_LAG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Import messages from a CSV file, whose first row names the columns.

    Needed: conversation_id, role (user, assistant, system, tool), content, occurred_at (ISO 8601;
    without a zone it is UTC). Optional: message_id, session_id, author, user_id, metadata (a JSON
    object), audio_url, language. Other names are mapped with --map; other columns are ignored,
    and named in the end. An empty cell says nothing, but for an empty content.

    Cells may be quoted, and span lines then; UTF-8. The whole file is checked first; with a bad
    row nothing is published. Importing a file again adds nothing, and an interrupted import goes
    on where it was: simply run it again.

    Try:

        parley import csv chats.csv --dry-run

        parley import csv chats.csv.gz --map conversation_id=thread --map occurred_at=sent

        parley import csv export.tsv --delimiter tab --channel support
    """
    rows = CsvFormat(_one_character(delimiter), _mapping(names or ())).rows
    import_file(FileRequest(file, rows, tenant, channel, wait, dry_run, skip_bad, max_lag, output))


def _one_character(delimiter: str) -> str:
    spelled = _SPELLED.get(delimiter, delimiter)
    if len(spelled) != 1 or spelled in '"\r\n':
        raise UserError(
            f"--delimiter {delimiter} is not one character.", "Write , or ; or | or tab."
        )
    return spelled


def _mapping(names: Sequence[str]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for one in names:
        ours, separator, theirs = one.partition("=")
        if not (ours and separator and theirs):
            raise UserError(
                f"--map {one} is not understood.",
                "Write the field's name, =, and the column's: --map occurred_at=sent.",
            )
        mapping[ours] = theirs
    return mapping
