"""A thousand hostile tokens: each is refused in words, none is a fault of the gateway."""

from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from services.gateway.access import Access, AccessGuard, Caller
from services.gateway.api import problems
from services.gateway.core.refusals import Code, Refused
from tests.unit.gateway.access.hostile import hostile_tokens
from tests.unit.gateway.access.issuer import token

SEED = 20_261_121


def test_every_hostile_token_is_refused_in_words(access: Access) -> None:
    tokens = hostile_tokens(SEED)
    assert len(tokens) > 1_000
    for text in tokens:
        with pytest.raises(Refused) as caught:
            who = access.identify(text)
            pytest.fail(f"{text!r} was believed: {who}")
        assert caught.value.code is Code.UNAUTHENTICATED
        # What was sent is never sent back.
        assert not text.strip(" .") or len(text) < 4 or text not in caught.value.message
    assert access.identify(token()).subject == "user-1"


async def test_over_http_each_gets_a_401_and_none_a_500(
    access: Access, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(AccessGuard, access=access)
    reached: list[str] = []

    @app.get("/api/who")
    async def who(caller: Caller) -> None:
        reached.append(caller.subject)

    statuses: set[int] = set()
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for text in hostile_tokens(SEED):
            raw = text.encode(errors="replace")
            for header in ((b"Authorization", b"Bearer " + raw), (b"X-API-Key", raw)):
                answer = await client.get("/api/who", headers=[header])
                statuses.add(answer.status_code)
            answer = await client.get(f"/api/who?token={quote(text)}&access_token={quote(text)}")
            statuses.add(answer.status_code)
    assert statuses == {401}
    assert reached == []
    assert "Traceback" not in caplog.text
