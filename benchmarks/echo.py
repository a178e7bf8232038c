"""The peer: a bare echo on the gateway's own server, with the gateway's limits and nothing else.

Run as `python -m benchmarks.echo`; it listens on PARLEY_HTTP_PORT like a service.
"""

import asyncio

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from parley.lifecycle import run_service, serve
from parley.settings import Settings


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer every text frame with itself; `/readyz` is answered as a service does."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ready"})
        return
    await receive()
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})


async def start(settings: Settings, stop: asyncio.Event) -> None:
    """Serve as a service does: only the application is another."""
    await serve(echo, settings, stop, web_socket=WebSocketsSansIOProtocol)


if __name__ == "__main__":
    run_service("echo", Settings, start)
