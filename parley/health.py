"""What a service says of itself: alive, ready, and each thing that it depends on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from parley import clock

CHECK_TIMEOUT_S: Final = 2.0

Check = Callable[[], Awaitable[None]]


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


def health_router(health: Health) -> APIRouter:
    """The routes /livez, /readyz, /health and /metrics."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez", summary="The event loop turns")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz", summary="Can do its job now")
    async def readyz(response: Response) -> dict[str, str]:
        is_ready = await health.is_ready()
        if not is_ready:
            response.status_code = 503
        return {"status": "ready" if is_ready else "not ready"}

    @router.get("/health", summary="Status with every dependency")
    async def full(response: Response) -> dict[str, Any]:
        report = await health.report()
        if report["status"] == "unhealthy":
            response.status_code = 503
        return report

    @router.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
