"""The peer: a bare loop of the analyzer's HTTP client, which asks and reads, and nothing else.

`python -m benchmarks.analyzer.asking URL CLIENT CALLS AT_ONCE` prints what it found as JSON.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx2
import orjson
import uvloop
from openai import AsyncOpenAI

from benchmarks.analyzer.passes import body
from benchmarks.processes import cpu_seconds, peak_rss_bytes
from parley import clock

HTTP: Final = "httpx2"
OPENAI: Final = "openai"
WARM_CALLS: Final = 200

Ask = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class ClientRun:
    """What a bare client reaches; CPU seconds are per 1,000 calls."""

    jobs_per_second: float
    cpu_seconds: float
    peak_rss_bytes: int


async def _ask_all(ask: Ask, count: int, at_once: int) -> None:
    left = iter(range(count))

    async def one_after_the_other() -> None:
        for _ in left:
            await ask()

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))


async def _run(base_url: str, client: str, count: int, at_once: int) -> ClientRun:
    asked = body()
    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=256)) as http:
        library = AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0, http_client=http)

        async def ask_http() -> Any:
            response = await http.post(f"{base_url}/chat/completions", json=asked)
            return response.json()["choices"][0]

        async def ask_openai() -> Any:
            response = await library.post(
                "/chat/completions", cast_to=httpx2.Response, body=dict(asked)
            )
            return response.json()["choices"][0]

        ask = ask_http if client == HTTP else ask_openai
        await _ask_all(ask, WARM_CALLS, at_once)
        used, began_s = cpu_seconds(0), clock.monotonic()
        await _ask_all(ask, count, at_once)
        took_s, used = clock.monotonic() - began_s, cpu_seconds(0) - used
    return ClientRun(count / took_s, used * 1_000 / count, peak_rss_bytes(0))


def main() -> None:
    """Be the process."""
    base_url, client, count, at_once = sys.argv[1:]
    found = uvloop.run(_run(base_url, client, int(count), int(at_once)))
    sys.stdout.buffer.write(orjson.dumps(asdict(found)))


if __name__ == "__main__":
    main()
