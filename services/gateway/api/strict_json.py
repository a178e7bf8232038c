"""Reads request bodies as strictly as frames: of a bounded size, and without NaN or surrogates."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

import orjson
from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

JSON: Final = "application/json"
WITHOUT_BODY: Final = ("GET", "HEAD", "OPTIONS", "DELETE")


def strict_json_route(max_body_bytes: int) -> type[APIRoute]:
    """A kind of route whose bodies are read by orjson, and refused with 413 when they are larger.

    The limits of Starlette and FastAPI answer in plain text, whatever a handler says.
    """

    class StrictRequest(Request):
        async def body(self) -> bytes:
            if not hasattr(self, "_body"):
                self._body = await self._read()
            return self._body

        async def _read(self) -> bytes:
            body = bytearray()
            async for chunk in self.stream():
                body += chunk
                if len(body) > max_body_bytes:
                    raise HTTPException(413, f"at most {max_body_bytes} bytes are taken")
            return bytes(body)

        async def json(self) -> Any:
            return orjson.loads(await self.body())

    class StrictJsonRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_strictly(request: Request) -> Response:
                _refuse_other_kinds(request)
                return await handle(StrictRequest(request.scope, request.receive))

            return handle_strictly

    return StrictJsonRoute


def _refuse_other_kinds(request: Request) -> None:
    """Raise 415 for a body that says it is something else; one that says nothing is read."""
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if request.method not in WITHOUT_BODY and kind != JSON:
        raise HTTPException(415, f"bodies are {JSON}")
