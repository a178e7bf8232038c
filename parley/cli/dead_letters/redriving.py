"""`parley dead-letters redrive`: dead letters into the log again, as new records."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from parley.cli.config_topic import who
from parley.cli.dead_letters.choosing import (
    SQL,
    Choice,
    Ids,
    ReasonOption,
    Row,
    ServiceOption,
    SinceOption,
    Standing,
    TopicOption,
    UntilOption,
    choice,
    choose,
    count,
    standing_of,
    summary,
)
from parley.cli.dead_letters.deciding import confirm, require_choice
from parley.cli.dead_letters.new_record import Letter, new_record, repaired
from parley.cli.dead_letters.stored import objection, read_letters
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.cli.wording import counted
from parley.codec import MAX_RECORD_BYTES
from parley.db.pool import Pool
from parley.errors import UserError
from parley.log.admin import incarnation_of
from parley.log.producer import Producer
from parley.settings import Settings

# Records may be large, and all of a page are in memory.
_PAGE: Final = 50
_COLUMNS: Final = ("id", "reason", "tenant", "conversation", "result", "why", "new_place")


@dataclass(frozen=True, slots=True)
class _How:
    """What is done with every letter."""

    is_dry: bool
    is_forced: bool
    value: bytes | None
    rekeys: bool


@dataclass(frozen=True, slots=True)
class _Judged:
    """A letter with what would be published, and what speaks against it."""

    row: Row
    letter: Letter
    why: str | None


def redrive(
    ids: Ids = None,
    *,
    reason: ReasonOption = None,
    service: ServiceOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Publish nothing; say what would become of each.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    value: Annotated[
        Path | None, typer.Option(help="Publish this file's bytes in place of the record's own.")
    ] = None,
    rekey: Annotated[
        bool, typer.Option("--rekey", help="Publish under the key that the event itself names.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also what would be refused again, or was dealt with.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Publish dead letters to the topic that they come from, each as a new record.

    The dead letter stays, and notes where the new record lies. What would be refused again, is
    stored already, was redriven or discarded is left out, with the reason; then the exit status
    is 1.

    Try:

        parley dead-letters redrive --reason refused --since 2d --dry-run

        parley dead-letters redrive 12 --value mended.bin
    """
    settings = Settings.load()
    chosen = choice(settings, ids, reason, service, topic, since, until)
    require_choice(chosen, everything=everything)
    if value is not None and len(ids or ()) != 1:
        raise UserError("--value is for one dead letter.", "Name its id alone.")
    how = _How(dry_run, force, _read_file(value), rekey)
    rows = run(_redrive(settings, chosen, how, is_agreed=yes))
    if rows or output is not Output.TABLE:
        print_rows(output, rows, _COLUMNS)
    left_out = sum(row["result"] == "left out" for row in rows)
    done = "would be redriven" if dry_run else "redriven"
    say(f"{counted(len(rows) - left_out, 'dead letter')} {done}, {left_out:,} left out.")
    if left_out:
        raise typer.Exit(1)


def _read_file(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    if len(content) > MAX_RECORD_BYTES:
        raise UserError(f"{path} is larger than a record may be.", f"{MAX_RECORD_BYTES:,} bytes.")
    return content


async def _redrive(
    settings: Settings, chosen: Choice, how: _How, *, is_agreed: bool
) -> list[dict[str, Any]]:
    async with connection_pool(settings) as pool:
        agreed = is_agreed or how.is_dry
        confirm("Redrive", await count(pool, chosen), chosen, is_agreed=agreed)
        rows: list[dict[str, Any]] = []
        producer = Producer(settings)
        await producer.start()
        try:
            async for page in _pages(settings, pool, chosen, how):
                wanted = [one for one in page if one.why is None or how.is_forced]
                places = {} if how.is_dry else await _publish(settings, pool, producer, wanted)
                rows += [_result(one, how, places) for one in page]
        finally:
            await producer.stop()
        return rows


async def _pages(
    settings: Settings, pool: Pool, chosen: Choice, how: _How
) -> AsyncIterator[list[_Judged]]:
    """In the order of their ids, which is that of the log within a partition."""
    after_id = 0
    while rows := await choose(pool, chosen, limit=_PAGE, after_id=after_id):
        after_id = rows[-1]["id"]
        letters = await read_letters(settings, pool, rows)
        by_id = {one.letter_id: repaired(one, how.value, rekeys=how.rekeys) for one in letters}
        yield [await _judge(pool, row, by_id[row["id"]]) for row in rows if row["id"] in by_id]


async def _judge(pool: Pool, row: Row, letter: Letter) -> _Judged:
    standing = standing_of(row)
    if standing is Standing.REDRIVEN:
        place = f"{row['redriven_partition']}/{row['redriven_offset']}"
        return _Judged(row, letter, f"{row['redriven_by']} redrove it already, as {place}")
    if standing is Standing.DISCARDED:
        by, why = row["discarded_by"], row["discarded_why"]
        return _Judged(row, letter, f"{by} discarded it: {why}")
    return _Judged(row, letter, await objection(pool, letter))


async def _publish(
    settings: Settings, pool: Pool, producer: Producer, wanted: Sequence[_Judged]
) -> dict[int, str]:
    """Where the new records lie, by letter.

    A crash before they are noted leaves letters open whose records are in the log: redriven
    again they are known duplicates.
    """
    if not wanted:
        return {}
    me = who()
    sent = await producer.send_all([new_record(one.letter, me) for one in wanted])
    by_topic: dict[str, list[tuple[int, int, int]]] = {}
    for one, at in zip(wanted, sent, strict=True):
        place = (one.letter.letter_id, at.partition, at.offset)
        by_topic.setdefault(one.letter.goes_to, []).append(place)
    for topic, places in by_topic.items():
        incarnation = await incarnation_of(settings, topic)
        columns = map(list, zip(*places, strict=True))
        await pool.execute(SQL["mark_redriven"], me, incarnation, *columns)
    return {
        one.letter.letter_id: f"{at.partition}/{at.offset}"
        for one, at in zip(wanted, sent, strict=True)
    }


def _result(judged: _Judged, how: _How, places: dict[int, str]) -> dict[str, Any]:
    is_wanted = judged.why is None or how.is_forced
    result = ("ready" if how.is_dry else "redriven") if is_wanted else "left out"
    line = summary(judged.row)
    return {
        **{name: line[name] for name in ("id", "reason", "topic", "tenant", "conversation")},
        "result": result,
        "why": judged.why,
        "new_place": places.get(judged.letter.letter_id),
    }
