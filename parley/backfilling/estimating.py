"""What jobs of prompts will cost, as the analyzer's own model reckons it, in a child process."""

from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from parley.backfilling.core import Pair
from parley.codec import encode_seal
from parley.codec.definitions import encode_definition
from parley.errors import UserError
from parley.local import environment
from parley.passes.catalog import Catalog
from parley.passes.definition import PassKind

MODULE: Final = "services.analyzer.backfilling.estimating"
# Texts that the child holds at one time.
AT_ONCE: Final = 100
_LONGEST_LINE: Final = 64 * 1024 * 1024


@dataclass(slots=True)
class Estimate:
    """About how many tokens the calls of a pass read, and the most that they cost.

    `has_provider` is whether anybody could be asked, by the settings that the command has.
    """

    tokens: int = 0
    micro_usd: int = 0
    is_priced: bool = True
    has_provider: bool = True


@dataclass(slots=True)
class PromptEstimator:
    """Adds up estimates by pass; passes that are code cost nothing, and are not in it."""

    catalog: Catalog
    by_pass: dict[str, Estimate] = field(default_factory=dict)
    _child: Process | None = None

    async def add(self, jobs: Sequence[Pair]) -> None:
        """These would be made; raises UserError where a prompt cannot be used."""
        by_pass: dict[tuple[str, int], list[Pair]] = {}
        for pair in jobs:
            if pair.one.kind is PassKind.PROMPT:
                by_pass.setdefault((pair.one.name, pair.one.version), []).append(pair)
        for (name, version), pairs in by_pass.items():
            for first in range(0, len(pairs), AT_ONCE):
                await self._add(name, version, pairs[first : first + AT_ONCE])

    async def _add(self, name: str, version: int, pairs: Sequence[Pair]) -> None:
        applied = self.catalog.version(name, version)
        assert applied is not None  # noqa: S101 - it was chosen from the catalog
        told = await self._ask(
            {
                "definition": encode_definition(applied.definition),
                "seals": [
                    [pair.found.sealed_at, b64encode(encode_seal(pair.sealed)).decode()]
                    for pair in pairs
                ],
            }
        )
        sums = self.by_pass.setdefault(name, Estimate())
        sums.tokens += told["tokens"]
        sums.micro_usd += told["micro_usd"]
        sums.is_priced = sums.is_priced and told["is_priced"]
        sums.has_provider = told["has_provider"]

    async def _ask(self, what: dict[str, Any]) -> dict[str, Any]:
        child = self._child = self._child or await _start()
        assert child.stdin is not None  # noqa: S101 - it was started with pipes
        assert child.stdout is not None  # noqa: S101 - the same
        child.stdin.write(orjson.dumps(what) + b"\n")
        with suppress(ConnectionError):
            await child.stdin.drain()
        line = await child.stdout.readline()
        told: dict[str, Any] = orjson.loads(line) if line else {}
        if "problem" in told:
            raise UserError(told["problem"], told["remedy"])
        if not told:
            raise UserError(
                f"{MODULE} ended with status {await child.wait()}.", "Run the command again."
            )
        return told

    async def stop(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            with suppress(ProcessLookupError):
                self._child.kill()
            await self._child.wait()


@asynccontextmanager
async def prompt_estimator(catalog: Catalog) -> AsyncIterator[PromptEstimator]:
    """One whose child ends with the block."""
    made = PromptEstimator(catalog)
    try:
        yield made
    finally:
        await made.stop()


async def _start() -> Process:
    return await create_subprocess_exec(
        *environment.python_module(MODULE),
        env=environment.for_child(),
        stdin=PIPE,
        stdout=PIPE,
        limit=_LONGEST_LINE,
        # Ctrl-C is for the command, which ends the child.
        start_new_session=True,
    )
