"""Lets a request's `traceparent` be the parent of what the request makes."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from parley.tracing import TRACEPARENT, TRACING


class TraceParent:
    """Around the application, where traces are sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; of HTTP within the caller's trace."""
        parent = Headers(scope=scope).get(TRACEPARENT) if scope["type"] == "http" else None
        with TRACING.within(parent):
            await self._app(scope, receive, send)
