"""`parley status`: what runs, how far every consumer has read, and how much there is."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import asdict
from datetime import UTC, timedelta
from itertools import groupby
from typing import Annotated, Any

import typer

from parley.activity.figures import Activity
from parley.activity.reading import read_activity
from parley.cli import facts
from parley.cli.facts import SQL, PartitionFacts
from parley.cli.output import Output, OutputOption, print_data, say, say_error, stdout, table_of
from parley.cli.running import as_user_error, run
from parley.cli.topics import topic_rows
from parley.cli.wording import lasting
from parley.cli.workers import sealer_rows, short, workers
from parley.errors import UserError
from parley.settings import Settings
from parley.topics import Topic


def status(
    *,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Workers, every partition, and the ledger.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show services, topics, consumers and counts; exit status 1 when a part cannot be seen.

    Try:

        parley status -v

        parley status -o json
    """
    sections, errors = run(_gather(Settings.load(), verbose=verbose))
    if output is not Output.TABLE:
        print_data(output, {**sections, "errors": [str(error) for error in errors]})
    else:
        _print(sections)
        for error in errors:
            say_error(error)
    if errors:
        raise typer.Exit(1)


async def _gather(settings: Settings, *, verbose: bool) -> tuple[dict[str, Any], list[UserError]]:
    """Each section by its name; one that cannot be had leaves the others as they are."""
    wanted: dict[str, Awaitable[Any]] = {
        "services": facts.services(settings),
        "topics": topic_rows(settings),
        "database": _database(settings, verbose=verbose),
    }
    results = await asyncio.gather(*wanted.values(), return_exceptions=True)
    sections: dict[str, Any] = {}
    errors: list[UserError] = []
    for name, result in zip(wanted, results, strict=True):
        if isinstance(result, BaseException):
            errors.append(as_user_error(result))
        elif name == "database":
            sections.update(result)
        else:
            sections[name] = [_plain(one) for one in result]
    return sections, _distinct(errors)


async def _database(settings: Settings, *, verbose: bool) -> dict[str, Any]:
    async with facts.connection_pool(settings) as pool:
        found: dict[str, Any] = {
            "counts": dict(await pool.fetchrow(SQL["counts"])),
            "jobs": [dict(row) for row in await pool.fetch(SQL["jobs"])],
            "outbox": [dict(row) for row in await pool.fetch(SQL["outbox"])],
            "open_windows": [dict(await pool.fetchrow(SQL["open_windows"]))],
            "dead_letters": [dict(row) for row in await pool.fetch(SQL["dead_letters"])],
            "activity": [_activity(await read_activity(pool))],
        }
        partitions = await facts.partitions(settings, pool)
        found["consumers"] = _consumers(partitions)
        if verbose:
            found["workers"] = workers(partitions)
            found["partitions"] = [
                {**asdict(one), "lag": one.lag, "worker": short(one.owner)} for one in partitions
            ]
            found["ledger"] = [dict(row) for row in await pool.fetch(SQL["ledger"])]
            events = settings.topic(Topic.EVENTS)
            marks = [dict(row) for row in await pool.fetch(SQL["sealer_partitions"], events)]
            found["sealer_partitions"] = sealer_rows(marks, partitions, events)
    return found


def _activity(activity: Activity) -> dict[str, Any]:
    return {
        "state": activity.state,
        "age_seconds": None if activity.age is None else round(activity.age.total_seconds(), 1),
        "channels": len(activity.groups),
        "reasons": "; ".join(activity.reasons),
    }


def _consumers(partitions: Sequence[PartitionFacts]) -> list[dict[str, Any]]:
    def name_of(one: PartitionFacts) -> tuple[str, str]:
        return one.consumer, one.topic

    return [
        _consumer(consumer, topic, list(group))
        for (consumer, topic), group in groupby(partitions, key=name_of)
    ]


def _consumer(consumer: str, topic: str, group: list[PartitionFacts]) -> dict[str, Any]:
    reasons = sorted({one.stopped_reason for one in group if one.stopped_reason})
    return {
        "consumer": consumer,
        "topic": topic,
        "partitions": f"{sum(one.has_fence for one in group)} of {len(group)}",
        "read": sum(one.next_offset for one in group),
        "lag": sum(one.lag for one in group),
        "held": sum(one.is_held for one in group) or None,
        "stopped": "; ".join(reasons) or None,
    }


def _plain(one: Any) -> dict[str, Any]:
    return one if isinstance(one, dict) else asdict(one)


def _distinct(errors: list[UserError]) -> list[UserError]:
    return list({str(error): error for error in errors}.values())


COLUMNS = {
    "services": ("name", "status", "pid", "url", "restarts", "detail"),
    "topics": ("topic", "partitions", "records", "kept"),
    "consumers": ("consumer", "topic", "partitions", "read", "lag", "held", "stopped"),
    "workers": ("consumer", "worker", "partitions", "lag", "last_move"),
    "sealer_partitions": (
        *("partition", "watermark", "behind", "lag", "open", "due", "held", "worker"),
    ),
    # Of each consumer there is one topic, which the table of consumers names.
    "partitions": ("consumer", "partition", "next_offset", "end_offset", "lag", "worker"),
    "ledger": (
        "consumer",
        "stored",
        "duplicate",
        "dead_lettered",
        "not_for_table",
        "residue",
    ),
    "outbox": ("consumer", "waiting", "oldest_seconds"),
    "open_windows": ("open", "due", "held_by_imports", "next_deadline"),
    "jobs": ("state", "jobs"),
    "dead_letters": ("service", "reason", "records", "last_day", "latest"),
    "activity": ("state", "age_seconds", "channels", "reasons"),
}


def for_people(row: dict[str, Any]) -> dict[str, Any]:
    """The row in what fits a narrow terminal: spans of time in words, places as one word."""
    shown = dict(row)
    for name, field in (("behind", "seconds_behind"), ("last_move", "seconds_since_move")):
        if row.get(field) is not None:
            shown[name] = lasting(timedelta(seconds=row[field]))
    if row.get("watermark") is not None:
        shown["watermark"] = f"{row['watermark'].astimezone(UTC):%H:%M:%S}"
    if "residue" in row:
        shown["consumer"] = f"{row['consumer']}/{row['partition']}"
    return shown


def _print(sections: dict[str, Any]) -> None:
    if not sections.get("services"):
        say("No services run under this folder's supervisor (`parley local up`).")
    for name, columns in COLUMNS.items():
        if sections.get(name):
            rows = [for_people(row) for row in sections[name]]
            stdout.print(table_of(rows, columns, name.replace("_", " ")))
    if "counts" in sections:
        rows = [{"what": k.replace("_", " "), "count": v} for k, v in sections["counts"].items()]
        stdout.print(table_of(rows, ("what", "count"), "counts"))
