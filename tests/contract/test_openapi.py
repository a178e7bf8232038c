"""docs/openapi.json is what the gateway answers at /openapi.json."""

import json
from typing import Any

import httpx

from deploy.docs import openapi
from services.gateway.access import Access
from services.gateway.api.app import build_app
from services.gateway.settings import GatewaySettings
from tests.unit.deploy.test_asyncapi import references

WRITTEN: dict[str, Any] = json.loads(openapi.PAGE.read_text())


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", one)
        for path, methods in WRITTEN["paths"].items()
        for method, one in methods.items()
    ]


def test_the_document_is_what_the_code_writes() -> None:
    assert openapi.PAGE.read_text() == openapi.text(), "run `make openapi`"


async def test_a_gateway_answers_the_same() -> None:
    nobody: Any = None
    settings = GatewaySettings()
    app = build_app(settings, *(nobody,) * 5, Access(settings), nobody)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get("/openapi.json")).json() == WRITTEN


def test_every_operation_says_what_it_does_and_has_a_name_of_its_own() -> None:
    names = [one["operationId"] for _, one in operations()]
    assert len(names) == len(set(names)) > 20
    assert [where for where, one in operations() if not one.get("summary")] == []


def test_every_reference_leads_somewhere() -> None:
    found = set(references(WRITTEN))
    assert found
    for reference in found:
        place = WRITTEN
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_endpoints_for_trying_things_are_not_described() -> None:
    assert [path for path in WRITTEN["paths"] if "test" in path] == []
