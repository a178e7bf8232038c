"""The routes /livez, /readyz, /health and /metrics, as every service has them, documented."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from parley import health as answers
from parley.health import Answer, Health


def operations_router(health: Health) -> APIRouter:
    """The routes that supervisors and monitors ask."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez", summary="The event loop turns", response_model=dict[str, str])
    async def livez() -> Response:
        return _response(await answers.livez())

    @router.get("/readyz", summary="Can do its job now", response_model=dict[str, str])
    async def readyz() -> Response:
        return _response(await answers.readyz(health))

    @router.get("/health", summary="Status with every dependency", response_model=dict[str, Any])
    async def full() -> Response:
        return _response(await answers.full(health))

    @router.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return _response(await answers.metrics())

    return router


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type=answer.media_type)
