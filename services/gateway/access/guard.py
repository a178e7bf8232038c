"""Stands before every path under /api: who carries no good token does not get in."""

from typing import Annotated, Final

from fastapi import Depends
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.access.access import Access
from services.gateway.access.identity import Identity
from services.gateway.access.tokens import SUBPROTOCOL, subprotocols_of, token_of
from services.gateway.api.problems import refusal_response
from services.gateway.core.refusals import Code, Refused

GUARDED: Final = "/api"
_STATE: Final = "caller"


class AccessGuard:
    """Answers 401 to who is not believed, and tells the routes behind it who the others are.

    Only a WebSocket may come without a token: it can still say one in its `hello`. One that
    comes with a bad token is refused before anybody accepts it.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on who may go on."""
        if scope["type"] == "lifespan" or not scope["path"].startswith(GUARDED):
            await self._app(scope, receive, send)
            return
        try:
            caller = self._identify(scope)
        except Refused as refused:
            await refusal_response(refused)(scope, receive, send)
            return
        scope.setdefault("state", {})[_STATE] = caller
        await self._app(scope, receive, _choosing_subprotocol(scope, send))

    def _identify(self, scope: Scope) -> Identity | None:
        token = token_of(Headers(scope=scope))
        if token is None and scope["type"] == "websocket" and self._access.is_on:
            return None
        return self._access.identify(token)


def caller_of(connection: HTTPConnection) -> Identity | None:
    """Who opened it; None for a WebSocket that has yet to say so in its `hello`.

    Raises AttributeError where no guard stands before the path: better no answer than anybody's.
    """
    caller: Identity | None = getattr(connection.state, _STATE)
    return caller


def _required(connection: HTTPConnection) -> Identity:
    caller = caller_of(connection)
    if caller is None:
        raise Refused(Code.UNAUTHENTICATED, "this needs an API key or a token")
    return caller


# Who sent a request, as a parameter of a route.
Caller = Annotated[Identity, Depends(_required)]


def _choosing_subprotocol(scope: Scope, send: Send) -> Send:
    """`send`, which also answers the subprotocol of a browser that sent its token that way.

    Browsers close a connection that answers with none of what they offered.
    """
    if scope["type"] != "websocket" or SUBPROTOCOL not in subprotocols_of(Headers(scope=scope)):
        return send

    async def choosing(message: Message) -> None:
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            message = {**message, "subprotocol": SUBPROTOCOL}
        await send(message)

    return choosing
