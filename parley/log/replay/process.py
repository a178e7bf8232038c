"""Be a replay's process: told on stdin how far to go, telling on stdout how far it is.

Each line is JSON. In: `{consumer: {partition: offset}}`, one after another is answered. Out:
first `{"consumers": [[consumer, topic], …]}`, then `{"read": records}` now and then, `{"reached":
true}` at the end of each line in, or `{"problem": …, "remedy": …}` at the end of all. The end of
stdin ends the process: whoever started it is gone.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import orjson
import uvloop

from parley import clock, logs
from parley.db.pool import Pool, connect
from parley.errors import UserError
from parley.garbage import COLLECT_AFTER_BATCHES, collect_seldom
from parley.log.connections import tell_of_closed_connections
from parley.log.replay.replay import Replay
from parley.settings import Settings

TELL_EVERY_S: Final = 0.2
POOL_SIZE: Final = 12

AnySettings = TypeVar("AnySettings", bound=Settings)
Make = Callable[[AnySettings, Pool], Sequence[Replay]]


def be_replay(service: str, settings_type: type[AnySettings], make: Make[AnySettings]) -> None:
    """Be `python -m services.SERVICE.replay SCHEMA`: replay into the tables of that schema."""
    collect_seldom(COLLECT_AFTER_BATCHES)
    try:
        settings = settings_type.load()
        logs.configure(service, "CRITICAL", is_json=True)
        tell_of_closed_connections()
        uvloop.run(_until_stdin_ends(_replay(settings, make, sys.argv[1])))
    except UserError as error:
        _give_up(error)
    except BaseExceptionGroup as group:
        told, unknown = group.split(UserError)
        if unknown is not None or told is None:
            raise
        _give_up(_first(told))


async def _until_stdin_ends(work: "_Work") -> None:
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    reading = asyncio.create_task(_read(lines))
    working = asyncio.create_task(work(lines))
    try:
        await asyncio.wait({reading, working}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        reading.cancel()
        working.cancel()
        await asyncio.gather(reading, working, return_exceptions=True)


async def _read(lines: "asyncio.Queue[bytes]") -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        lines.put_nowait(line)


_Work = Callable[["asyncio.Queue[bytes]"], Coroutine[Any, Any, None]]


def _replay(settings: AnySettings, make: Make[AnySettings], schema: str) -> _Work:
    async def work(lines: "asyncio.Queue[bytes]") -> None:
        pool = await connect(settings, max_size=POOL_SIZE, schema=schema)
        replays = make(settings, pool)
        try:
            for one in replays:
                await one.start()
            _tell(consumers=[[one.name, one.topic] for one in replays])
            while True:
                await _run_to(replays, orjson.loads(await lines.get()))
        finally:
            for one in replays:
                await one.stop()
            with suppress(TimeoutError):
                await asyncio.wait_for(pool.close(), 5)

    return work


async def _run_to(replays: Sequence[Replay], ends: dict[str, dict[str, int]]) -> None:
    teller = _Teller()
    async with asyncio.TaskGroup() as group:
        for one in replays:
            own = {int(number): end for number, end in ends.get(one.name, {}).items()}
            group.create_task(one.run_to(own, teller.add))
    teller.flush()
    _tell(reached=True)


class _Teller:
    """Adds up records, and tells them now and then."""

    def __init__(self) -> None:
        self._untold = 0
        self._told_at = clock.monotonic()

    def add(self, record_count: int) -> None:
        self._untold += record_count
        if clock.monotonic() - self._told_at >= TELL_EVERY_S:
            self.flush()

    def flush(self) -> None:
        _tell(read=self._untold)
        self._untold, self._told_at = 0, clock.monotonic()


def _tell(**what: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(what) + b"\n")
    sys.stdout.buffer.flush()


def _first(group: BaseExceptionGroup[UserError]) -> UserError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, UserError):
        raise error
    return error


def _give_up(error: UserError) -> None:
    _tell(problem=error.problem, remedy=error.remedy)
    sys.exit(1)
