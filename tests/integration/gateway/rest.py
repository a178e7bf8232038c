"""A program that writes and reads over HTTP, as a server would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx

from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

Answer = dict[str, Any]

CONVERSATIONS: Final = "/api/v2/conversations"
PROBLEM: Final = "application/problem+json"


class Program:
    """It says what it expects: an answer, or a refusal that is a problem."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def writes(
        self,
        path: str,
        body: Answer | None = None,
        *,
        method: str = "POST",
        status: int = 201,
        key: str | None = None,
    ) -> Answer:
        """Write something; what was answered."""
        headers = {} if key is None else {"Idempotency-Key": key}
        answered = await self.http.request(method, path, json=body or {}, headers=headers)
        assert answered.status_code == status, answered.text
        answer: Answer = answered.json()
        return answer

    async def is_refused(
        self, status: int, code: str, path: str, method: str = "GET", **request: Any
    ) -> Answer:
        """Be refused in the way of all refusals; the problem."""
        answered = await self.http.request(method, path, **request)
        problem: Answer = answered.json()
        assert (answered.status_code, problem.get("code")) == (status, code), problem
        assert answered.headers["content-type"] == PROBLEM
        assert problem["status"] == status
        assert problem["retryable"] is ("retry-after" in answered.headers)
        return problem

    async def reads(self, path: str, *written: Answer, **query: Any) -> Answer:
        """Read, once the tables hold all that was written."""
        for answer in written:
            await self._until_stored(answer["position"])
        answered = await self.http.get(path, params=query)
        assert answered.status_code == 200, answered.text
        found: Answer = answered.json()
        return found

    async def lists(self, *written: Answer, **query: Any) -> list[str]:
        """The ids of the conversations that are listed."""
        page = await self.reads(CONVERSATIONS, *written, **query)
        return [one["conversation_id"] for one in page["conversations"]]

    async def _until_stored(self, position: str) -> None:
        async def is_stored() -> bool:
            answered = await self.http.get(
                f"{CONVERSATIONS}?limit=1", headers={"X-Parley-After": position}
            )
            # A persister that has just been started may need more than the gateway's patience.
            assert answered.status_code in (200, 503), answered.text
            return answered.status_code == 200

        await eventually(is_stored)


@asynccontextmanager
async def program_of(gateway: ServiceProcess, **headers: str) -> AsyncIterator[Program]:
    """A program that talks to this gateway."""
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as http:
        yield Program(http)
