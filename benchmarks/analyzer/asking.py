"""The peers: bare loops that ask and read, with the analyzer's HTTP client and with OpenAI's own.

`python -m benchmarks.analyzer.asking URL CLIENT CALLS AT_ONCE` prints what it found as JSON.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx2
import orjson
import uvloop
from aiohttp import ClientSession, TCPConnector
from openai import AsyncOpenAI

from benchmarks.analyzer.passes import body
from benchmarks.processes import cpu_seconds, peak_rss_bytes
from parley import clock

HTTP: Final = "aiohttp"
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
    asking = _http if client == HTTP else _openai
    async with asking(base_url, at_once) as ask:
        await _ask_all(ask, WARM_CALLS, at_once)
        used, began_s = cpu_seconds(0), clock.monotonic()
        await _ask_all(ask, count, at_once)
        took_s, used = clock.monotonic() - began_s, cpu_seconds(0) - used
    return ClientRun(count / took_s, used * 1_000 / count, peak_rss_bytes(0))


@asynccontextmanager
async def _http(base_url: str, at_once: int) -> AsyncIterator[Ask]:
    url, asked = f"{base_url}/chat/completions", body()
    headers = {"Authorization": "Bearer none", "Content-Type": "application/json"}
    connector = TCPConnector(limit=at_once)
    async with ClientSession(connector=connector, headers=headers) as session:

        async def ask() -> Any:
            async with session.post(url, data=orjson.dumps(asked)) as response:
                return orjson.loads(await response.read())["choices"][0]

        yield ask


@asynccontextmanager
async def _openai(base_url: str, at_once: int) -> AsyncIterator[Ask]:
    asked = body()
    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=at_once)) as http:
        library = AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0, http_client=http)

        async def ask() -> Any:
            response = await library.post(
                "/chat/completions", cast_to=httpx2.Response, body=dict(asked)
            )
            return response.json()["choices"][0]

        yield ask


def main() -> None:
    """Be the process."""
    base_url, client, count, at_once = sys.argv[1:]
    found = uvloop.run(_run(base_url, client, int(count), int(at_once)))
    sys.stdout.buffer.write(orjson.dumps(asdict(found)))


if __name__ == "__main__":
    main()
