"""An echo in C, for one question: how much the load generator could do if the server were free.

Run as `python -m benchmarks.ceiling`; it listens on PARLEY_HTTP_PORT.
"""

import asyncio

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

from parley.lifecycle import run_service
from parley.settings import Settings


class Echo(WSListener):
    """Answers every text frame with itself."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Send it back."""
        if frame.msg_type == WSMsgType.TEXT:
            transport.send(WSMsgType.TEXT, frame.get_payload_as_bytes())


def _accept(_request: WSUpgradeRequest) -> WSListener:
    return Echo()


async def start(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop`."""
    server = await ws_create_server(_accept, settings.http_host, settings.http_port)
    async with server:
        await stop.wait()


if __name__ == "__main__":
    run_service("ceiling", Settings, start)
