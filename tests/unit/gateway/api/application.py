"""The gateway's HTTP without Kafka and PostgreSQL, and how its errors look."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from parley.health import Health
from parley.position import Position
from services.gateway.access import Access
from services.gateway.api.app import build_app
from services.gateway.connection.connections import Connections
from services.gateway.settings import GatewaySettings
from services.gateway.store import (
    Activity,
    Overview,
    Place,
    Row,
    Search,
    Store,
    StoreBehind,
    StoreUnavailable,
)
from tests.unit.gateway.fakes import FakeProducer, parts

MESSAGES = "/api/v2/conversations/c/messages"
PREFERENCES = "/api/v2/users/u/preferences"


class _AbsentStore(Store):
    """PostgreSQL is away."""

    def __init__(self) -> None:
        """Nothing to connect to."""

    async def overview(self, tenant_id: str, conversation_id: str) -> Overview | None:
        raise StoreUnavailable

    async def conversations(
        self, tenant_id: str, search: Search, after: Activity | None, limit: int
    ) -> list[Row]:
        raise StoreUnavailable

    async def messages(
        self, tenant_id: str, conversation_id: str, after: Place, limit: int
    ) -> list[Row]:
        raise StoreUnavailable

    async def preferences(self, tenant_id: str, user_id: str) -> Row | None:
        raise StoreUnavailable

    async def wait_until_stored(self, position: Position, patience_s: float) -> None:
        raise StoreBehind


def application(producer: FakeProducer, settings: GatewaySettings) -> FastAPI:
    made = parts(producer, settings)
    return build_app(
        settings,
        made.publisher,
        made.sessions,
        Connections(made),
        _AbsentStore(),
        made.talk,
        Access(settings),
        Health("gateway"),
        limits=made.limits,
    )


@contextmanager
def problem(answer: httpx.Response, status: int, code: str) -> Iterator[dict[str, Any]]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    yield body
