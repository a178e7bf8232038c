"""What a service says of itself: alive, ready, and each thing that it depends on."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Final

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from parley import clock

CHECK_TIMEOUT_S: Final = 2.0

Check = Callable[[], Awaitable[None]]

# What an ASGI server hands to an application.
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class DependencyHealth:
    """How one dependency answered."""

    status: str
    latency_seconds: float
    detail: str = ""


@dataclass
class Health:
    """Named checks that raise when something is wrong, and further facts for people.

    A failing check that is named in `optional` degrades the service, which stays ready.
    """

    service: str
    checks: dict[str, Check] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    facts: Callable[[], dict[str, Any]] = dict
    is_stopping: bool = False

    async def dependencies(self) -> dict[str, DependencyHealth]:
        """Run all checks at once."""
        results = await asyncio.gather(*(_run(check) for check in self.checks.values()))
        return dict(zip(self.checks, results, strict=True))

    async def is_ready(self) -> bool:
        """Whether the service can do its job now."""
        found = await self.dependencies()
        needed = [one for name, one in found.items() if name not in self.optional]
        return not self.is_stopping and all(one.status == "healthy" for one in needed)

    async def report(self) -> dict[str, Any]:
        """The answer of /health: healthy, degraded (something is wrong) or unhealthy."""
        dependencies = await self.dependencies()
        wrong = [one for one in dependencies.values() if one.status != "healthy"]
        status = "healthy"
        if self.is_stopping or (wrong and len(wrong) == len(dependencies)):
            status = "unhealthy"
        elif wrong:
            status = "degraded"
        return {
            "status": status,
            "service": self.service,
            "dependencies": {name: asdict(one) for name, one in dependencies.items()},
            "services": self.facts(),
        }


async def _run(check: Check) -> DependencyHealth:
    started_at = clock.monotonic()
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what health is to show
        detail = str(error) or type(error).__name__
        return DependencyHealth("unhealthy", clock.monotonic() - started_at, detail)
    return DependencyHealth("healthy", clock.monotonic() - started_at)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answers: `content` is text already, or becomes JSON."""

    status: int
    content: bytes | dict[str, Any]
    media_type: str = "application/json"

    @property
    def body(self) -> bytes:
        """The content as it is sent."""
        return self.content if isinstance(self.content, bytes) else orjson.dumps(self.content)


class HealthApp:
    """Answers /livez, /readyz, /health and /metrics, and nothing else: an ASGI application.

    A service with an interface of its own has a framework; for four answers it would be most of
    what the others import at their start.
    """

    def __init__(self, health: Health) -> None:
        self._answers: dict[str, Callable[[], Awaitable[Answer]]] = {
            "/livez": livez,
            "/readyz": partial(readyz, health),
            "/health": partial(full, health),
            "/metrics": metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the application."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await _reply(await self._answer(scope), send)

    async def _answer(self, scope: Scope) -> Answer:
        answer = self._answers.get(scope["path"])
        if answer is None:
            return Answer(404, {"detail": "Not Found"})
        if scope["method"] != "GET":
            return Answer(405, {"detail": "Method Not Allowed"})
        return await answer()


async def livez() -> Answer:
    """The event loop turns."""
    return Answer(200, {"status": "alive"})


async def readyz(health: Health) -> Answer:
    """Whether it can do its job now."""
    if await health.is_ready():
        return Answer(200, {"status": "ready"})
    return Answer(503, {"status": "not ready"})


async def full(health: Health) -> Answer:
    """The status with every dependency."""
    report = await health.report()
    return Answer(503 if report["status"] == "unhealthy" else 200, report)


async def metrics() -> Answer:
    """What Prometheus reads."""
    return Answer(200, generate_latest(), CONTENT_TYPE_LATEST)


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _reply(answer: Answer, send: Send) -> None:
    headers = [
        (b"content-type", answer.media_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
