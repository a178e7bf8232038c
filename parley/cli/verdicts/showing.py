"""`parley verdicts show`: all that the passes found out about one segment, to be read."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, stdout
from parley.cli.running import run
from parley.cli.verdicts.listing import pass_text, standing
from parley.cli.verdicts.options import (
    DEFAULT_TENANT,
    OlderOption,
    PassOption,
    TenantOption,
    pass_of,
    segment_of,
)
from parley.errors import UserError
from parley.results.reading import Row, Wanted, as_verdict, verdicts
from parley.settings import Settings

# One segment has no more: revisions, passes and their versions.
_MOST: Final = 1_000


def show(
    segment: Annotated[str, typer.Argument(help="The segment's id.")],
    *,
    wanted: PassOption = None,
    older: OlderOption = False,
    tenant: TenantOption = DEFAULT_TENANT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show all that the passes found out about a segment.

    Results are written a line for each of their entries, lists with a dash.

    Try:

        parley verdicts show 0f8fad5b-d9cb-469f-a165-70867728950e

        parley verdicts show 0f8fad5b-d9cb-469f-a165-70867728950e --pass sentiment -o json
    """
    segment_id = segment_of(segment)
    name, version = pass_of(wanted)
    is_current = None if older else True
    chosen = Wanted(tenant, None, segment_id, name, version, is_current=is_current)
    found = [as_verdict(one) for one in run(_read(Settings.load(), chosen))]
    if not found:
        raise UserError(
            f"Tenant {tenant} has no such verdict of segment {segment_id}.",
            "--all shows those of former revisions; `parley missing` says what is to come.",
        )
    if output is not Output.TABLE:
        print_data(output, found)
        return
    for line in text_of(found):
        stdout.print(line)


async def _read(settings: Settings, chosen: Wanted) -> list[Row]:
    async with connection_pool(settings) as pool:
        return await verdicts(pool, chosen, _MOST)


def text_of(found: Sequence[Row]) -> Iterator[str]:
    """The verdicts of one segment, as lines with markup."""
    first = found[0]
    yield f"segment {first['segment_id']} of conversation {escape(first['conversation_id'])}"
    if first["segment_started_at"] is not None:
        began, ended = first["segment_started_at"], first["segment_ended_at"]
        yield f"{began:%Y-%m-%d %H:%M:%S} to {ended:%Y-%m-%d %H:%M:%S} UTC"
    by_age = sorted(
        found, key=lambda one: (-one["revision"], one["pass_name"], -one["pass_version"])
    )
    for verdict in by_age:
        note = standing(verdict)
        yield ""
        yield f"[bold]{escape(pass_text(verdict))}[/], revision {verdict['revision']}" + (
            f" [yellow]({note})[/]" if note else ""
        )
        yield from (f"  {escape(line)}" for line in outline(verdict["output"]))


def outline(value: Any) -> Iterator[str]:
    """JSON for people: a line for each entry, without quotes and braces."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _entry(f"{_word(name)}:", one)
    elif isinstance(value, list) and value:
        for one in value:
            yield from _entry("-", one)
    else:
        yield _word(value)


def _entry(head: str, value: Any) -> Iterator[str]:
    is_flat = not isinstance(value, dict | list) or not value
    if is_flat or (isinstance(value, list) and all(isinstance(one, int | float) for one in value)):
        yield f"{head} {_word(value)}"
        return
    yield head
    yield from (f"  {line}" for line in outline(value))


def _word(value: Any) -> str:
    if value is None or value in ({}, []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_word, value))
    # A text may hold anything: what would move a terminal's cursor is written out.
    return "".join(one if one.isprintable() else " " for one in str(value))
