"""`parley export`: what the tables hold, out into a file."""

import importlib
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from enum import StrEnum
from typing import IO, Annotated, Any, Final, Protocol

import typer

from parley import clock
from parley.cli.changing_line import ChangingLine
from parley.cli.output import stderr
from parley.cli.running import run
from parley.errors import UserError
from parley.exporting.jsonl import JsonLines
from parley.exporting.kinds import COLUMNS, Kind
from parley.exporting.reading import Rows, Selection, read
from parley.exporting.target import STANDARD_OUTPUT, open_target
from parley.settings import Settings

_GZIP: Final = ".gz"
_PARQUET: Final = ".parquet"


class Format(StrEnum):
    """How rows are written."""

    JSONL = "jsonl"
    PARQUET = "parquet"


class Writer(Protocol):
    """What takes the rows."""

    def write(self, rows: Rows) -> None:
        """Take some rows."""

    def close(self) -> None:
        """Write what belongs to the end."""


def export(
    kind: Annotated[Kind, typer.Argument(help="What to export.")] = Kind.MESSAGES,
    file: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where to; - is standard output.")
    ] = STANDARD_OUTPUT,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="By the file's name where it is left out, else jsonl."),
    ] = None,
    *,
    tenant: Annotated[str, typer.Option(help="Whose.")] = "default",
    since: Annotated[
        str | None, typer.Option(help="Talk at or after: an ISO 8601 time (UTC without zone).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Talk before: an ISO 8601 time (UTC without zone).")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only what came by this one.")] = None,
    conversation: Annotated[str | None, typer.Option(help="Only this one's.")] = None,
    current: Annotated[
        bool, typer.Option("--current", help="Of verdicts only those of segments as they stand.")
    ] = False,
) -> None:
    """Write messages, conversations, sessions, segments or verdicts to a file.

    All rows are of one moment, whatever is written meanwhile, and come in a fixed order; memory
    stays flat. The file appears when it is whole: until then, and when something fails, what was
    there before stays. A name that ends in .gz is compressed.

    JSONL has one object a line, times in UTC. Parquet has real types: times in UTC, ids as texts,
    metadata as JSON text; it needs pyarrow. Exported messages are what `parley import jsonl`
    reads; in another tenant or installation they are the same conversations again.

    Try:

        parley export messages -o messages.jsonl.gz

        parley export messages --since 2026-01-01 --until 2026-02-01 -o january.parquet

        parley export verdicts --channel support -o - | jq .output

        parley export verdicts --current -o verdicts.parquet
    """
    chosen = form or (Format.PARQUET if file.endswith(_PARQUET) else Format.JSONL)
    selection = Selection(
        tenant,
        _moment("--since", since),
        _moment("--until", until),
        channel,
        conversation,
        is_current=current,
    )
    if current and kind is not Kind.VERDICTS:
        raise UserError("--current is about verdicts.", "Leave it out: nothing else is outdated.")
    _refuse_unreadable(chosen, file)
    settings = Settings.load()
    try:
        with open_target(file) as target:
            writer = _writer(chosen, kind, target, is_gzip=file.endswith(_GZIP))
            run(_copy(read(settings, kind, selection), writer, kind))
    except BrokenPipeError:
        raise _has_enough() from None


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(
            f"{option} {text} is not understood.", "Write a time such as 2026-01-31T12:00:00Z."
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _refuse_unreadable(form: Format, file: str) -> None:
    if form is Format.PARQUET and file.endswith(_GZIP):
        raise UserError("Parquet is compressed within.", f"Name the file without {_GZIP}.")
    if form is Format.PARQUET and file == STANDARD_OUTPUT and sys.stdout.isatty():
        raise UserError("Parquet is nothing to read.", "Name a file with -o.")


def _writer(form: Format, kind: Kind, target: IO[bytes], *, is_gzip: bool) -> Writer:
    if form is Format.JSONL:
        return JsonLines(target, COLUMNS[kind], is_gzip=is_gzip)
    try:
        # Not every installation has what it needs.
        parquet: Any = importlib.import_module("parley.exporting.parquet")
    except ModuleNotFoundError as error:
        raise UserError(
            "Parquet needs pyarrow, which is not installed.",
            "Install it where parley is, with `pip install 'parley[export]'` or, in this folder, "
            "`.venv/bin/pip install pyarrow`; or write JSONL.",
        ) from error
    writer: Writer = parquet.ParquetRows(target, COLUMNS[kind])
    return writer


async def _copy(batches: AsyncGenerator[Rows, None], writer: Writer, kind: Kind) -> None:
    count, started_at = 0, clock.monotonic()
    with ChangingLine(stderr) as line:
        try:
            async with aclosing(batches) as rest:
                async for rows in rest:
                    writer.write(rows)
                    count += len(rows)
                    line.show(_told(kind, count, clock.monotonic() - started_at))
            writer.close()
        except BrokenPipeError:
            raise _has_enough() from None
        line.show(_told(kind, count, clock.monotonic() - started_at))


def _has_enough() -> typer.Exit:
    """Whoever reads the standard output went away: no fault, but not all was written."""
    # The interpreter flushes it once more at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return typer.Exit(1)


def _told(kind: Kind, count: int, seconds: float) -> str:
    return f"{count:,} {kind}, {count / max(seconds, 0.001):,.0f}/s"
