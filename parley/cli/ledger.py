"""`parley ledger`: what became of every record that was read, in all or in a stretch of time."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import typer

from parley import clock
from parley.cli import facts
from parley.cli.facts import SQL, connection_pool
from parley.cli.output import Output, OutputOption, print_data, say, stdout, table_of
from parley.cli.running import run
from parley.cli.times import moment_of
from parley.errors import UserError
from parley.local import supervisor
from parley.log.admin import offsets_at
from parley.settings import Settings

_KINDS: Final = ("stored", "duplicate", "dead_lettered", "not_for_table")
_COLUMNS: Final = ("consumer", "topic", "partition", "consumed", *_KINDS, "residue")
_GATEWAY_COLUMNS: Final = ("gateway", "acknowledged", "counted_since", "problem")
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
# The persister gathers older minutes into hours.
_MINUTES_KEPT: Final = timedelta(days=30)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole minutes, or whole hours where it is long ago: from one moment to before another."""

    since: datetime
    until: datetime

    @classmethod
    def of(cls, since: datetime, until: datetime, now: datetime) -> "Stretch":
        """The whole minutes or hours around two moments."""
        oldest_minute = now - _MINUTES_KEPT + _HOUR

        def step(moment: datetime) -> timedelta:
            return _MINUTE if moment > oldest_minute else _HOUR

        beginning = since - (since - _BEGINNING) % step(since)
        return cls(beginning, until + (_BEGINNING - until) % step(until))


def ledger(
    *,
    since: Annotated[
        str | None,
        typer.Option(help="From a time on (UTC without zone), or 90m, 12h, 7d ago; else from 0."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Up to a time; else up to now.")] = None,
    gateway: Annotated[
        list[str] | None,
        typer.Option(help="A gateway's address; else those that run in this folder."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what became of every record: stored, known already, dead-lettered or not for a table.

    The four sum up to what was consumed; the residue is what is missing, and exit status is 1
    unless all of it is 0. Times are the broker's, in whole minutes (hours after 30 days), and
    what was consumed then is counted by the log's own offsets. Beside it stands what gateways
    have acknowledged, by their clocks and as far as they remember: at least that much is in the
    log.

    Try:

        parley ledger

        parley ledger --since 2026-01-31T12:00 --until 2026-01-31T12:30 -o json
    """
    now = clock.now()
    stretch = None
    if since is not None or until is not None:
        first = _BEGINNING if since is None else moment_of("--since", since, now)
        last = now if until is None else moment_of("--until", until, now)
        if last <= first:
            raise UserError("--until must be later than --since.")
        stretch = Stretch.of(first, last, now)
    settings = Settings.load()
    rows = run(_rows(settings, stretch))
    asked = stretch or Stretch(_BEGINNING, now + _MINUTE)
    gateways = run(_gateways(settings, gateway, asked))
    _print(output, stretch, rows, gateways)
    if any(row["residue"] for row in rows):
        raise typer.Exit(1)


async def _rows(settings: Settings, stretch: Stretch | None) -> list[dict[str, Any]]:
    async with connection_pool(settings) as pool:
        if stretch is None:
            found = [dict(row) for row in await pool.fetch(SQL["ledger"])]
            return [{**row, "consumed": _sum(row) + row["residue"]} for row in found]
        rows = await pool.fetch(SQL["ledger_between"], stretch.since, stretch.until)
    topics = sorted({row["topic"] for row in rows})
    offsets = {topic: await _offsets(settings, topic, stretch) for topic in topics}
    return [_with_residue(dict(row), offsets[row["topic"]][row["partition"]]) for row in rows]


async def _offsets(settings: Settings, topic: str, stretch: Stretch) -> dict[int, tuple[int, int]]:
    first = await offsets_at(settings, topic, stretch.since)
    last = await offsets_at(settings, topic, stretch.until)
    return {partition: (first[partition], last[partition]) for partition in first}


def _with_residue(row: dict[str, Any], between: tuple[int, int]) -> dict[str, Any]:
    next_offset = row.pop("next_offset")
    first, last = (min(offset, next_offset) for offset in between)
    return {**row, "consumed": last - first, "residue": last - first - _sum(row)}


def _sum(row: Mapping[str, Any]) -> int:
    return sum(row[kind] for kind in _KINDS)


async def _gateways(
    settings: Settings, named: Sequence[str] | None, stretch: Stretch
) -> list[dict[str, Any]]:
    record = supervisor.running(settings.state_dir) or {"services": {}}
    known = [one["url"] for name, one in record["services"].items() if name == "gateway"]
    asking = (asyncio.to_thread(_ask, url, stretch) for url in named or known)
    return list(await asyncio.gather(*asking))


def _ask(url: str, stretch: Stretch) -> dict[str, Any]:
    query = urlencode({"since": stretch.since.isoformat(), "until": stretch.until.isoformat()})
    try:
        answer = json.loads(facts.get(f"{url.rstrip('/')}/acknowledged?{query}"))
        counted_since = datetime.fromisoformat(answer["since"])
    except (OSError, ValueError, KeyError) as error:
        return {"gateway": url, "acknowledged": None, "problem": str(error)}
    count = answer["acknowledged"]
    return {"gateway": url, "acknowledged": count, "counted_since": counted_since}


def _print(
    output: Output,
    stretch: Stretch | None,
    rows: list[dict[str, Any]],
    gateways: list[dict[str, Any]],
) -> None:
    total = {kind: sum(row[kind] for row in rows) for kind in ("consumed", *_KINDS, "residue")}
    if output is not Output.TABLE:
        span = {"since": stretch and stretch.since, "until": stretch and stretch.until}
        print_data(output, {**span, "partitions": rows, "total": total, "gateways": gateways})
        return
    if not rows:
        say("Nothing was read yet.")
    else:
        stdout.print(table_of([*rows, {"consumer": "all", **total}], _COLUMNS))
    if gateways:
        stdout.print(table_of(gateways, _GATEWAY_COLUMNS))
    else:
        say("No gateway was asked: name them with --gateway.")
    if stretch is not None:
        say(f"From {stretch.since:%Y-%m-%d %H:%M} to {stretch.until:%Y-%m-%d %H:%M} UTC.")
