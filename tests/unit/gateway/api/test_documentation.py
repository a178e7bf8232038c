"""The documentation and the page: every reference leads somewhere, and nothing is fetched."""

import re

import httpx

from parley.position import Position
from services.gateway.api.fields import position_of
from services.gateway.api.page import content_security_policy


def test_a_position_that_parley_gave_out_is_read_back() -> None:
    position = Position("incarnation", 3, 7)
    assert position_of(str(position)) == position


async def test_every_reference_of_the_documentation_leads_somewhere(
    client: httpx.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).text
    named = set(re.findall(r'"#/components/schemas/(\w+)"', document))
    known = (await client.get("/openapi.json")).json()["components"]["schemas"]
    assert "Problem" in named
    assert named <= known.keys()


async def test_the_documentation_shows_every_operation_and_fetches_nothing(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/docs")
    schema = (await client.get("/openapi.json")).json()
    assert answer.text.count("<summary>") == sum(len(one) for one in schema["paths"].values())
    for path in schema["paths"]:
        assert f"<code>{path}</code>" in answer.text
    assert "script-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script|<!-- content|(src|href)=.https?:", answer.text)


async def test_the_page_may_reach_its_own_server_only(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy == content_security_policy(answer.text)
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == 2
    # Inline handlers and styles would be blocked; foreign hosts must not even be named.
    assert not re.search(r'\son\w+="|style="|https?://', answer.text)
