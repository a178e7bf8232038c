"""Puts the routes of the API together: what they all take, and what they all may answer."""

from fastapi import APIRouter, Depends

from services.gateway.api import (
    activity,
    backfills,
    batch,
    conversations,
    imports,
    messages,
    results,
    sessions,
    states,
    users,
)
from services.gateway.api.parts import Parts
from services.gateway.api.problems import documented
from services.gateway.api.strict_json import strict_json_route


def api_routers(parts: Parts) -> list[APIRouter]:
    """All routes but those for trying out."""
    return [
        _writing(parts),
        _batches(parts),
        _reading(parts),
        _live(parts),
        _running(parts),
    ]


def _writing(parts: Parts) -> APIRouter:
    router = APIRouter(
        route_class=strict_json_route(parts.settings.gateway_max_frame_bytes),
        responses=documented(401, 403, 404, 413, 415, 422, 429, 503),
    )
    conversations.add_writing(router, parts)
    messages.add_writing(router, parts)
    sessions.add_writing(router, parts)
    states.add_writing(router, parts)
    users.add_writing(router, parts)
    imports.add_writing(router, parts)
    return router


def _batches(parts: Parts) -> APIRouter:
    router = APIRouter(
        route_class=strict_json_route(parts.settings.gateway_max_batch_bytes),
        responses=documented(401, 403, 404, 413, 415, 422, 429, 503),
    )
    batch.add_batch(router, parts)
    return router


def _reading(parts: Parts) -> APIRouter:
    router = APIRouter(
        dependencies=[Depends(parts.wait_until_stored)],
        responses=documented(401, 403, 404, 422, 503),
    )
    conversations.add_reading(router, parts)
    messages.add_reading(router, parts)
    states.add_reading(router, parts)
    users.add_reading(router, parts)
    results.add_reading(router, parts)
    return router


def _live(parts: Parts) -> APIRouter:
    # Of this moment, so there is no write to wait for.
    router = APIRouter(responses=documented(401, 403, 422, 503))
    activity.add_reading(router, parts)
    results.add_coverage(router, parts)
    return router


def _running(parts: Parts) -> APIRouter:
    # No event is written, so there is none to wait for.
    router = APIRouter(
        route_class=strict_json_route(parts.settings.gateway_max_frame_bytes),
        responses=documented(401, 403, 404, 409, 413, 415, 422, 503),
    )
    backfills.add_reading(router, parts)
    backfills.add_writing(router, parts)
    return router
