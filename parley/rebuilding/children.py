"""Runs the services' replays as child processes: this package never imports a service."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Self

import orjson

from parley.errors import UserError
from parley.local import environment
from parley.settings import Settings, kafka_variables

# Who fills tables from the log. The analyzer's jobs are no view of it: they are kept.
MODULES: Final = ("services.persister.replay", "services.sealer.replay")
STOP_TIMEOUT_S: Final = 10.0

Targets = Mapping[str, Mapping[int, int]]
"""How far to read: an offset by consumer and partition."""

Progress = Callable[[int], None]


class Replayer:
    """One child: replays a service's consumers into the tables of a schema."""

    def __init__(self, module: str, process: Process, consumers: dict[str, str]) -> None:
        self._module = module
        self._process = process
        self.consumers = consumers
        """The topic of each consumer, by its name."""

    @classmethod
    async def start(cls, module: str, settings: Settings, schema: str) -> Self:
        """Start it; raises UserError where it cannot begin."""
        process = await asyncio.create_subprocess_exec(
            *environment.python_module(module, schema),
            env=environment.for_child(_names(settings)),
            stdin=PIPE,
            stdout=PIPE,
            # Ctrl-C is for the command, whose end closes the child's stdin.
            start_new_session=True,
        )
        replayer = cls(module, process, {})
        try:
            told = await replayer._next()
        except BaseException:
            await replayer.stop()
            raise
        replayer.consumers = dict(told["consumers"])
        return replayer

    async def run_to(self, targets: Targets, progress: Progress) -> None:
        """Return once its tables hold the log up to the targets; raises UserError."""
        own = {
            name: {str(number): end for number, end in targets.get(name, {}).items()}
            for name in self.consumers
        }
        _stdin(self._process).write(orjson.dumps(own) + b"\n")
        while True:
            told = await self._next()
            if "reached" in told:
                return
            progress(told["read"])

    async def stop(self) -> None:
        """End it; what it was writing is rolled back."""
        _stdin(self._process).close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _next(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        line = await self._process.stdout.readline()
        if not line:
            status = await self._process.wait()
            raise UserError(
                f"{self._module} ended with status {status} before the replay was done.",
                "Run the command again: it goes on where it was.",
            )
        told: dict[str, Any] = orjson.loads(line)
        if "problem" in told:
            raise UserError(told["problem"], told["remedy"])
        return told


async def start_all(settings: Settings, schema: str) -> list[Replayer]:
    """Start every replay side by side; raises UserError, with none left."""
    starts = [asyncio.create_task(Replayer.start(module, settings, schema)) for module in MODULES]
    await asyncio.wait(starts)
    started = [one.result() for one in starts if one.exception() is None]
    if len(started) < len(starts):
        await stop_all(started)
    return [one.result() for one in starts]


async def run_all(replayers: Sequence[Replayer], targets: Targets, progress: Progress) -> None:
    """Bring all of them to the targets, side by side."""
    async with asyncio.TaskGroup() as group:
        for one in replayers:
            group.create_task(one.run_to(targets, progress))


async def stop_all(replayers: Sequence[Replayer]) -> None:
    """End them all."""
    await asyncio.gather(*(one.stop() for one in replayers))


def _names(settings: Settings) -> dict[str, str]:
    return {
        **kafka_variables(settings),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "PARLEY_TOPIC_PREFIX": settings.topic_prefix,
    }


def _stdin(process: Process) -> asyncio.StreamWriter:
    assert process.stdin is not None  # noqa: S101 - it was started with a pipe
    return process.stdin
