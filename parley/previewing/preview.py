"""Runs a preview as a child process, and adds what its changes would cost.

It is the sealer's own rule that decides, and this package never imports a service. Nothing is
written anywhere: a preview that is interrupted leaves nothing behind.
"""

from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

from parley.db.pool import Pool, connect
from parley.db.sql import load
from parley.errors import UserError
from parley.local import environment
from parley.previewing.request import PreviewRequest
from parley.settings import Settings, kafka_variables

MODULE: Final = "services.sealer.preview"
_SQL: Final = load(__package__)
_LONGEST_LINE: Final = 16 * 1024 * 1024


class Watch(Protocol):
    """Whom a preview tells how far it is."""

    def begin(self, what: str, total: int | None) -> None:
        """Something begins that is so many records long."""

    def advance(self, record_count: int) -> None:
        """So many more are done."""

    def say(self, sentence: str) -> None:
        """Something that a person wants to know."""


@dataclass(slots=True)
class PassCost:
    """What a pass would have to do again: how often, and what its verdicts took.

    `verdicts` are those of segments whose messages would be others; `runs` are the segments that
    there would be in their place; `seconds` is what the verdicts took when they were made.
    """

    pass_name: str
    pass_version: int
    verdicts: int = 0
    runs: int = 0
    seconds: float = 0.0

    @property
    def expected_seconds(self) -> float:
        """What the runs would take, at the pace of the verdicts."""
        return self.seconds / self.verdicts * self.runs if self.verdicts else 0.0


@dataclass(slots=True)
class Preview:
    """What a preview found: counts by channel, and by pass what would be run again."""

    by_channel: dict[str, dict[str, int]] = field(default_factory=dict)
    costs: dict[tuple[str, int], PassCost] = field(default_factory=dict)


async def preview(settings: Settings, request: PreviewRequest, watch: Watch) -> Preview:
    """Replay history, and compare; raises UserError."""
    found = Preview()
    pool = await connect(settings, max_size=1)
    try:
        async with _child(settings, request) as child:
            async for told in _lines(child):
                await _take(told, found, pool, watch)
    finally:
        await pool.close()
    return found


async def _take(told: dict[str, Any], found: Preview, pool: Pool, watch: Watch) -> None:
    match told:
        case {"begin": total}:
            watch.begin("replaying", total)
        case {"read": count}:
            watch.advance(count)
        case {"late": partitions}:
            watch.say(_late(partitions))
        case {"changed": groups}:
            await _add_costs(pool, found, groups)
        case {"by_channel": counts}:
            found.by_channel = counts
        case {"problem": problem, "remedy": remedy}:
            raise UserError(problem, remedy)


async def _add_costs(pool: Pool, found: Preview, groups: Sequence[dict[str, Any]]) -> None:
    changed = [
        (group["tenant_id"], segment_id, revision, number, group["after"])
        for number, group in enumerate(groups)
        for segment_id, revision in group["before"]
    ]
    columns = [list(column) for column in zip(*changed, strict=True)]
    for row in await pool.fetch(_SQL["runs_again"], *columns):
        key = row["pass_name"], row["pass_version"]
        cost = found.costs.setdefault(key, PassCost(*key))
        cost.verdicts += row["verdicts"]
        cost.runs += row["runs"]
        cost.seconds += row["seconds"]


@asynccontextmanager
async def _child(settings: Settings, request: PreviewRequest) -> AsyncIterator[Process]:
    process = await create_subprocess_exec(
        *environment.python_module(MODULE),
        env=environment.for_child(_names(settings)),
        stdin=PIPE,
        stdout=PIPE,
        limit=_LONGEST_LINE,
        # Ctrl-C is for the command, which ends the child.
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 - it was started with a pipe
    try:
        process.stdin.write(orjson.dumps(request.to_json()))
        process.stdin.close()
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _lines(process: Process) -> AsyncIterator[dict[str, Any]]:
    assert process.stdout is not None  # noqa: S101 - it was started with a pipe
    last: dict[str, Any] = {}
    while line := await process.stdout.readline():
        last = orjson.loads(line)
        yield last
    if "by_channel" not in last:
        status = await process.wait()
        raise UserError(
            f"{MODULE} ended with status {status} before the preview was done.",
            "Run the command again; where memory was short, with fewer other programs.",
        )


def _names(settings: Settings) -> dict[str, str]:
    return {
        **kafka_variables(settings),
        "PARLEY_TOPIC_PREFIX": settings.topic_prefix,
        "PARLEY_TOPIC_NAMES": orjson.dumps(settings.topic_names).decode(),
    }


def _late(partitions: Sequence[tuple[int, int]]) -> str:
    names = ", ".join(f"{partition} (offset {offset})" for partition, offset in partitions)
    return f"The log begins late in partitions {names}: what was before is not looked at."
