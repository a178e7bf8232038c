"""`parley verdicts list`: verdicts in a line each, the newest first."""

from typing import Annotated, Any, Final

import typer

from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_rows, say, stdout
from parley.cli.running import run
from parley.cli.verdicts.options import (
    DEFAULT_TENANT,
    ConversationOption,
    OlderOption,
    PassOption,
    TenantOption,
    pass_of,
    segment_of,
    since_of,
)
from parley.cli.wording import readable_json
from parley.results.reading import Row, Wanted, as_verdict, verdicts
from parley.settings import Settings

_COLUMNS: Final = ("made_at", "conversation", "segment", "revision", "pass", "counts", "output")
# What the other columns and the spaces between them take.
_TAKEN: Final = 120
_SHORTEST: Final = 30


def list_verdicts(
    *,
    conversation: ConversationOption = None,
    segment: Annotated[
        str | None, typer.Option("--segment", "-s", help="Only this one's, by its id.")
    ] = None,
    wanted: PassOption = None,
    since: Annotated[
        str | None, typer.Option(help="Made then or later: a time, or how long ago, such as 2d.")
    ] = None,
    older: OlderOption = False,
    limit: Annotated[int, typer.Option("-n", min=1, max=100_000, help="At most so many.")] = 50,
    tenant: TenantOption = DEFAULT_TENANT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show verdicts, the newest first: those of segments as they stand now.

    A table shows the beginning of each result; `parley verdicts show SEGMENT` shows all of it, and
    JSON and YAML hold everything.

    Try:

        parley verdicts list --pass sentiment --since 2d

        parley verdicts list -c chat-7 --all -o json
    """
    name, version = pass_of(wanted)
    chosen = Wanted(
        tenant,
        conversation,
        None if segment is None else segment_of(segment),
        name,
        version,
        since_of(since),
        None if older else True,
    )
    found = run(_read(Settings.load(), chosen, limit))
    if output is not Output.TABLE:
        print_rows(output, [as_verdict(one) for one in found], ())
    elif found:
        room = max(_SHORTEST, stdout.width - _TAKEN)
        print_rows(output, [line_of(as_verdict(one), room) for one in found], _COLUMNS)
    else:
        say("There is none. `parley missing` says which verdicts are to come, and what holds them.")
    if len(found) == limit:
        say(f"The newest {limit:,} are shown: -n shows more.")


async def _read(settings: Settings, chosen: Wanted, limit: int) -> list[Row]:
    async with connection_pool(settings) as pool:
        return await verdicts(pool, chosen, limit)


def line_of(verdict: Row, room: int) -> dict[str, Any]:
    """A verdict, for people: the beginning of its result in so many characters."""
    text = " ".join(readable_json(verdict["output"], room).split())
    return {
        "made_at": verdict["ended_at"],
        "conversation": verdict["conversation_id"],
        "segment": verdict["segment_id"],
        "revision": verdict["revision"],
        "pass": pass_text(verdict),
        "counts": standing(verdict),
        "output": text if len(text) <= room else f"{text[: room - 1]}…",
    }


def pass_text(verdict: Row) -> str:
    """The pass and its version, as they can be asked for."""
    return f"{verdict['pass_name']}@{verdict['pass_version']}"


def standing(verdict: Row) -> str:
    """Whether it counts; empty where it does, which most do."""
    if not verdict["is_current"]:
        return "former revision"
    return "" if verdict["is_newest_version"] else "former version"
